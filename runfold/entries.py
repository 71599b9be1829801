"""What stands in the journal of a run, and what its code asks for."""

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from runfold.run import RunError

if TYPE_CHECKING:
    from runfold.branches import Branch

TRIED = "tried"
"""The kind of a failed try of a step that is tried again."""
WAITS = frozenset({"waiting", TRIED})
"""The kinds of entries of which the code hears the end, and not that they are there."""
CANCELED = "StepCanceled"
"""The name of the error of a step that the code canceled."""


class Outcome(msgspec.Struct, frozen=True, rename="camel"):
    """How a wait ended."""

    done: tuple[str, ...] = ()
    timed_out: bool = False
    unknown: tuple[str, ...] = ()
    results: dict[str, msgspec.Raw] = {}
    """How those that are done came out, as far as the engine told it along: as it answers when it is asked."""
    behind: int = 0
    """How many entries the journal had by then."""
    order: int = 0
    """The number of this end among those of the run."""


class Entry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One entry. `kind` is succeeded, failed or tried (of a step), triggered or waiting; `attempt` made it."""

    index: int
    name: str
    kind: str
    attempt: int
    number: int = 1
    after: int | None = None
    forked: bool = False
    digest: str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: RunError | None = None
    runs: tuple[str, ...] = ()
    batch: str | None = None
    cached: tuple[int, ...] | None = None
    """The places of the runs that were there already when this was made; None where nobody said."""
    completed: Outcome | None = None
    heard: tuple[int, ...] | None = None
    """The waits of whose end the code heard before this, and behind the entry before it; None where nobody said."""
    left: tuple[int, ...] = ()
    """What the code left before it heard of it, before this and behind the entry before it; before it `heard`."""
    ahead: int = 0
    """So many come before this of which the code had not heard when this was made."""

    @property
    def told_runs(self) -> list[tuple[str, bool]]:
        """What was triggered, and whether that was said to be there already: all, where nobody said."""
        cached = range(len(self.runs)) if self.cached is None else frozenset(self.cached)
        return [(run, place in cached) for place, run in enumerate(self.runs)]

    @property
    def is_canceled(self) -> bool:
        """Whether the code canceled this step before it was done: then it heard of no end."""
        return self.kind == "failed" and self.error is not None and self.error.name == CANCELED


class Call(msgspec.Struct, frozen=True):
    """Something that the code asks for, and the entry that it has in the journal already."""

    name: str
    number: int
    after: int | None
    forked: bool
    digest: str | None
    branch: "Branch"
    known: Entry | None
    executor: object
    """Who asks for it."""
    is_loose: bool = False
    """It was asked for in a thread of which is not known where in the code it began."""
    tries: tuple[Entry, ...] = ()
    """Of a step: those of its tries in this attempt that failed and were followed by another, or will be."""

    def place(self, index: int) -> dict[str, Any]:
        """Where it stands in the code, as the worker protocol has it."""
        place: dict[str, Any] = {"index": index, "name": self.name, "digest": self.digest}
        if self.number != 1:
            place["number"] = self.number
        if self.after is not None:
            place["after"] = self.after
        if self.forked:
            place["forked"] = True
        return place

    @property
    def key(self) -> str:
        """Its idempotency key, the same however often it is tried."""
        if self.forked:
            return self.branch.key
        return hashlib.sha256(f"{self.branch.key}\0{self.name}\0{self.number}".encode()).hexdigest()


def named(at: Entry | Call) -> str:
    """For people."""
    return f'"{at.name}"' if at.number == 1 else f'"{at.name}" number {at.number}'
