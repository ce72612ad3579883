"""Learning-rate decay as a pure function of the epoch."""


def rate_in_use(base_rate: float, decay: float, epoch: int) -> float:
    """α = α₀ / (1 + decay · e), e = whole epochs completed since the run began.

    So the rate never jumps by itself, and less decay always means a slower fall.
    """
    return base_rate / (1 + decay * epoch)


def base_for(rate: float, decay: float, epoch: int) -> float:
    """The α₀ with which `rate` is in use at `epoch`: what a nudge of α, or of decay, sets."""
    return rate * (1 + decay * epoch)


def halving_epochs(decay: float) -> float:
    """Epochs from the start until decay has halved the rate: 1/decay; infinite without decay."""
    return 1 / decay if decay else float("inf")
