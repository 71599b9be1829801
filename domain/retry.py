"""When a failed attempt is tried again."""

from msgspec import Struct


class OutOfMemory(Struct, frozen=True, gc=False):
    """What to do when an attempt runs out of memory: go on with this machine."""

    machine: str


class Retry(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A retry policy. `max_attempts` counts all failed attempts, the first included."""

    max_attempts: int = 3
    min_timeout_in_ms: int = 1_000
    max_timeout_in_ms: int = 60_000
    factor: float = 2.0
    randomize: bool = True
    out_of_memory: OutOfMemory | None = None

    def delay_after(self, failures: int, chance: float) -> int:
        """Milliseconds to wait after the `failures`-th failed attempt (1-based); `chance` is uniform in [0, 1).

        The formula is Trigger.dev's: round(min(max, r * min * factor ** (n - 1))), r uniform in [1, 2) if randomised.
        """
        if self.min_timeout_in_ms == 0:
            return 0
        r = 1.0 + chance if self.randomize else 1.0
        try:
            wait = r * self.min_timeout_in_ms * self.factor ** (failures - 1)
        except OverflowError:
            return self.max_timeout_in_ms
        return round(min(float(self.max_timeout_in_ms), wait))


ONCE = Retry(max_attempts=1)
"""The policy of a task that asks for no retry."""
