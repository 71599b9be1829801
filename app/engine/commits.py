"""What the commits of one engine were like, counted as they happen: a few additions each, whoever asks or not."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import inf

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


class Distribution:
    """How many values were at most as large as each of some bounds, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.sum: float = 0
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound with the number of values up to it, infinity last."""
        return zip((*self._bounds, inf), accumulate(self._counts), strict=True)


class Commits:
    """The commits of one engine loop. Nothing of it survives the loop: those who add up must bear a fresh start."""

    def __init__(self) -> None:
        self.seconds = Distribution(SECONDS)
        self.events = Distribution(EVENTS)
