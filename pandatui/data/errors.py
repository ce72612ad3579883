"""The one error that data can raise, and how its line quotes what was found.

A file is written by strangers: its cells, names and keys reach a message only through `quote`, which escapes
and shortens them, so that no file can break a message into lines or flood it.
"""

from __future__ import annotations


class DataError(ValueError):
    """Data that cannot be used. The message is one line: file, place, what was expected, what was found."""


def quote(value: object, limit: int = 40) -> str:
    """The value as ASCII in quotes, escapes visible, cut to about `limit` characters."""
    if isinstance(value, str) and len(value) > limit:
        return ascii(value[: limit - 1])[:limit] + "…'"
    text = ascii(value)
    return text if len(text) <= 4 * limit else text[: 4 * limit - 1] + "…"


def show(path: object, limit: int = 160) -> str:
    """A path as a person typed it; escaped when it holds what cannot be printed, its middle cut when long."""
    text = str(path)
    if len(text) > limit:
        text = text[: limit // 2] + "…" + text[-limit // 2 :]
    return text if text.isprintable() else ascii(text)


def listing(values: object, limit: int = 8) -> str:
    """Names for a message: quoted, with commas, the first `limit` of them."""
    names = list(values)  # type: ignore[call-overload]
    shown = ", ".join(quote(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown}, … ({len(names)} in all)"
