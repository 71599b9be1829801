"""Charts of the newest runs: how many, how they ended, how long they took."""

from starlette.responses import Response

from app.pages.series import series_of
from app.pages.visits import Visit
from app.pages.words import FAILURES
from app.web.paging import LIST_WAIT_SECONDS
from domain.durations import iso
from projections.filters import RunFilter

PERIODS = {"1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000}
RUNS_MAX = 4_000
"""How many runs are read at most: the time that is shown begins where these do."""


async def show(visit: Visit) -> Response:
    """The charts of a time, or as much of it as the newest runs are of."""
    period = visit.query("period") if visit.query("period") in PERIODS else "24h"
    task, end = visit.query("task"), visit.now
    start = max(0, end - PERIODS[period])
    reader = visit.reader
    await reader.followed(await reader.head(), LIST_WAIT_SECONDS)
    wanted = RunFilter(tasks=(task,) if task else (), created_from=start)
    rows, has_more = await reader.read(reader.read_models.list_runs, visit.environment.id, wanted, RUNS_MAX)
    begins = min(row.created_at for row in rows) if has_more else start
    return visit.page(
        "charts.html",
        series=await reader.read(series_of, rows, begins, end),
        period=period,
        periods=PERIODS,
        task=task,
        is_cut=has_more,
        failures=FAILURES,
        begins=iso(begins),
        ends=iso(end),
        proved=await visit.api.get("/api/v1/ledger/verified"),
    )
