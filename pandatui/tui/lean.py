"""Fewer bytes for the same picture: a style is sent only where the text that follows needs another one.

Textual sends the whole style before each piece of text and takes it back after, which is half of what goes
over an ssh connection.
"""

import re
from collections.abc import Callable

_TOKEN = re.compile(r"\x1b\[([0-9;:]*)m|(\x1b\[[0-9;?]*[@-~]|[\r\n]+)|(\x1b?[^\x1b\r\n]+|\x1b)")
_STYLES = re.compile(r"\x1b\[[0-9;:]*m")
_LONG = {"38": "foreground", "48": "background"}  # their colour follows: 5;N or 2;R;G;B
_SHORT = re.compile(r"(3[0-79]|9[0-7])|(4[0-79]|10[0-7])|([1-9])")
_RESET = "\x1b[m"
_UNSET = {"foreground": "39", "background": "49"}

Style = dict[str, str]  # what is set, by kind: the two colours, and each flag by its code


def lean(text: str, restyled: Callable[[Style], Style] | None = None) -> str:
    """The same picture from a terminal whose style is the default; left as it is where it does not end so.

    With `restyled` every style is sent as that says, and none where the text would be left as it is.
    """
    out: list[str] = []
    sent: Style = {}
    wanted: Style = {}
    for style, move, other in _TOKEN.findall(text):
        if other:
            style_now = wanted if restyled is None else restyled(wanted)
            if style_now != sent:
                out.append(_change(sent, style_now))
                sent = style_now
            out.append(other)
        elif move:
            out.append(move)
        elif (found := _after(wanted, style)) is None:
            return text if restyled is None else _STYLES.sub("", text)
        else:
            wanted = found
    if wanted:
        return text if restyled is None else _STYLES.sub("", text)
    if sent:
        out.append(_RESET)
    return "".join(out)


def _after(style: Style, codes: str) -> Style | None:
    """The style after these codes of "select graphic rendition" (ECMA-48, 8.3.117); None for odd ones."""
    found = dict(style)
    parts = iter((codes or "0").split(";"))
    for code in parts:
        if code == "0":
            found.clear()
        elif code in _LONG:
            kind = next(parts, "")
            rest = [next(parts, "") for _ in range({"5": 1, "2": 3}.get(kind, 0))]
            if not rest or "" in rest:
                return None
            found[_LONG[code]] = ";".join((code, kind, *rest))
        elif known := _SHORT.fullmatch(code):
            kind = "foreground" if known[1] else "background" if known[2] else code
            found[kind] = code
            if code == _UNSET.get(kind):
                del found[kind]
        else:
            return None
    return found


def _change(old: Style, new: Style) -> str:
    """The codes from one style to the other; a flag can only be taken back with all else."""
    if not new:
        return _RESET
    gone = [kind for kind in old if kind not in new]
    if not _UNSET.keys() >= set(gone):
        return f"\x1b[;{';'.join(new.values())}m"
    added = [code for kind, code in new.items() if old.get(kind) != code]
    return f"\x1b[{';'.join([_UNSET[kind] for kind in gone] + added)}m"
