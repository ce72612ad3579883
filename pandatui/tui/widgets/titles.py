"""The words in a panel's frame."""

from textual.widget import Widget

from pandatui.charset import to_ascii


def entitle(widget: Widget, title: str, subtitle: str = "", *, ascii_only: bool = False) -> None:
    """A panel's head and foot; setting one repaints the widget, so only what is new is set."""
    if ascii_only:
        title, subtitle = to_ascii(title), to_ascii(subtitle)
    if (title, subtitle) != (widget.border_title or "", widget.border_subtitle or ""):
        widget.border_title, widget.border_subtitle = title, subtitle
