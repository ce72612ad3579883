"""The characters of screen and talk for terminals that have only ASCII."""

import codecs
import io
import os
import re
from unicodedata import combining, east_asian_width

_ASCII = str.maketrans(
    {
        "α": "a", "β": "b", "λ": "l", "γ": "g", "ε": "e", "·": "-", "→": "->", "×": "x", "…": "...", "–": "-",
        "−": "-", "▸": ">", "●": "*", "○": "o", "✖": "X", "▲": "^", "↑": "+", "↓": "-", "∞": "inf", "₀": "0",
        "‖": "|", "›": ">", "█": "#", "░": ".", "“": '"', "”": '"', "⏸": "=",
        "▒": "%", "±": "+/-", "←": "<-", "≠": "!=",
    }
)  # fmt: skip
_CODEC = "pandatui_ascii"  # a name that click does not take for a mistake in the locale
_OTHER = re.compile(r"[^\x00-\x7f]")
_DRAWN = {
    **dict.fromkeys("─━┄┅┈┉╌╍═╴╶╸╺╼╾", "-"), **dict.fromkeys("│┃┆┇┊┋╎╏║╵╷╹╻╽╿▌▐▎▏▕", "|"), "▁": "_", "▔": "-",
    "▼": "v", "▾": "v", "◀": "<", "▶": ">", "•": "*", "⋯": ".", "\xa0": " ",
}  # fmt: skip


def to_ascii(text: str) -> str:
    """`text` in ASCII: our own signs spelled out, anything else as `?`."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def cell_by_cell(text: str) -> str:
    """`text` in ASCII, each character in as many cells as it takes: frames as frames, unknown ones as `?`."""
    return text if text.isascii() else _OTHER.sub(_cells, text)


def _cells(found: re.Match[str]) -> str:
    sign = found[0]
    if sign in _DRAWN:
        return _DRAWN[sign]
    if "\u2500" <= sign <= "\u257f":
        return "+"
    if "\u2580" <= sign <= "\u259f":
        return "#"
    if combining(sign):
        return ""
    spelt = _ASCII.get(ord(sign), "?")
    return "??" if east_asian_width(sign) in "WF" else spelt if len(spelt) == 1 else spelt[0]


class _Spelling(codecs.IncrementalEncoder):
    """Our own signs spelled out, and the others, which may be a file's name, by their numbers."""

    def encode(self, text: str, final: bool = False) -> bytes:
        return text.translate(_ASCII).encode("ascii", "backslashreplace")


def spell_out(stream: object) -> None:
    """Let a terminal's stream of text send only ASCII."""
    if isinstance(stream, io.TextIOWrapper) and stream.isatty():
        codecs.register(_codec)
        stream.reconfigure(encoding=_CODEC, errors="strict")


def _codec(name: str) -> codecs.CodecInfo | None:
    if name != _CODEC:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode, plain.decode, incrementalencoder=_Spelling, incrementaldecoder=plain.incrementaldecoder,
        name=_CODEC,
    )  # fmt: skip


def terminal_has_utf8(environ: dict[str, str] | os._Environ[str] = os.environ) -> bool:
    """Whether the locale says UTF-8, by the rules of POSIX: LC_ALL, else LC_CTYPE, else LANG.

    Where LANG says C, Python itself sets LC_CTYPE to C.UTF-8 for its children (PEP 538): that is no answer.
    """
    if environ.get("LANG") in ("C", "POSIX") and environ.get("LC_CTYPE") in ("C.UTF-8", "C.utf8"):
        return bool(environ.get("LC_ALL")) and terminal_has_utf8({"LC_ALL": environ["LC_ALL"]})
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environ.get(name):
            return "utf8" in value.lower().replace("-", "")
    return False
