"""The one function through which every string from a file or an option passes on its way to a terminal."""

import unicodedata

_REPLACEMENT = "�"
# Cc controls (ESC, NUL, C1 …), Cf format (bidi overrides, zero width), Cs surrogates, Co private, Cn
# unassigned, Zl and Zp line ends, and marks, which pile up on the character before them
_REFUSED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"}


def plain(text: str, limit: int = 200) -> str:
    """`text` on one line with nothing in it that a terminal would act on, cut to `limit` characters."""
    composed = unicodedata.normalize("NFC", text[: limit * 4])
    shown = "".join(_REPLACEMENT if unicodedata.category(c) in _REFUSED else c for c in composed)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
