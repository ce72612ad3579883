"""The one function through which every string from a file or an option passes on its way to a terminal."""

import unicodedata

_REPLACEMENT = "�"
# Cc controls (ESC, NUL, C1 …), Cf format (bidi overrides, zero width), Cs surrogates, Co private, Cn
# unassigned, Zl and Zp line ends, and marks, which pile up on the character before them
_REFUSED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"}

_ACTED_ON = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def plain(text: str, limit: int = 200) -> str:
    """`text` on one line with nothing in it that a terminal would act on, cut to `limit` characters."""
    composed = unicodedata.normalize("NFC", text[: limit * 4])
    shown = "".join(_REPLACEMENT if unicodedata.category(c) in _REFUSED else c for c in composed)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def one_line(error: BaseException, limit: int = 300) -> str:
    """What an error says, which may quote what was found in a file, as `plain` text."""
    return plain(" ".join(str(error).split()), limit)


def harmless(text: str) -> str:
    """`text` for a file that may be shown by a terminal: what one would act on as an escape, all else kept.

    Controls but line ends, directions of writing and line separators; marks and wide characters stay.
    """
    return "".join(
        c if c == "\n" or not (unicodedata.category(c) in _ACTED_ON or c in _DIRECTIONS) else ascii(c)[1:-1]
        for c in text
    )
