"""A run is queued, handed out and attempted."""

from msgspec import Raw, Struct

from domain.events.base import JSON_TYPE, NOTHING, BlobRef, RunEvent


class RunError(Struct, frozen=True, gc=False, omit_defaults=True):
    """What went wrong in an attempt, as its worker or the engine tells it; `code` names causes known to the engine."""

    message: str
    name: str = "Error"
    stack_trace: str | None = None
    code: str | None = None
    exit_code: int | None = None
    """With which the process of the attempt ended by itself."""
    signal: str | None = None
    """The name of the signal that ended it."""


WORKER_LOST = "WORKER_LOST"

PROCESS_DIED = "PROCESS_DIED"

OUT_OF_MEMORY = "OUT_OF_MEMORY"


class RunEnqueued(RunEvent, frozen=True, gc=False):
    """The run is in its queue (again): `reason` says what it waited for or who gave it back.

    version, auth, connections, delay, backoff, released, lost, crashed or resumed.
    """

    reason: str


class RunDequeued(RunEvent, frozen=True, gc=False):
    """The run was handed to a worker. `token` fences the attempt: only reports that name it count."""

    token: int
    worker: str
    version: str


class AttemptStarted(RunEvent, frozen=True, gc=False):
    """The worker began to execute."""

    number: int
    token: int
    worker: str
    version: str


class AttemptSucceeded(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The task returned."""

    number: int
    token: int
    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    output_type: str = JSON_TYPE


class AttemptFailed(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The attempt ended without a result. What follows is the retry process manager's to say.

    `output` is what it found all the same. `retry_in_ms` is after how long it asks for another attempt.
    """

    number: int
    token: int
    error: RunError
    retryable: bool = True
    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    retry_in_ms: int | None = None


class RetryScheduled(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """Another attempt may start at `at`, on another machine if one is named."""

    at: int
    machine: str | None = None


class LateResultRefused(RunEvent, frozen=True, gc=False):
    """A report named an attempt that was no longer open. Recorded once for each token."""

    token: int
    kind: str
    worker: str
