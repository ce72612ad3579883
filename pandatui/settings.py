"""Settings that a person keeps: config.toml in the user's config folder.

Flags beat the environment, that beats the file, and that the defaults.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from pandatui.toml import MAX_BYTES, TomlError, read_toml

_KINDS: dict[str, type] = {
    "theme": str,
    "keys": dict,
    "sessions": str,
    "hints": bool,
    "hints_off": list,
    "bell": bool,
}


class SettingsError(ValueError):
    """config.toml can't be used: one line that says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`keys` maps binding ids to keys, as Textual's key maps do. `hints_off` are names of hints.

    `bell`: whether the terminal's rings when a run ends, diverges or is flat, and when a race beats it.
    """

    theme: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    sessions: str | None = None
    hints: bool = True
    hints_off: tuple[str, ...] = ()
    bell: bool = False


def settings_file() -> Path:
    return Path(platformdirs.user_config_dir("pandatui", appauthor=False)) / "config.toml"


def load_settings() -> Settings:
    """The file's settings, or the defaults where there is none. Raises SettingsError."""
    path = settings_file()
    try:
        if path.exists() and not path.is_file():  # a pipe would hold us for ever
            raise SettingsError(f"{path}: expected a regular file")
        with path.open("rb") as file:
            found = read_toml(file.read(MAX_BYTES + 1), "config.toml")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return Settings()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except TomlError as error:
        raise SettingsError(f"{path}: {error}") from None
    for name, value in found.items():
        if name not in _KINDS or not isinstance(value, _KINDS[name]):
            expected = ", ".join(_KINDS)
            raise SettingsError(f"{path}: {name!r:.80}: expected one of {expected}, each of its own type")
    keys = found.get("keys", {})
    if not all(isinstance(key, str) for key in keys.values()):
        raise SettingsError(f"{path}: 'keys': expected binding ids with the keys to press, as strings")
    off = found.get("hints_off", [])
    if not all(isinstance(name, str) for name in off):
        raise SettingsError(f"{path}: 'hints_off': expected a list of names of hints")
    return Settings(**(found | {"hints_off": tuple(off)}))


def remember_theme(name: str) -> None:
    """Keep the theme for the next time, leaving the rest of the file as it is. Raises OSError."""
    path = settings_file()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    line = f"theme = {json.dumps(name)}"  # a JSON string is a TOML string
    table = re.search(r"(?m)^\s*\[", text)
    top, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    top, found = re.subn(r"(?m)^\s*theme\s*=.*$", lambda _: line, top, count=1)
    text = top + rest if found else f"{line}\n{text}"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
