"""Charts of the newest runs, as they are or were: how many, how they ended, how long they took."""

from starlette.responses import Response

from app.history.moments import Moment
from app.history.walking import runs_then
from app.pages.moment import Look
from app.pages.series import series_of
from app.pages.visits import Visit
from app.pages.words import FAILURES
from app.web.paging import LIST_WAIT_SECONDS
from domain.durations import iso
from projections.filters import RunFilter
from projections.run_row import RunRow

PERIODS = {"1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000}
RUNS_MAX = 4_000
"""How many runs are read at most: the time that is shown begins where these do."""


async def show(visit: Visit) -> Response:
    """The charts of a time that ends now, or then, or as much of it as the newest runs are of."""
    period = visit.query("period") if visit.query("period") in PERIODS else "24h"
    task, moment = visit.query("task"), await visit.look()
    start = max(0, moment.wall - PERIODS[period])
    rows, has_more = await _runs(visit, RunFilter(tasks=(task,) if task else (), created_from=start), moment)
    begins = min((row.created_at for row in rows), default=start) if has_more else start
    return visit.page(
        "charts.html",
        series=await visit.reader.read(series_of, rows, begins, moment.wall),
        period=period,
        periods=PERIODS,
        task=task,
        kept={"period": period} | ({"task": task} if task else {}),
        is_cut=has_more,
        failures=FAILURES,
        begins=iso(begins),
        ends=moment.time,
        proved=None if moment.is_past else await visit.api.get("/api/v1/ledger/verified"),
    )


async def _runs(visit: Visit, wanted: RunFilter, moment: Look) -> tuple[list[RunRow], bool]:
    """The newest of these runs, as they are or were, and whether there are more."""
    reader, environment = visit.reader, visit.environment.id
    await reader.followed(moment.position, LIST_WAIT_SECONDS)
    if not moment.is_past:
        return await reader.read(reader.read_models.list_runs, environment, wanted, RUNS_MAX)
    then = Moment(moment.position, moment.wall)
    found = await reader.read(
        runs_then, reader.ledger, reader.read_models, environment, wanted, RUNS_MAX, then, None, None
    )
    return found.rows, found.has_more
