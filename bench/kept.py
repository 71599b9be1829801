"""What each scenario found when it was measured last: one of them can be measured anew, and the others stand."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct, json

from bench.figures import Chapter, Figure

KEPT = Path(__file__).with_name("measured.json")


class Taken(Struct, frozen=True):
    """A scenario's chapter, when its run began (UTC, to the minute: one run's chapters have the same), and on what."""

    scenario: str
    at: str
    machine: dict[str, str]
    chapter: Chapter

    @property
    def when(self) -> str:
        """For people: the load says how far the figures may be trusted."""
        return f"Measured on {self.at} (UTC), load at the start {self.machine['load at the start']}."


def read() -> dict[str, Taken]:
    """All that is kept, by scenario."""
    if not KEPT.exists():
        return {}
    return {each.scenario: each for each in json.decode(KEPT.read_bytes(), type=list[Taken])}


def keep(found: Iterable[Taken], order: Iterable[str]) -> list[Taken]:
    """Let these stand in place of older ones; all that is kept then, in this order of the scenarios."""
    kept = read() | {each.scenario: each for each in found}
    stand = [kept[name] for name in order if name in kept]
    KEPT.write_bytes(json.format(json.encode(stand), indent=1) + b"\n")
    return stand


def floors_of(taken: Taken, all_taken: Iterable[Taken]) -> Mapping[str, Figure]:
    """Every figure of the same run, by name: what another run found on another day is no floor."""
    return {figure.name: figure for each in all_taken if each.at == taken.at for figure in each.chapter.figures}
