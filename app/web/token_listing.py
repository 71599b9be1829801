"""The query of a list of waitpoint tokens."""

from collections.abc import Mapping

from app.web.errors import Malformed
from app.web.listing import DATES, PAGES, Query, created_between, many, page_of, refuse_unknown
from domain.errors import InvalidInput
from domain.waitpoint import WaitpointStatus
from projections.waitpoints import WAITPOINT, WaitpointFilter

KNOWN = frozenset({"filter[status]", "filter[idempotencyKey]", "filter[tags]"}) | DATES | PAGES | {"asOf"}


def query_of(parameters: Mapping[str, str], now: int) -> Query[WaitpointFilter]:
    """The query of a request. Raises Malformed for a filter, status or page that there is none of."""
    refuse_unknown(parameters, KNOWN)
    try:
        created_from, created_to = created_between(parameters, now)
    except InvalidInput as error:
        raise Malformed(str(error)) from error
    wanted = WaitpointFilter(
        statuses=tuple(map(_status, many(parameters, "status"))),
        tags=tuple(many(parameters, "tags")),
        idempotency_key=parameters.get("filter[idempotencyKey]") or None,
        created_from=created_from,
        created_to=created_to,
    )
    return Query(wanted, *page_of(parameters, WAITPOINT))


def _status(name: str) -> WaitpointStatus:
    try:
        return WaitpointStatus(name)
    except ValueError:
        known = ", ".join(WaitpointStatus)
        raise Malformed(f"There is no status {name[:40]!r} of a token; there are {known}.") from None
