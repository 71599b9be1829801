"""Pages of named events and of batches as they were: see `app.history.walking`."""

from msgspec.structs import replace

from app.history.moments import Moment
from app.history.walking import Found, walk
from domain import states
from domain.ports import Ledger
from projections import listings
from projections.listings import ListingFilter, ListingRow
from projections.ports import ReadModels


def listings_then(
    ledger: Ledger,
    read_models: ReadModels,
    environment: str,
    wanted: ListingFilter,
    size: int,
    moment: Moment,
    after: str | None,
    before: str | None,
) -> Found[ListingRow]:
    """A page of such rows as they were (this blocks). Their statuses are those of then; all else never changes."""
    # By when they were recorded, which no clock makes uncertain.
    created_to = moment.wall if wanted.created_to is None else min(wanted.created_to, moment.wall)
    stays = replace(wanted, statuses=(), created_to=created_to)

    def read(after: str | None, before: str | None, limit: int) -> tuple[list[ListingRow], bool]:
        return read_models.list_listings(environment, stays, limit, after=after, before=before)

    def then(rows: list[ListingRow]) -> list[ListingRow]:
        back = _taken_back(ledger, rows, moment.position)
        return [row for row in back if not wanted.statuses or row.standing.status in wanted.statuses]

    return walk(read, then, size, after, before)


def _taken_back(ledger: Ledger, rows: list[ListingRow], position: int) -> list[ListingRow]:
    """The rows as they were at a position; those that began later are left out."""
    changed = [row.begun.stream for row in rows if row.position > position]
    histories = ledger.read_streams(changed, upto=position) if changed else {}
    back: list[ListingRow] = []
    for row in rows:
        if row.position <= position:
            back.append(row)
        elif history := histories.get(row.begun.stream):
            back.append(ListingRow(row.begun, listings.standing(history, states.fold(history))))
    return back
