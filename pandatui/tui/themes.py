"""Three themes: primary is the train cost, secondary dev, accent a nudge, error trouble; the rest quiet."""

from textual.theme import Theme

THEMES = (
    Theme(
        name="panda-dark",
        primary="#5fb3f9",
        secondary="#f5c15d",
        accent="#7ee0a3",
        error="#ff6b6b",
        warning="#f5a35d",
        success="#7ee0a3",
        foreground="#d8dee6",
        background="#12151a",
        surface="#191d24",
        panel="#232933",
        dark=True,
        variables={"muted": "#808b99"},
    ),
    Theme(
        name="panda-light",
        primary="#0b63b5",
        secondary="#a35a00",
        accent="#0a7a46",
        error="#c01c28",
        warning="#a35a00",
        success="#0a7a46",
        foreground="#20242b",
        background="#fbfaf7",
        surface="#f1efe9",
        panel="#e4e1d8",
        dark=False,
        variables={"muted": "#6b6f76"},
    ),
    Theme(
        name="projector",
        primary="#00e5ff",
        secondary="#ffe600",
        accent="#00ff7f",
        error="#ff4040",
        warning="#ffb000",
        success="#00ff7f",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        dark=True,
        variables={"muted": "#c8c8c8"},
    ),
)
DEFAULT_THEME = "panda-dark"
DEFAULT_MUTED = "#8a8a8a"  # in the themes that are not ours
