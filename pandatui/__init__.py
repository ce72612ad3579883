"""pandatui: watch one neural network learn in a terminal, and nudge it while it does."""

__version__ = "0.1.0"
