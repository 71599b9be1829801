"""A run as the engine tells of it."""

from datetime import datetime
from typing import Any, Generic, cast

import msgspec

from runfold.answers import read
from runfold.codec import Types
from runfold.errors import RunFailedError
from runfold.event import EventInfo
from runfold.typevars import PayloadT, ResultT


class RunError(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Why an attempt or a run failed."""

    message: str = ""
    name: str | None = None
    stack_trace: str | None = None


class Attempt(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    id: str
    number: int
    status: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    worker: str | None = None
    version: str | None = None
    error: RunError | None = None


class TakenOver(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a replay has from the run that it replays: so many entries of its journal, some with other results."""

    run_id: str
    entries: int
    edited: tuple[int, ...] = ()
    """Their indexes."""


class Run(msgspec.Struct, Generic[PayloadT, ResultT], frozen=True, rename="camel", kw_only=True):
    """A run at one moment. Lists leave out `payload` and `output`."""

    id: str
    task: str = msgspec.field(name="taskIdentifier")
    status: str
    """Queued: PENDING, PENDING_VERSION, WAITING_ON_CONNECTIONS, DELAYED, QUEUED, DEQUEUED. Under way: EXECUTING,
    REATTEMPTING, WAITING, FROZEN. Final: COMPLETED, CANCELED, FAILED, TIMED_OUT, CRASHED, INTERRUPTED, SYSTEM_FAILURE,
    EXPIRED, INVALID_PAYLOAD, UNRESOLVED_AUTH."""
    is_queued: bool
    is_executing: bool
    is_waiting: bool
    is_completed: bool
    """The status is final, whichever it is."""
    is_success: bool
    is_failed: bool
    is_cancelled: bool
    is_test: bool
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    delayed_until: datetime | None = None
    expired_at: datetime | None = None
    tags: tuple[str, ...] = ()
    payload: PayloadT | None = None
    output: ResultT | None = None
    error: RunError | None = None
    attempts: tuple[Attempt, ...] = ()
    attempt_count: int = 0
    duration_ms: int = 0
    """How long its attempts executed, all together; not counting the one that executes now."""
    queue: str | None = None
    version: str | None = None
    ttl: str | None = None
    batch_id: str | None = None
    idempotency_key: str | None = None
    metadata: dict[str, Any] | None = None
    is_erased: bool = False
    """Whether what it was given and came to is gone."""
    replay_of: str | None = None
    taken_over: TakenOver | None = None
    source: str | None = None
    """What made it: `api`, `manual`, `schedule`, `webhook`, `event` or `replay`."""
    event: EventInfo | None = None
    """The named event that started it; lists leave it out."""


class JournalEntry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the code of a run asked for, and what came of it: the `index`-th of all that it did."""

    index: int
    name: str
    number: int = 1
    """The so-many-th of that name."""
    kind: str
    """step, try (of a step, which failed and is followed by another), children or wait."""
    status: str
    """Of a step: COMPLETED or FAILED. Of a try: FAILED. Of children: TRIGGERED.

    Of a wait: WAITING, COMPLETED, TIMED_OUT or CLEARED.
    """
    attempt: int
    """The attempt that did it; later ones go on behind it."""
    at: datetime
    after: int | None = None
    """The entry that the same branch of the code made before."""
    forked: bool = False
    """The branch began there."""
    result: Any = None
    error: RunError | None = None
    runs: tuple[str, ...] = ()
    """What was triggered, with `batch`."""
    batch: str | None = None
    targets: tuple[str, ...] = ()
    """The runs, batches and tokens that are waited for: all, or `any` of them, at most `until` then."""
    any: bool = False
    until: datetime | None = None
    """Of a try: until when the run waits for the next one."""
    ended_at: datetime | None = None
    done: tuple[str, ...] = ()
    """Those of the targets that were over when the wait ended."""
    unknown: tuple[str, ...] = ()
    """Those that there never were."""


class RunResult(msgspec.Struct, Generic[ResultT], frozen=True, kw_only=True):
    """How a run ended: with an output if it is `ok`, with an error otherwise."""

    id: str
    ok: bool
    output: ResultT | None = None
    error: RunError | None = None

    def unwrap(self) -> ResultT:
        """The output; raises RunFailedError when the run did not complete."""
        if not self.ok:
            raise RunFailedError(self.id, self.error)
        return cast("ResultT", self.output)


class _RunContent(msgspec.Struct):
    """Payload and output as the JSON they came in."""

    payload: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run is where it is, and what it waits for."""

    reason: str
    sentence: str
    data: dict[str, Any] = {}


def read_run(content: bytes, types: Types[PayloadT, ResultT]) -> Run[PayloadT, ResultT]:
    """The run with payload and output of the task's types; raises InvalidPayloadError or InvalidResultError."""
    run: Run[Any, Any] = read(content, Run[Any, Any])
    raw = read(content, _RunContent)
    return msgspec.structs.replace(
        run,
        payload=types.payload(raw.payload) if raw.payload else None,
        output=types.result(raw.output) if raw.output else None,
    )


class _WireError(msgspec.Struct, rename="camel"):
    """Each of the API's four kinds of error has some of these."""

    type: str = ""
    name: str | None = None
    code: str | None = None
    message: str | None = None
    raw: str | None = None
    stack_trace: str | None = None


class _WireResult(msgspec.Struct, rename="camel"):
    id: str
    ok: bool
    output: str | None = None
    output_type: str = "application/json"
    error: _WireError | None = None


def read_result(content: bytes, types: Types[Any, ResultT]) -> RunResult[ResultT]:
    """The result, whose output travels as JSON text inside the JSON."""
    wire = read(content, _WireResult)
    return RunResult(id=wire.id, ok=wire.ok, output=_output(wire, types), error=_error(wire.error))


def _output(wire: _WireResult, types: Types[Any, ResultT]) -> ResultT | None:
    if wire.output is None:
        return None
    is_text = wire.output_type.startswith("text/plain")
    return types.result(msgspec.json.encode(wire.output) if is_text else wire.output.encode())


def _error(wire: _WireError | None) -> RunError | None:
    if wire is None:
        return None
    return RunError(message=wire.message or wire.raw or "", name=wire.name or wire.code, stack_trace=wire.stack_trace)
