"""The calendar that the engine asks for the ticks of cron expressions. What DST does to them is its to say (ADR 19)."""

from typing import Literal, Protocol

from msgspec import Struct

UTC_ZONE = "UTC"


class Cron(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="kind", tag="cron"):
    """Five fields of cron, read in an IANA time zone.

    A fixed time that a change of clocks leaves out comes right behind the gap (`run_after`) or not at all (`skip`);
    one that comes twice counts the `first` time, or `both` times. Times with a `*` for minute or hour go by the clock.
    """

    expression: str
    timezone: str = UTC_ZONE
    dst_gap: Literal["run_after", "skip"] = "run_after"
    dst_fold: Literal["first", "both"] = "first"


class Tick(Struct, frozen=True, gc=False, omit_defaults=True):
    """One time that a schedule plans: `at` is the moment, `local` what the clocks of the zone should show then.

    `rule` says which change of clocks moved it or made it ambiguous: gap or fold. It is due `jitter_ms` after `at`.
    """

    at: int
    local: str
    zone: str = UTC_ZONE
    rule: str | None = None
    jitter_ms: int = 0

    @property
    def due(self) -> int:
        """When it is to be fired."""
        return self.at + self.jitter_ms


class Calendar(Protocol):
    """Knows time zones and cron expressions. The same questions have the same answers, as long as zones stay."""

    @property
    def version(self) -> str:
        """Which edition of the time zone database it reads, such as 2026b."""
        ...

    def __hash__(self) -> int:
        """What was found with one calendar is kept apart from what was found with another."""
        ...

    def check(self, cron: Cron) -> None:
        """Raises InvalidInput, with a sentence, for an expression or a zone that there is none of."""
        ...

    def next_after(self, cron: Cron, moment: int) -> Tick | None:
        """The first tick behind a moment, None if none ever comes. Raises InvalidInput as `check` does."""
        ...
