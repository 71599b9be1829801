"""The list of waitpoint tokens: one row for each, with all that lists and filters show of it."""

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Recorded
from domain.waitpoint import WaitpointStatus

WAITPOINT = "waitpoint"
"""The kind of aggregate that the rows are of."""


class WaitpointRow(Struct, frozen=True, gc=False):
    """One token as its latest event left it. Times are in milliseconds; what completed it is read from its events."""

    id: str
    environment: str
    status: WaitpointStatus
    position: int
    """The last of its events in the ledger."""
    created_at: int
    completed_at: int | None = None
    """When somebody completed it, or its time was over."""
    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    """Sorted, each once."""
    idempotency_key: str | None = None
    key_until: int | None = None
    secret: str = ""
    """What the URL that completes it ends with."""


class WaitpointTagRow(Struct, frozen=True, gc=False):
    """A tag that a token in this status has: whoever lists a tag mostly wants those that still wait."""

    environment: str
    tag: str
    status: WaitpointStatus
    waitpoint: str


class WaitpointFilter(Struct, frozen=True, gc=False):
    """All that is given must hold; an empty tuple or None narrows nothing. Times are in milliseconds, ends included."""

    statuses: tuple[WaitpointStatus, ...] = ()
    tags: tuple[str, ...] = ()
    """Any of these."""
    idempotency_key: str | None = None
    created_from: int | None = None
    created_to: int | None = None


def project(row: WaitpointRow | None, recorded: Recorded) -> WaitpointRow | None:
    """The row after one event. Raises LedgerCorrupt for an event that does not follow the row."""
    match row, recorded.event:
        case None, e.WaitpointCreated() as created:
            return _begin(recorded, created)
        case WaitpointRow(), e.WaitpointCompleted():
            return _end(row, recorded, WaitpointStatus.COMPLETED)
        case WaitpointRow(), e.WaitpointTimedOut():
            return _end(row, recorded, WaitpointStatus.TIMED_OUT)
        case _, e.WaitpointCreated() | e.WaitpointCompleted() | e.WaitpointTimedOut():
            there = "is" if row else "is no"
            raise LedgerCorrupt(
                f"There {there} token {recorded.stream}, and its event {recorded.version} is to follow."
            )
        case _:
            return row


def tag_rows_of(row: WaitpointRow) -> list[WaitpointTagRow]:
    """The rows of its tags, as long as it is in this status."""
    return [WaitpointTagRow(row.environment, tag, row.status, row.id) for tag in row.tags]


def matches(row: WaitpointRow, wanted: WaitpointFilter) -> bool:
    """Whether a row is among those that the filter leaves; databases find the same rows faster."""
    return (
        (not wanted.statuses or row.status in wanted.statuses)
        and (not wanted.tags or not set(wanted.tags).isdisjoint(row.tags))
        and (wanted.idempotency_key is None or row.idempotency_key == wanted.idempotency_key)
        and (wanted.created_from is None or row.created_at >= wanted.created_from)
        and (wanted.created_to is None or row.created_at <= wanted.created_to)
    )


def _begin(recorded: Recorded, created: e.WaitpointCreated) -> WaitpointRow:
    return WaitpointRow(
        id=recorded.stream,
        environment=recorded.environment,
        status=WaitpointStatus.WAITING,
        position=recorded.position,
        created_at=recorded.occurred_at,
        timeout_at=created.timeout_at,
        tags=tuple(sorted(set(created.tags))),
        idempotency_key=created.idempotency_key,
        key_until=created.key_until,
        secret=created.secret,
    )


def _end(row: WaitpointRow, recorded: Recorded, status: WaitpointStatus) -> WaitpointRow:
    return replace(row, status=status, position=recorded.position, completed_at=recorded.occurred_at)
