"""A page of a list as it was: rows of the present list, each taken back to the moment, until the page is full.

The list of now, and each row's own events, tell the past: what changed after the moment is folded again up to it, what
did not is as it was. A page looks at so many rows at most, and says where to go on if it is not full by then.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from app.history.moments import Moment
from domain.events import Recorded
from domain.ports import Ledger
from projections import run_list, waitpoints
from projections.filters import RunFilter
from projections.filters import matches as is_wanted
from projections.ports import ReadModels
from projections.run_row import RunRow
from projections.waitpoints import WaitpointFilter, WaitpointRow

LOOKED_MAX = 10_000
"""How many rows one page looks at."""
WINDOW_MAX = 1_000
"""How many rows are looked at together."""
LATE_MS = 250
"""A clock that is set back by more while a request is on its way hides what it makes from lists of that moment."""


class Row(Protocol):
    """What a list is of: its id sorts by time, its position is that of its last event."""

    @property
    def id(self) -> str:
        """The id of the aggregate."""
        ...

    @property
    def position(self) -> int:
        """Where in the ledger it changed last."""
        ...


R = TypeVar("R", bound=Row)


class Found(NamedTuple, Generic[R]):
    """A page, and whether there may be more that way: behind `edge`, if it was given up there, else behind its rows."""

    rows: list[R]
    has_more: bool
    edge: str | None = None


def runs_then(
    ledger: Ledger,
    read_models: ReadModels,
    environment: str,
    wanted: RunFilter,
    size: int,
    moment: Moment,
    after: str | None,
    before: str | None,
) -> Found[RunRow]:
    """A page of runs as they were (this blocks). Statuses, versions, tags, queues and machines are those of then."""
    # What never changes narrows the rows that are looked at.
    stays = replace(wanted, statuses=(), versions=(), tags=(), queues=(), machines=())
    stays = replace(stays, created_to=_earlier(wanted.created_to, moment))

    def read(after: str | None, before: str | None, limit: int) -> tuple[list[RunRow], bool]:
        return read_models.list_runs(environment, stays, limit, after=after, before=before)

    def then(rows: list[RunRow]) -> list[RunRow]:
        there = [row for row in rows if row.born <= moment.position]
        return [row for row in taken_back(ledger, there, moment.position, run_list.project) if is_wanted(row, wanted)]

    return walk(read, then, size, after, before)


def tokens_then(
    ledger: Ledger,
    read_models: ReadModels,
    environment: str,
    wanted: WaitpointFilter,
    size: int,
    moment: Moment,
    after: str | None,
    before: str | None,
) -> Found[WaitpointRow]:
    """A page of tokens as they were (this blocks). Their statuses are those of then; all else never changes."""
    stays = replace(wanted, statuses=(), created_to=_earlier(wanted.created_to, moment))

    def read(after: str | None, before: str | None, limit: int) -> tuple[list[WaitpointRow], bool]:
        return read_models.list_waitpoints(environment, stays, limit, after=after, before=before)

    def then(rows: list[WaitpointRow]) -> list[WaitpointRow]:
        back = taken_back(ledger, rows, moment.position, waitpoints.project)
        return [row for row in back if waitpoints.matches(row, wanted)]

    return walk(read, then, size, after, before)


def taken_back(
    ledger: Ledger, rows: list[R], position: int, project: Callable[[R | None, Recorded], R | None]
) -> list[R]:
    """The rows as they were at a position; those that began later are left out."""
    histories = ledger.read_streams([row.id for row in rows if row.position > position], upto=position)
    back: list[R] = []
    for row in rows:
        if row.position <= position:
            back.append(row)
            continue
        then: R | None = None
        for recorded in histories.get(row.id, ()):
            then = project(then, recorded)
        if then is not None:
            back.append(then)
    return back


def walk(
    read: Callable[[str | None, str | None, int], tuple[list[R], bool]],
    then: Callable[[list[R]], list[R]],
    size: int,
    after: str | None,
    before: str | None,
) -> Found[R]:
    """Go through rows, newest first, or towards the newer ones from `before` on, until a page is full."""
    found: list[R] = []
    looked, window = 0, size + 1
    while True:
        rows, has_more = read(after, before, window)
        kept = then(rows)
        found = found + kept if before is None else kept + found
        if rows:
            after, before = (rows[-1].id, None) if before is None else (None, rows[0].id)
        looked += len(rows)
        if len(found) > size:
            return Found(found[:size] if before is None else found[-size:], has_more=True)
        if not has_more:
            return Found(found, has_more=False)
        if looked >= LOOKED_MAX:
            return Found(found, has_more=True, edge=after or before)
        window = min(WINDOW_MAX, 2 * window)


def _earlier(created_to: int | None, moment: Moment) -> int:
    """Nothing was created, by the clock of whoever recorded it, much later than the moment."""
    last = moment.wall + LATE_MS
    return last if created_to is None else min(created_to, last)
