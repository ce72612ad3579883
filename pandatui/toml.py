"""TOML from strangers: read in little time and memory, or refused in one line."""

import tomllib
from typing import Any

from pandatui.plain import one_line

MAX_BYTES = 2**20
_MOST_DOTS = 25_000_000  # a name of n parts costs n² to read


class TomlError(ValueError):
    """It can't be read as TOML: one line that says what was expected."""


def read_toml(raw: bytes, what: str) -> dict[str, Any]:
    """What stands in a file of this kind, such as "spec". Raises TomlError."""
    text = text_of(raw, what)
    if sum(line.count(".") ** 2 for line in text.split("\n")) > _MOST_DOTS:
        raise TomlError(f"not TOML as expected: far more dots in a line than a {what} has")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TomlError(f"not TOML as expected: nested deeper than a {what} is") from None
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"not TOML as expected: {one_line(error)}") from None
    except ValueError:  # int() has a limit
        raise TomlError(f"not TOML as expected: a number with far more digits than a {what} has") from None


def text_of(raw: bytes, what: str) -> str:
    """The text of a file, with or without a byte order mark. Raises TomlError."""
    if len(raw) > MAX_BYTES:
        raise TomlError(f"larger than {MAX_BYTES // 2**20} MiB, which no {what} is")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TomlError(f"expected text in UTF-8: {error.reason} at byte {error.start}") from None
