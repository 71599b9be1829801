"""Rows of the projections as columns, and back."""

from collections.abc import Iterable

from msgspec import Raw, Struct, json

from domain.events import API, NOTHING, JobRef, RunError
from domain.states import KINDS, State, kind_of
from domain.status import Status
from projections.attempts import AttemptRow, Outcome
from projections.fold import StateRow
from projections.ports import Columns
from projections.run_row import RunRow
from projections.run_state import state_of


class _RunDetail(Struct, omit_defaults=True, gc=False):
    """What has no column of its own, in the words of RunRow; `after` are milliseconds since it was created."""

    events: int
    position: int
    updated_after: int
    born: int
    queued_after: int | None = 0
    started_after: int | None = None
    delayed_until: int | None = None
    expired_at: int | None = None
    ttl_ms: int | None = None
    tags: tuple[str, ...] = ()
    worker: str | None = None
    attempts: int = 0
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    priority: int = 0
    concurrency_key: str | None = None
    idempotency_key: str | None = None
    replay_of: str | None = None
    metadata: Raw = NOTHING
    error: RunError | None = None
    payload_size: int = 0
    duration_ms: int = 0
    executing_since: int | None = None
    source: str = API
    lock: str | None = None
    parent: str | None = None
    root: str | None = None
    depth: int = 0
    replays: tuple[str, ...] = ()
    job: JobRef | None = None
    ended: int | None = None
    is_erased: bool = False
    tells_state: bool = False
    """The last member: a rebuild counts the rows whose text ends with it."""


class _AttemptDetail(Struct, omit_defaults=True, gc=False):
    """What has no column of its own, in the words of AttemptRow."""

    token: int
    worker: str
    version: str
    started_at: int
    position: int
    outcome: Outcome
    finished_at: int | None = None
    error: RunError | None = None


_encode = json.Encoder().encode
_decode_run = json.Decoder(_RunDetail).decode
_decode_attempt = json.Decoder(_AttemptDetail).decode
_STATE_DECODERS: dict[str, json.Decoder[State]] = {kind: json.Decoder(state) for kind, state in KINDS.items()}


def of_run(row: RunRow) -> Columns:
    """The columns of run_rows, in the order of the table."""
    detail = _RunDetail(
        row.events,
        row.position,
        row.updated_at - row.created_at,
        row.born,
        None if row.queued_at is None else row.queued_at - row.created_at,
        None if row.started_at is None else row.started_at - row.created_at,
        row.delayed_until,
        row.expired_at,
        row.ttl_ms,
        row.tags,
        row.worker,
        row.attempts,
        row.max_attempts,
        row.max_duration_ms,
        row.priority,
        row.concurrency_key,
        row.idempotency_key,
        row.replay_of,
        NOTHING if row.metadata is None else row.metadata,
        row.error,
        row.payload_size,
        row.duration_ms,
        row.executing_since,
        row.source,
        row.lock,
        row.parent,
        row.root,
        row.depth,
        row.replays,
        row.job,
        row.ended,
        row.is_erased,
        row.tells_state,
    )
    return (
        row.id,
        row.environment,
        row.task,
        row.queue,
        row.status.value,
        row.version,
        row.batch,
        row.schedule,
        row.machine,
        row.is_test,
        row.created_at,
        row.finished_at,
        _encode(detail).decode(),
    )


def to_run(columns: Columns) -> RunRow:
    """The row of these columns. Raises ValueError (msgspec's errors are such) when they are none."""
    run, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at, text = (
        columns
    )
    detail = _decode_run(text)
    # By their places, as in `begin`.
    return RunRow(
        run,
        environment,
        task,
        queue,
        Status(status),
        detail.events,
        detail.position,
        created_at,
        created_at + detail.updated_after,
        None if detail.queued_after is None else created_at + detail.queued_after,
        None if detail.started_after is None else created_at + detail.started_after,
        finished_at,
        detail.delayed_until,
        detail.expired_at,
        detail.ttl_ms,
        detail.tags,
        version,
        detail.worker,
        detail.attempts,
        detail.max_attempts,
        detail.max_duration_ms,
        detail.priority,
        detail.concurrency_key,
        bool(is_test),
        batch,
        schedule,
        detail.idempotency_key,
        detail.replay_of,
        None if detail.metadata == NOTHING else detail.metadata,
        detail.error,
        detail.payload_size,
        detail.duration_ms,
        detail.executing_since,
        detail.source,
        detail.lock,
        machine,
        detail.parent,
        detail.root,
        detail.depth,
        detail.replays,
        detail.job,
        detail.born,
        detail.ended,
        detail.is_erased,
        detail.tells_state,
    )


def of_attempt(row: AttemptRow) -> Columns:
    """Run, number, detail."""
    detail = _AttemptDetail(
        row.token,
        row.worker,
        row.version,
        row.started_at,
        row.position,
        row.outcome,
        row.finished_at,
        row.error,
    )
    return row.run, row.number, _encode(detail).decode()


def to_attempt(columns: Columns) -> AttemptRow:
    """The row of these columns. Raises ValueError when they are none."""
    run, number, text = columns
    detail = _decode_attempt(text)
    return AttemptRow(
        run=run,
        number=number,
        token=detail.token,
        worker=detail.worker,
        version=detail.version,
        started_at=detail.started_at,
        position=detail.position,
        finished_at=detail.finished_at,
        outcome=detail.outcome,
        error=detail.error,
    )


def of_state(row: StateRow) -> Columns:
    """Stream, position, detail."""
    return row.stream, row.position, _encode(row.state).decode()


def states_of(kept: Iterable[Columns], waiting: Iterable[Columns]) -> list[State]:
    """All states of the checkpoint: those that are kept (stream, detail), and what rows of waiting runs tell."""
    # One by one: all rows of a million waiting runs would take more memory than their states.
    states = [to_state(stream, detail) for stream, detail in kept]
    states += (state_of(row) for row in map(to_run, waiting) if row.tells_state)
    states.sort(key=lambda state: state.id)
    return states


def to_state(stream: str, detail: str) -> State:
    """The state of a detail. Raises ValueError when it is none."""
    return _STATE_DECODERS[kind_of(stream)].decode(detail)
