"""The states of aggregates of every kind, by the name of their stream."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from msgspec import Struct

from domain import (
    batch,
    bulk,
    channel,
    connection,
    environment,
    erasure,
    job,
    keys,
    named_event,
    packet,
    queue,
    run,
    schedule,
    secret,
    sink,
    waitpoint,
)
from domain.batch import Batch
from domain.bulk import Bulk, BulkStatus
from domain.channel import CHANNEL, Channel
from domain.connection import Connection
from domain.environment import Environment
from domain.erasure import ERASURE, Erasure, ErasureStatus
from domain.errors import LedgerCorrupt
from domain.events import Recorded, RunEvent, WriterStarted
from domain.job import Job, JobState
from domain.keys import Key
from domain.named_event import EVENT, EventStatus, NamedEvent
from domain.packet import Packet
from domain.queue import QueueState
from domain.run import Run
from domain.schedule import SCHED, Schedule
from domain.secret import Secret
from domain.sink import SINK, Sink
from domain.status import FINAL
from domain.waitpoint import Waitpoint


class Writer(Struct, frozen=True, gc=False):
    """Who may append: the epoch of the last writer that claimed the head."""

    id: str
    version: int
    epoch: int


State: TypeAlias = (
    Run
    | Key
    | Batch
    | Bulk
    | Waitpoint
    | NamedEvent
    | Packet
    | Schedule
    | Environment
    | Connection
    | QueueState
    | Job
    | Secret
    | Channel
    | Erasure
    | Sink
    | Writer
)
WRITER = "writer"


def _evolve_writer(_writer: Writer | None, recorded: Recorded) -> Writer:
    if not isinstance(recorded.event, WriterStarted):
        raise LedgerCorrupt(f"{type(recorded.event).__name__} stands in the stream of the writer.")
    return Writer(recorded.stream, recorded.version, recorded.event.epoch)


_KINDS: dict[str, tuple[type[State], Callable[[Any, Recorded], State]]] = {
    "run": (Run, run.evolve),
    "key": (Key, keys.evolve),
    "batch": (Batch, batch.evolve),
    "bulk": (Bulk, bulk.evolve),
    "waitpoint": (Waitpoint, waitpoint.evolve),
    SCHED: (Schedule, schedule.evolve),
    EVENT: (NamedEvent, named_event.evolve),
    "packet": (Packet, packet.evolve),
    "env": (Environment, environment.evolve),
    "conn": (Connection, connection.evolve),
    "queue": (QueueState, queue.evolve),
    "job": (Job, job.evolve),
    "secret": (Secret, secret.evolve),
    CHANNEL: (Channel, channel.evolve),
    ERASURE: (Erasure, erasure.evolve),
    SINK: (Sink, sink.evolve),
    WRITER: (Writer, _evolve_writer),
}
KINDS: dict[str, type[State]] = {kind: state for kind, (state, _) in _KINDS.items()}


def kind_of(stream: str) -> str:
    """The kind of an aggregate, which its stream's name begins with."""
    return stream.partition("_")[0]


def evolve(state: State | None, recorded: Recorded) -> State:
    """The state of any aggregate after one event."""
    if isinstance(recorded.event, RunEvent):
        assert state is None or isinstance(state, Run)
        return run.evolve(state, recorded)
    known = _KINDS.get(kind_of(recorded.stream))
    if known is None:
        raise LedgerCorrupt(f"There is no kind of aggregate for the stream {recorded.stream}.")
    return known[1](state, recorded)


def fold(history: Iterable[Recorded]) -> State | None:
    """The state that one stream tells of, None if it is empty."""
    state: State | None = None
    for recorded in history:
        state = evolve(state, recorded)
    return state


def is_kept(state: State) -> bool:
    """Whether the engine keeps the state in memory: keys and packets never, what ends until then, all else for ever."""
    if isinstance(state, Run):
        return state.status not in FINAL
    if isinstance(state, Batch):
        return state.ended_at is None
    if isinstance(state, Waitpoint):
        return not state.is_over
    if isinstance(state, NamedEvent):
        return state.status is EventStatus.PENDING
    if isinstance(state, Bulk):
        return state.status is BulkStatus.PENDING
    if isinstance(state, Erasure):
        return state.status is ErasureStatus.PENDING
    if isinstance(state, Schedule):
        return not state.is_deleted
    if isinstance(state, Channel | Sink):
        return not state.is_removed
    if isinstance(state, Job):
        # What waits for its rate when it is deleted must not be let loose on its target.
        return state.state is not JobState.DELETED or state.spec.rate_limit is not None
    return isinstance(state, Environment | Connection | QueueState | Secret | Writer)
