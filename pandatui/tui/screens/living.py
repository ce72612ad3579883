"""A screen of something that goes on: it looks again and again, but not while another screen hides it."""

from textual.timer import Timer

from pandatui.tui.leaving import Leaving


class LivingScreen(Leaving[None], inherit_bindings=False):
    """Its children say how to look, and begin with `live_on`."""

    _timer: Timer | None = None

    def live_on(self, seconds: float) -> None:
        """Tick from now on, so many seconds apart."""
        self._timer = self.set_interval(seconds, self.tick)
        self.call_after_refresh(self.look_again)

    @property
    def shown(self) -> bool:
        """Whether there is a reason to look."""
        return self.is_active and self._timer is not None

    def tick(self) -> None:
        """It is time; look again, unless there is a reason not to."""
        raise NotImplementedError

    def look_again(self) -> None:
        """Show what is now."""
        raise NotImplementedError

    def on_screen_suspend(self) -> None:
        if self._timer is not None:
            self._timer.pause()

    def on_screen_resume(self) -> None:
        if self._timer is not None:
            self._timer.resume()
            self.call_after_refresh(self.look_again)

    def on_resize(self) -> None:
        self.call_after_refresh(self.look_again)
