"""What a run journals, waits for and goes on after."""

from msgspec import Raw, Struct

from domain.events.attempts import RunError
from domain.events.base import NOTHING, BlobRef, RunEvent


class Entry(Struct, frozen=True, gc=False, omit_defaults=True):
    """Where something stands in the journal of a run: the `index`-th of what its code asked for (0-based).

    Several of one name are numbered. `after` is the entry that the same branch of the code made before (None: the
    branch begins with this one), `forked` says that the branch began there. `digest` tells the arguments. `heard` are
    the waits (their indexes) of whose end the code heard before this, and behind the entry before it, in that order;
    None where the worker did not say. `left` are the earlier entries (their indexes) that the code dropped in
    between, before it heard of them; `ahead` is how many come before this of which it had not heard when this was made.
    """

    index: int
    name: str
    number: int = 1
    after: int | None = None
    forked: bool = False
    digest: str | None = None
    heard: tuple[int, ...] | None = None
    left: tuple[int, ...] = ()
    ahead: int = 0


class StepSucceeded(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A step's result was journaled: it is never called again."""

    entry: Entry
    result: Raw = NOTHING
    result_blob: BlobRef | None = None


class StepFailed(RunEvent, frozen=True, gc=False):
    """A step failed for good within this attempt."""

    entry: Entry
    error: RunError


class StepTryFailed(RunEvent, frozen=True, gc=False):
    """A try of a step failed. The code waits until then, as it does for a time, and tries the step again."""

    entry: Entry
    error: RunError
    until: int


class ChildrenTriggered(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The code of the run triggered these.

    `cached` are the places (0-based, among `runs`) of those that were there already, by their idempotency keys; None
    where the worker did not say.
    """

    entry: Entry
    runs: tuple[str, ...]
    batch: str | None = None
    cached: tuple[int, ...] | None = None


class WaitStarted(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The code waits for runs, batches or waitpoints (all of them or any), for a time, or at most until then."""

    entry: Entry
    targets: tuple[str, ...] = ()
    is_any: bool = False
    until: int | None = None


class WaitCompleted(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A wait, named by its index, is over: these targets are, or its time has come. `unknown` never were there.

    A failed try of a step is such a wait too.
    """

    wait: int
    done: tuple[str, ...] = ()
    is_timed_out: bool = False
    unknown: tuple[str, ...] = ()


class RunBlocked(RunEvent, frozen=True, gc=False):
    """Nothing goes on in the code but its waits: the slot is free, the process is still there."""


class RunFrozen(RunEvent, frozen=True, gc=False):
    """The process of a waiting run was given up."""


class RunResumed(RunEvent, frozen=True, gc=False):
    """A waiting run has a slot again, and goes on in the process that kept it."""


class AttemptResumed(RunEvent, frozen=True, gc=False):
    """An attempt, which began at `began_at`, goes on in another process, by the journal of the run."""

    number: int
    token: int
    worker: str
    version: str
    began_at: int
