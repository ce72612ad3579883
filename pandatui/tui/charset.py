"""The characters of the screen for terminals that have only ASCII."""

import os

_ASCII = str.maketrans(
    {
        "α": "a", "β": "b", "λ": "l", "γ": "g", "ε": "e", "·": "-", "→": "->", "×": "x", "…": "...", "–": "-",
        "−": "-", "▸": ">", "●": "*", "○": "o", "✖": "X", "▲": "^", "↑": "+", "↓": "-", "∞": "inf", "₀": "0",
        "‖": "|", "›": ">", "█": "#", "░": ".", "“": '"', "”": '"', "⏸": "=",
        "▒": "%", "±": "+/-", "←": "<-", "≠": "!=",
    }
)  # fmt: skip


def to_ascii(text: str) -> str:
    """`text` in ASCII: our own signs spelled out, anything else as `?`."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


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
