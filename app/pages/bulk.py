"""Cancel or replay many runs: what will be done is shown first, and then how far it is."""

from typing import Any

from starlette.responses import Response

from app.history.touched import narrowed
from app.pages.filters import FIELDS, Asked, asked_of
from app.pages.live import OVER, streamed
from app.pages.rendering import render
from app.pages.visits import Visit, see
from app.web.listing import filter_of
from domain.errors import InvalidInput
from domain.vocabulary import FULL

ACTIONS = {"cancel": "Cancel", "replay": "Replay"}
SHOWN = "10"
COUNT_MAX = 1_000
"""Up to how many runs are counted before something is done with all that a filter leaves."""
PENDING = "PENDING"


async def ask(visit: Visit) -> Response:
    """Which runs it would be: those that are checked, or all that the filter leaves."""
    parameters = visit.request.query_params
    of_all = parameters.get("all", "")
    action, asked = of_all or parameters.get("action", ""), asked_of(parameters)
    if action not in ACTIONS:
        raise InvalidInput("Many runs can be canceled or replayed: go back and choose one of the two.")
    runs = [] if of_all else parameters.getlist("run")
    if not of_all and not runs:
        raise InvalidInput("No run is checked: go back and check some, or choose all that match a filter.")
    if of_all and not asked.filter:
        raise InvalidInput("There is no filter: go back and narrow the list down first.")
    found = (
        await visit.api.ask("/api/v1/runs", Asked(asked.filter, {}).parameters | {"page[size]": SHOWN})
        if of_all
        else None
    )
    return visit.page(
        "bulk_new.html",
        action=action,
        verb=ACTIONS[action],
        asked=asked,
        runs=runs,
        found=found.data["data"] if found else [],
        count=await _count(visit, asked) if of_all else len(runs),
        count_max=COUNT_MAX,
    )


async def _count(visit: Visit, asked: Asked) -> int:
    """How many runs the filter leaves now; one more than are counted if there are more."""
    reader = visit.reader
    environment = visit.environment.id
    wanted = await narrowed(reader, environment, filter_of(asked.body, visit.now, FULL))
    rows, has_more = await reader.read(reader.read_models.list_runs, environment, wanted, COUNT_MAX)
    return len(rows) + has_more


async def start(visit: Visit) -> Response:
    """Begin, and show how far it is."""
    body: dict[str, Any] = {"action": visit.field("action")}
    runs = visit.form.get("run", [])
    if runs:
        body["runIds"] = runs
    else:
        asked = Asked({name: visit.field(name) for name in visit.form if name in FIELDS}, {})
        body["filter"] = asked.body
    made = await visit.api.post("/api/v1/bulk-actions", body)
    return see(f"/bulk/{made['id']}")


async def show_all(visit: Visit) -> Response:
    """The bulk actions, newest first, as they are or were."""
    moment = await visit.look()
    cursor = {f"page[{side}]": visit.query(side) for side in ("after", "before") if visit.query(side)}
    answer = await visit.api.get("/api/v1/bulk-actions", **cursor, **moment.as_of)
    pagination = turned(answer, "/bulk", moment.query({}))
    return visit.page("bulk_list.html", actions=answer["data"], pagination=pagination)


async def show(visit: Visit) -> Response:
    """How far one is, or was."""
    await visit.look()
    return visit.page("bulk.html", bulk=await _found(visit))


async def live(visit: Visit) -> Response:
    """The same, each time that it goes on."""

    async def parts() -> dict[str, str]:
        bulk = await _found(visit)
        over = {} if bulk["status"] == PENDING else {OVER: ""}
        return {"progress": render("parts/bulk_progress.html", visit.frame() | {"bulk": bulk})} | over

    return await streamed(visit, parts)


async def abort(visit: Visit) -> Response:
    """Stop it; what it did remains."""
    bulk = visit.named("bulk")
    await visit.api.post(f"/api/v1/bulk-actions/{bulk}/abort")
    return see(f"/bulk/{bulk}")


def turned(body: dict[str, Any], path: str, query: str = "") -> dict[str, str]:
    """Where the pages beside one are, by the cursors of the API."""
    names = {"next": "after", "previous": "before"}
    more = f"&{query}" if query else ""
    return {side: f"{path}?{names[side]}={cursor}{more}" for side, cursor in body["pagination"].items()}


async def _found(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = await visit.api.get(f"/api/v1/bulk-actions/{visit.named('bulk')}", **visit.moment.as_of)
    return found
