"""What was measured: figures with all their values, their aims, and the floors that they are held against."""

from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct


class BenchError(Exception):
    """A measurement could not be made; the message says why."""


class TimeIsUp(BenchError):
    """A scenario took too long as a whole."""


class Aim(Struct, frozen=True):
    """What the project set out to reach: at least the value, or at most."""

    value: float
    is_least: bool = False

    def is_reached(self, value: float) -> bool:
        """Whether the value is on the right side."""
        return value >= self.value if self.is_least else value <= self.value

    def __str__(self) -> str:
        return f"{'at least' if self.is_least else 'under'} {spoken(self.value)}"


def at_least(value: float) -> Aim:
    """More is better."""
    return Aim(value, is_least=True)


def under(value: float) -> Aim:
    """Less is better."""
    return Aim(value)


class Figure(Struct, frozen=True):
    """One thing that was measured, once for each repetition."""

    name: str
    unit: str
    values: tuple[float, ...]
    aim: Aim | None = None
    floors: tuple[str, ...] = ()
    """The names of figures of the same run that say what the machine gives at best."""

    @property
    def median(self) -> float:
        """What the tables show."""
        return median(self.values)

    @property
    def spread(self) -> str:
        """The smallest and the largest value, nothing if there is only one."""
        if len(self.values) == 1:
            return ""
        return f"{spoken(min(self.values))} to {spoken(max(self.values))}"


class Chapter(Struct, frozen=True):
    """What one scenario found. `text` is shown as it is, below the figures."""

    title: str
    about: str
    figures: list[Figure]
    text: str = ""


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies; one that was measured, none in between."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def quantiles(
    name: str,
    unit: str,
    rounds: Iterable[Sequence[float]],
    *,
    p50: Aim | None = None,
    p99: Aim | None = None,
    floors: tuple[str, ...] = (),
) -> list[Figure]:
    """The p50 and the p99 of each round, with their aims; the floors are those of the p50."""
    kept = list(rounds)
    return [
        Figure(f"{name}, p50", unit, tuple(quantile(values, 0.50) for values in kept), p50, floors),
        Figure(f"{name}, p99", unit, tuple(quantile(values, 0.99) for values in kept), p99),
    ]


def spoken(value: float) -> str:
    """Three digits that count, thousands apart."""
    if value == 0:
        return "0"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{3 if abs(value) < 1 else digits}f}"
