"""The keys of the watch screen, each with an id, a label, a tooltip and a group."""

from collections.abc import Collection

from textual.binding import Binding

KNOBS = Binding.Group("knobs")
CURVE = Binding.Group("curve")
PACE = Binding.Group("training")
COMPANY = Binding.Group("beside the run")
VIEWS = Binding.Group("views")
APP = Binding.Group("session")


def _key(
    key: str, action: str, label: str, tooltip: str, group: Binding.Group, id: str, display: str | None = None
) -> Binding:
    return Binding(
        key, action, label, tooltip=tooltip, group=group, id=f"watch.{id}", show=False, key_display=display
    )


WATCH_KEYS = [
    _key("a", "nudge('learning_rate', -1)", "lower the learning rate", "One notch down", KNOBS, "rate-down"),
    _key("A", "nudge('learning_rate', 1)", "raise the learning rate", "One notch up", KNOBS, "rate-up"),
    _key(
        "b", "nudge('momentum', -1)", "lower momentum", "β averages over fewer steps", KNOBS, "momentum-down"
    ),
    _key("B", "nudge('momentum', 1)", "raise momentum", "β averages over more steps", KNOBS, "momentum-up"),
    _key("d", "nudge('decay', -1)", "lower decay", "The rate falls more slowly", KNOBS, "decay-down"),
    _key("D", "nudge('decay', 1)", "raise decay", "The rate falls faster", KNOBS, "decay-up"),
    _key("x", "coarse", "fine or coarse notch", "A coarse notch is five fine ones", KNOBS, "coarse"),
    _key("up", "pick(-1)", "pick the knob above", "For the keys - and +", KNOBS, "pick-up"),
    _key("down", "pick(1)", "pick the knob below", "For the keys - and +", KNOBS, "pick-down"),
    _key("minus", "nudge_picked(-1)", "lower the picked knob", "One notch down", KNOBS, "picked-down", "-"),
    _key(
        "plus,equals_sign",
        "nudge_picked(1)",
        "raise the picked knob",
        "One notch up",
        KNOBS,
        "picked-up",
        "+",
    ),
    _key("u", "undo", "undo the last nudge", "Back to the instant before it, everything", KNOBS, "undo"),
    _key("U", "redo", "take the undo back", "Until the next nudge; the same bits again", KNOBS, "redo"),
    _key(
        "h", "rescue", "rescue", "Diverged: the last good state with half the learning rate", KNOBS, "rescue"
    ),
    _key("f", "branch", "branch", "A session of its own, from the cursor or from now", KNOBS, "branch"),
    _key("g", "ghost", "ghost", "The run without the last nudge, without any, none", COMPANY, "ghost"),
    _key("k", "keep_ghost", "keep the ghost", "Saved as a session of its own", COMPANY, "keep-ghost"),
    _key("t", "twins", "twins", "Five other seeds: is that bump real? Again ends them", COMPANY, "twins"),
    _key(
        "enter",
        "enter",
        "type a value, or go back",
        "A value for the picked knob; at the cursor: back to there",
        KNOBS,
        "type",
    ),
    _key("space", "pause", "pause or go on", "After the last epoch: go on for as many again", PACE, "pause"),
    _key("full_stop", "one_step", "one step", "While paused", PACE, "one-step", "."),
    _key("r", "run_steps", "run N steps", "Then pause", PACE, "run-steps"),
    _key(
        "less_than_sign",
        "pace(-1)",
        "slower",
        "Half the epochs a second; never changes a bit",
        PACE,
        "slower",
        "<",
    ),
    _key("greater_than_sign", "pace(1)", "faster", "Twice the epochs a second", PACE, "faster", ">"),
    _key("left", "cursor(-1)", "cursor left", "Read the curve further back", CURVE, "left"),
    _key("right", "cursor(1)", "cursor right", "Read the curve further on", CURVE, "right"),
    _key(
        "shift+left", "cursor_nudge(-1)", "to the nudge before", "Jump along the nudges", CURVE, "nudge-left"
    ),
    _key(
        "shift+right", "cursor_nudge(1)", "to the next nudge", "Jump along the nudges", CURVE, "nudge-right"
    ),
    _key("home", "cursor_to('start')", "to the start", "The cursor on step 1", CURVE, "home"),
    _key("end", "cursor_to('end')", "to the end", "The cursor on the last step", CURVE, "end"),
    _key("l", "log_axis", "log or linear axis", "Of the cost", CURVE, "log"),
    _key("s", "smooth", "smoothing", "More, none, some", CURVE, "smooth"),
    _key("z", "zoom(True)", "zoom in", "Around the cursor, or now; the mouse wheel too", CURVE, "zoom-in"),
    _key("Z", "zoom(False)", "zoom out", "Until the whole run is shown", CURVE, "zoom-out"),
    _key("y", "copy", "copy the reading", "To the terminal's clipboard", CURVE, "copy"),
    _key("1", "view(1)", "view 1: the curve", "Cost over training", VIEWS, "view-curve"),
    _key("2", "view(2)", "view 2: layers", "Inputs, test mode, gradients, updates", VIEWS, "view-layers"),
    _key("3", "view(3)", "view 3: batch norm", "A layer's inputs over training", VIEWS, "view-inputs"),
    _key("4", "view(4)", "view 4: predictions", "Regions, confusion, mistakes", VIEWS, "view-predictions"),
    _key("5", "compare", "view: compare", "Other sessions, branches, what was undone", VIEWS, "view-compare"),
    _key("tab", "turn(1)", "next layer or picture", "In views 3 and 4", VIEWS, "turn"),
    _key("o", "counterpart", "the other: batch norm off", "The same run beside it", VIEWS, "counterpart"),
    _key("c", "queue_batch", "queue a batch", "A race around these settings, now or later", APP, "batch"),
    _key("C", "app.race", "the race", "Every trial at once; this session goes on", APP, "race"),
    _key("n", "note", "note", "A line of your own on the record", APP, "note"),
    _key("ctrl+n", "app.new_run", "new run", "Stops and saves this one", APP, "new"),
    _key("ctrl+o", "app.sessions", "sessions", "Look at recorded ones; this one goes on", APP, "sessions"),
    _key("ctrl+s", "save", "save now", "It is also saved every ten seconds", APP, "save"),
    _key("question_mark", "help", "help", "All keys, in a panel", APP, "help", "?"),
    _key("escape", "close", "close", "The cursor, the lesson's line; never quits", APP, "close"),
    _key("q", "app.quit", "quit", "Saves, and says where", APP, "quit"),
]


def shared_keys(names: Collection[str]) -> list[Binding]:
    """Those of the keys, by their ids without "watch.", that another screen has too."""
    return [each for each in WATCH_KEYS if (each.id or "").removeprefix("watch.") in names]


WATCH_HELP = """
# Watching a model learn

The blue line is the **train** cost, its shade the spread of single mini-batches; ● is the **dev** cost after
each epoch. The dotted line is what **guessing** would cost. Lower is better.

Lower case lowers, upper case raises: `a` `A` the learning rate, `b` `B` momentum, `d` `D` decay.
Each press is in use from the very next mini-batch and is marked on the curve.

Nothing is final: `u` goes back to the instant before the last nudge, `U` takes that back. Walk the cursor
along the curve and press `enter` to go back to any step.

What was a nudge worth? `g` trains the run without the last one beside yours, again without any, and says so
in the log. `t` trains five other seeds: what lies within their shade is chance.
`5` compares this run with others.

Inside the network: `2` its layers, `3` how a layer's inputs are spread over training (`tab` the next layer,
`o` the same run without batch norm below), `4` what it predicts. `1` is the curve again.

`c` races many trials around these settings while this one goes on; `C` shows them.
"""
