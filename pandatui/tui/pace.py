"""The paces that `<` and `>` go through: epochs a second, each twice the one before, then no limit at all."""

SLOWEST, FASTEST = 1 / 64, 64  # epochs a second


def next_pace(pace: float | None, measured: float, faster: bool) -> float | None:
    """The pace after one press; None is as fast as it goes, and from there it is half of the `measured`."""
    if pace is not None:
        after = pace * (2.0 if faster else 0.5)
        return None if after > FASTEST else max(SLOWEST, after)
    if faster:
        return None
    below = 2.0 ** (int(max(measured, 1)).bit_length() - 2)
    return min(float(FASTEST), max(1.0, below))
