"""The slots that are taken: the runs whose attempt is open, by what a limit counts."""

from typing import NamedTuple

from domain.run import Run
from domain.status import Status


class Slots(NamedTuple):
    """What a concurrency limit counts: the open attempts of a queue, apart for each concurrency key."""

    environment: str
    queue: str
    concurrency_key: str | None


class TakenSlots:
    """Sets of runs, so that a slot can neither be given back twice nor be forgotten."""

    def __init__(self) -> None:
        self._taken: dict[Slots, set[str]] = {}
        self._open: dict[str, set[str]] = {}

    def take(self, run: Run) -> None:
        """An attempt of this run is open."""
        self._taken.setdefault(slots_of(run), set()).add(run.id)
        self._open.setdefault(run.environment, set()).add(run.id)

    def give_back(self, run: Run) -> None:
        """The attempt is over."""
        slots = slots_of(run)
        taken, opened = self._taken[slots], self._open[run.environment]
        taken.discard(run.id)
        opened.discard(run.id)
        if not taken:
            del self._taken[slots]
        if not opened:
            del self._open[run.environment]

    def count(self, slots: Slots) -> int:
        """How many attempts of a concurrency key of a queue are open."""
        return len(self._taken.get(slots, ()))

    def holders(self, slots: Slots) -> list[str]:
        """The runs whose attempts these are, the oldest first."""
        return sorted(self._taken.get(slots, ()))

    def count_in_all(self, environment: str) -> int:
        """How many attempts of the environment are open."""
        return len(self._open.get(environment, ()))

    def by_queue(self, environment: str) -> dict[str, int]:
        """How many attempts of each queue are open, all concurrency keys together."""
        queues: dict[str, int] = {}
        for slots, runs in self._taken.items():
            if slots.environment == environment:
                queues[slots.queue] = queues.get(slots.queue, 0) + len(runs)
        return queues


def takes_slot(run: Run) -> bool:
    """Whether its attempt is open and does not wait."""
    return run.token is not None and run.status is not Status.WAITING


def slots_of(run: Run) -> Slots:
    """The slots among which an attempt of this run takes one."""
    # This is asked twice of every run, and a call by the fields takes three times as long.
    return tuple.__new__(Slots, (run.environment, run.queue, run.concurrency_key))  # pyright: ignore[reportUnknownMemberType]  # of any tuple
