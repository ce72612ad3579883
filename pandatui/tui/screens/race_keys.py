"""The keys of the race screen, each with an id, a label, a tooltip and a group."""

from textual.binding import Binding

TRIALS = Binding.Group("trials")
RACE = Binding.Group("race")
APP = Binding.Group("session")


def _key(
    key: str, action: str, label: str, tooltip: str, group: Binding.Group, id: str, display: str | None = None
) -> Binding:
    return Binding(
        key, action, label, tooltip=tooltip, group=group, id=f"race.{id}", show=False, key_display=display
    )


RACE_KEYS = [
    _key("up", "cursor(-1)", "trial above", "On the leaderboard", TRIALS, "up"),
    _key("down", "cursor(1)", "trial below", "On the leaderboard", TRIALS, "down"),
    _key("pageup", "page(-1)", "page up", "On the leaderboard", TRIALS, "page-up"),
    _key("pagedown", "page(1)", "page down", "On the leaderboard", TRIALS, "page-down"),
    _key("home", "best", "the best", "The cursor follows the best trial", TRIALS, "best"),
    _key("end", "last", "the last", "The end of the leaderboard", TRIALS, "last"),
    _key(
        "enter", "adopt", "adopt", "The trial becomes the panda, from its end or its start", TRIALS, "adopt"
    ),
    _key("delete", "stop_trial", "stop trial", "It keeps what it has come to", TRIALS, "stop-trial"),
    _key("tab", "axes(1)", "other axes", "Two other knobs on the map", RACE, "axes"),
    _key("shift+tab", "axes(-1)", "axes before", "The two knobs before on the map", RACE, "axes-back"),
    _key("space", "pause", "pause or go on", "What is out comes in, nothing goes out", RACE, "pause"),
    _key(
        "ctrl+k",
        "stop_round",
        "stop round",
        "All that still trains; then it waits for you",
        RACE,
        "stop-round",
    ),
    _key(
        "ctrl+r",
        "next_round",
        "next round",
        "In the dashed box; after the last, one more",
        RACE,
        "next-round",
    ),
    _key("e", "edit_box", "edit box", "Where the next round looks", RACE, "edit-box"),
    _key("ctrl+o", "app.sessions", "sessions", "Recorded sessions and studies", APP, "sessions"),
    _key("question_mark", "help", "help", "All keys, in a panel", APP, "help", "?"),
    _key("escape", "close", "back", "The race goes on", APP, "close"),
    _key("q", "app.quit", "quit", "Saves everything, and says where", APP, "quit"),
]

RACE_HELP = """
# A race of many

Every line is the **dev** cost of one trial: the same network, other hyperparameters. The one that stands
out is the best. ● has finished, ○ was dropped or stopped, ✖ diverged. The dotted line is **guessing**.

The map shows where the good ones are: ★ the best, ● the best quarter, • the better half, · the rest,
✖ diverged, ◌ no cost yet; the more colour, the better the trials around. Boxes are the rounds; the dashed one
is where the next round will look, and `e` edits it.

`enter` makes the trial under the cursor your panda.
"""
