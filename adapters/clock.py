"""The clocks of the machine."""

import time

from domain.engine import Now


class SystemClock:
    """The wall clock and the monotonic clock of this machine."""

    def now(self) -> Now:
        """Both, in whole milliseconds."""
        return Now(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)


class MovableClock:
    """The clocks of this machine, of which the wall clock can be put forward, and goes on from there.

    The monotonic clock is left alone: no worker is late and no attempt has executed for longer because dates moved.
    """

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._ahead = 0

    def now(self) -> Now:
        """Both, in whole milliseconds."""
        wall, mono = self._clock.now()
        return Now(wall + self._ahead, mono)

    def move_to(self, wall: int) -> None:
        """Make it that time, unless it is later already."""
        self._ahead += max(0, wall - self.now().wall)
