"""Batches, and how many of their runs are where."""

from collections import Counter

from starlette.responses import Response

from app.pages.bulk import turned
from app.pages.visits import Visit
from domain.batch import BatchStatus

NEWEST = "100"


async def show_all(visit: Visit) -> Response:
    """The batches, newest first."""
    status = visit.query("status")
    asked = {"filter[status]": status} if status else {}
    cursor = {f"page[{side}]": visit.query(side) for side in ("after", "before") if visit.query(side)}
    answer = await visit.api.get("/api/v1/batches", **asked, **cursor)
    return visit.page(
        "batches.html",
        batches=answer["data"],
        pagination=turned(answer, "/batches", f"status={status}" if status else ""),
        status=status,
        statuses=list(BatchStatus),
    )


async def show(visit: Visit) -> Response:
    """A batch, and the newest of its runs."""
    name = visit.named("batch")
    batch = await visit.api.get(f"/api/v2/batches/{name}")
    answer = await visit.api.get("/api/v1/runs", **{"filter[batch]": name, "page[size]": NEWEST})
    counts = Counter(run["status"] for run in answer["data"])
    is_whole = len(answer["data"]) >= len(batch["runs"])
    return visit.page("batch.html", batch=batch, runs=answer["data"], counts=counts.most_common(), is_whole=is_whole)
