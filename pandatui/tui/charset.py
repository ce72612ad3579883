"""The characters of the screen for terminals that have only ASCII."""

import os

_ASCII = str.maketrans(
    {
        "α": "a", "β": "b", "λ": "l", "γ": "g", "ε": "e", "·": "-", "→": "->", "×": "x", "…": "...", "–": "-",
        "−": "-", "▸": ">", "●": "*", "○": "o", "✖": "X", "▲": "^", "↑": "+", "↓": "-", "∞": "inf", "₀": "0",
        "‖": "|", "›": ">", "█": "#", "░": ".", "“": '"', "”": '"', "⏸": "=",
    }
)  # fmt: skip


def to_ascii(text: str) -> str:
    """`text` in ASCII: our own signs spelled out, anything else as `?`."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def terminal_has_utf8(environ: dict[str, str] | os._Environ[str] = os.environ) -> bool:
    """Whether the locale says UTF-8, by the rules of POSIX: LC_ALL, else LC_CTYPE, else LANG."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environ.get(name):
            return "utf8" in value.lower().replace("-", "")
    return False
