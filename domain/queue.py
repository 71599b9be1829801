"""What somebody said of a queue: that it pauses, or another limit; and when its runs started, if that has a limit.

A queue of which nobody said anything has no stream: it is what the tasks and the runs say.
"""

import hashlib
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import InvalidInput, LedgerCorrupt
from domain.events import Event, RateLimit, Recorded

BUCKETS = 60
"""How many moments are told apart within the period of a rate limit."""
LIMIT_MAX = 100_000

Starts = tuple[tuple[int, int], ...]
"""How many runs started at which moment, in order. What is counted together counts as of the last of its moments."""


class QueueState(Struct, frozen=True, omit_defaults=True):
    """`override` counts in place of the limit that the tasks give the queue."""

    id: str
    environment: str
    name: str
    version: int
    is_paused: bool = False
    override: int | None = None
    overridden_at: int | None = None
    overridden_by: str | None = None
    starts: Starts = ()


def stream_of(environment: str, name: str) -> str:
    """The stream of a queue, which is its id, too."""
    text = f"{environment}\0{name}"
    return "queue_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def evolve(state: QueueState | None, recorded: Recorded) -> QueueState:
    """The queue after one event."""
    match recorded.event:
        case e.QueuePaused(queue=name):
            changes: dict[str, Any] = {"is_paused": True}
        case e.QueueResumed(queue=name):
            changes = {"is_paused": False}
        case e.QueueLimitOverridden(queue=name, concurrency_limit=limit):
            changes = {"override": limit, "overridden_at": recorded.recorded_at, "overridden_by": recorded.actor}
        case e.QueueLimitReset(queue=name):
            changes = {"override": None, "overridden_at": None, "overridden_by": None}
        case e.QueueStartsCounted(queue=name) as counted:
            changes = {"starts": _count(state.starts if state else (), recorded.recorded_at, counted)}
        case event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of queue {recorded.stream}.")
    known = state or QueueState(recorded.stream, recorded.environment, name, 0)
    return replace(known, version=recorded.version, **changes)


def pause(state: QueueState | None, name: str) -> list[Event]:
    """Let nothing of it start. Safe to repeat."""
    return [] if state and state.is_paused else [e.QueuePaused(name)]


def resume(state: QueueState | None, name: str) -> list[Event]:
    """Let it go on. Safe to repeat."""
    return [e.QueueResumed(name)] if state and state.is_paused else []


def override(state: QueueState | None, name: str, limit: int, most: int | None) -> list[Event]:
    """Let another limit count. Raises InvalidInput when it is above `most`, what the whole environment may take."""
    if not 0 <= limit <= LIMIT_MAX:
        raise InvalidInput(f"The concurrency limit of queue {name} is 0 to {LIMIT_MAX}, not {limit}.")
    if most is not None and limit > most:
        raise InvalidInput(f"Queue {name} cannot have a limit of {limit}: that of the whole environment is {most}.")
    return [] if state and state.override == limit else [e.QueueLimitOverridden(name, limit)]


def reset(state: QueueState | None, name: str) -> list[Event]:
    """Let the limit of the tasks count again. Safe to repeat."""
    return [] if state is None or state.override is None else [e.QueueLimitReset(name)]


def opens_at(starts: Starts, pending: int, rate: RateLimit, now: int) -> int:
    """When another run may start: `now`, or a time to come. `pending` start now and are not counted yet."""
    recent = [(moment, runs) for moment, runs in starts if moment > now - rate.period_ms]
    left = sum(runs for _, runs in recent) + pending
    if left < rate.limit:
        return now
    for moment, runs in recent:
        left -= runs
        if left < rate.limit:
            return moment + rate.period_ms
    return now + rate.period_ms


def _count(starts: Starts, now: int, counted: e.QueueStartsCounted) -> Starts:
    """The starts of the last period, and these. Moments that are close count as the later one: never too early."""
    width = max(1, counted.period_ms // BUCKETS)
    kept = [(moment, runs) for moment, runs in starts if moment > now - counted.period_ms]
    runs = counted.starts
    if kept and kept[-1][0] // width == now // width:
        runs += kept.pop()[1]
    return (*kept, (now, runs))
