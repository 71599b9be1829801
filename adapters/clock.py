"""The clocks of the machine."""

import time

from domain.engine import Now


class SystemClock:
    """The wall clock and the monotonic clock of this machine."""

    def now(self) -> Now:
        """Both, in whole milliseconds."""
        return Now(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)
