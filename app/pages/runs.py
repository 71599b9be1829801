"""The list of runs: filters, pages, search, and how it follows what happens."""

import re
from typing import Any

from starlette.responses import Response

from app.names import MACHINES
from app.pages.api import ApiError
from app.pages.filters import PERIODS, Asked, asked_of, refuse_unknown
from app.pages.live import streamed
from app.pages.looking import Looked, look
from app.pages.rendering import render
from app.pages.visits import Visit, see
from app.pages.words import GROUPS, segment
from domain import keys
from domain.errors import InvalidInput
from domain.events import KeyClaimed
from domain.status import Status
from projections.filters import RunFilter

EVER = "3650d"
NOT_FOUND = 404
MENDABLE = frozenset({400, 422})
ENDING = re.compile("(?:run_)?…?([0-9a-f]{6,31})")
"""The end of the id of a run, as lists show it."""
ENDINGS_MAX = 1_000
PLACES = {
    "run": "/runs/",
    "batch": "/batches/",
    "waitpoint": "/tokens/",
    "sched": "/schedules/",
    "job": "/jobs/",
    "bulk": "/bulk/",
}
"""Where things are shown, by what their ids begin with."""


async def show(visit: Visit) -> Response:
    """The newest runs that the filter leaves."""
    asked = asked_of(visit.request.query_params)
    await visit.look()
    around = _around(asked) | {"kept": asked.filter}
    try:
        refuse_unknown(visit.request.query_params)
        looked = await look(visit, asked)
    except InvalidInput as error:
        return _to_mend(visit, 400, around, str(error))
    except ApiError as error:
        if error.status not in MENDABLE:
            raise
        return _to_mend(visit, error.status, around, str(error))
    return visit.page("runs.html", **around, **_list_of(asked, looked), refusal="", tasks=await _tasks(visit))


async def live(visit: Visit) -> Response:
    """The rows of the same list, each time that they change."""
    asked = asked_of(visit.request.query_params)

    async def rows() -> dict[str, str]:
        return {"rows": render("parts/run_rows.html", _list_of(asked, await look(visit, asked)))}

    return await streamed(visit, rows)


async def search(visit: Visit) -> Response:
    """Go to what an id names, or the end of one that lists show, else to the run of an idempotency key, else to a tag.

    All at the moment that is looked at.
    """
    text, moment = visit.query("q"), await visit.look()
    if not text:
        return see(moment.to("/"))
    ending = ENDING.fullmatch(text)
    if ending and (found := await _run_ending(visit, ending[1])):
        return see(moment.to(f"/runs/{found}"))
    place = PLACES.get(text.partition("_")[0])
    if place is not None and " " not in text:
        return see(moment.to(place + segment(text)))
    run = await _run_of_key(visit, text)
    return see(moment.to(f"/runs/{run}") if run else moment.to("/", {"tag": text}))


async def _run_ending(visit: Visit, ending: str) -> str | None:
    """The newest run whose id ends so, among the newest of all: ids begin with the time, so no index has their ends."""
    reader = visit.reader
    rows, _ = await reader.read(reader.read_models.list_runs, visit.environment.id, RunFilter(), ENDINGS_MAX)
    return next((row.id for row in rows if row.id.endswith(ending)), None)


async def _run_of_key(visit: Visit, key: str) -> str | None:
    """The newest run that a task of the current version had made by then with this idempotency key."""
    environment = visit.environment.id
    streams = [keys.stream_of(environment, "run", task, key) for task in await _tasks(visit)]
    histories = await visit.reader.read(visit.reader.ledger.read_streams, streams) if streams else {}
    claimed = [
        (each.position, each.event.target)
        for history in histories.values()
        for each in history
        if isinstance(each.event, KeyClaimed) and each.position <= visit.moment.position
    ]
    return max(claimed)[1] if claimed else None


async def _tasks(visit: Visit) -> list[str]:
    """The tasks of the current version, none before there is one."""
    try:
        deployment = await visit.api.get("/api/v1/deployments/current", **visit.moment.as_of)
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return []
    tasks: list[str] = deployment["tasks"]
    return tasks


def _to_mend(visit: Visit, status: int, around: dict[str, Any], sentence: str) -> Response:
    """The list without runs: the filter stays as it was entered."""
    return visit.page("runs.html", status, **around, **_empty(), refusal=sentence, tasks=[])


def _around(asked: Asked) -> dict[str, Any]:
    return {"asked": asked, "groups": GROUPS, "statuses": list(Status), "periods": PERIODS, "machines": list(MACHINES)}


def _list_of(asked: Asked, looked: Looked) -> dict[str, Any]:
    body, filtered = looked.answer.data, bool(asked.filter)
    found = {"runs": body["data"], "pagination": body["pagination"], "lag": looked.answer.lag}
    # Somebody may have looked for the end of an id.
    ending = set(asked.filter) == {"tag"} and ENDING.fullmatch(asked.filter["tag"]) is not None
    found |= {"endings": ENDINGS_MAX if ending else 0}
    return found | {"since": looked.since, "filtered": filtered, "further": asked.with_(period=EVER)}


def _empty() -> dict[str, Any]:
    return {"runs": [], "pagination": {}, "lag": 0, "since": "", "endings": 0, "filtered": True, "further": ""}
