"""The lists of what is sent or made at once: a row for each named event and each batch, of which there may be many."""

from collections.abc import Sequence

from msgspec import Struct

from domain import events as e
from domain.batch import Batch, BatchStatus
from domain.errors import LedgerCorrupt
from domain.events import Event, Recorded
from domain.named_event import EVENT, EventStatus, NamedEvent
from domain.states import State, kind_of

BATCH = "batch"
KINDS = frozenset({EVENT, BATCH})
"""The kinds of aggregates that have such rows."""
_ENDS: dict[type[Event], str] = {
    e.EventDelivered: EventStatus.DELIVERED.value,
    e.EventCanceled: EventStatus.CANCELED.value,
    e.BatchCompleted: BatchStatus.COMPLETED.value,
    e.BatchAborted: BatchStatus.ABORTED.value,
}
BEGINNINGS: frozenset[type[Event]] = frozenset({e.EventSent, e.BatchCreated, e.BatchTriggered})


class Begun(Struct, frozen=True, gc=False):
    """What never changes of a row. Rows are listed by their `place`, which sorts as they came into the ledger."""

    stream: str
    environment: str
    kind: str
    place: str
    created_at: int
    name: str | None = None
    """That of a named event; a batch has none."""
    id: str = ""
    """That of its sender; a batch's is its stream."""
    source: str = ""
    timestamp: int = 0
    """When a named event happened."""
    deliver_at: int | None = None
    items: int = 0
    """How many a batch has."""


class Standing(Struct, frozen=True, gc=False):
    """How far it is, since the event at `position`; `changed_at` is when that was recorded."""

    stream: str
    status: str
    position: int
    changed_at: int


class ListingRow(Struct, frozen=True, gc=False):
    """One named event or batch as its latest event left it. Times are in milliseconds."""

    begun: Begun
    standing: Standing

    @property
    def id(self) -> str:
        """Where it stands in its list."""
        return self.begun.place

    @property
    def position(self) -> int:
        """Where in the ledger it changed last."""
        return self.standing.position


class ListingFilter(Struct, frozen=True, gc=False):
    """All that is given must hold; None and an empty tuple narrow nothing. Times are in milliseconds, ends included."""

    kind: str
    name: str | None = None
    statuses: tuple[str, ...] = ()
    created_from: int | None = None
    created_to: int | None = None


def begin(recorded: Recorded) -> Begun:
    """The row of what begins with this event. Raises LedgerCorrupt for one with which nothing listed begins."""
    at, stream, environment = recorded.recorded_at, recorded.stream, recorded.environment
    place = place_at(kind_of(stream), at, recorded.position)
    match recorded.event:
        case e.EventSent() as sent:
            told = (sent.name, sent.id, sent.source, sent.timestamp, sent.deliver_at)
            return Begun(stream, environment, EVENT, place, at, *told)
        case e.BatchCreated(run_count=count):
            return Begun(stream, environment, BATCH, place, at, id=stream, items=count)
        case e.BatchTriggered(runs=runs):
            return Begun(stream, environment, BATCH, place, at, id=stream, items=len(runs))
        case event:
            raise LedgerCorrupt(f"{type(event).__name__} stands first in the stream {stream}.")


def standing(history: Sequence[Recorded], state: State | None) -> Standing:
    """How far it is after these events, which left this state if it goes on."""
    last = history[-1]
    status = _ENDS.get(type(last.event))
    if status is None:
        assert isinstance(state, NamedEvent | Batch), "what goes on has a state"
        status = state.status.value
    return Standing(last.stream, status, last.position, last.recorded_at)


def place_at(kind: str, moment: int, position: int = 0) -> str:
    """Where what came at this moment stands: texts that sort as the moments do."""
    return f"{kind}_{min(max(moment, 0), 2**48 - 1):012x}{position:012x}"


def bounds(wanted: ListingFilter, after: str | None, before: str | None) -> tuple[str, str]:
    """Places between which, ends excluded, all rows of the page must be."""
    lows, highs = ["" if before is None else before], ["~" if after is None else after]
    if wanted.created_from is not None:
        lows.append(place_at(wanted.kind, wanted.created_from))
    if wanted.created_to is not None:
        highs.append(place_at(wanted.kind, wanted.created_to + 1))
    return max(lows), min(highs)
