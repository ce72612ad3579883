"""Training: a pure `Run` that steps, and a `Driver` that gives it a thread."""

from pandatui.training.config import ConfigError, PlannedNudge, RunConfig
from pandatui.training.driver import Driver
from pandatui.training.run import Run

__all__ = ["ConfigError", "Driver", "PlannedNudge", "Run", "RunConfig"]
