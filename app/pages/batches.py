"""Batches, and how many of their runs are where."""

from collections import Counter

from starlette.responses import Response

from app.pages.bulk import turned
from app.pages.visits import Visit
from domain.batch import BatchStatus

NEWEST = "100"


async def show_all(visit: Visit) -> Response:
    """The batches, newest first, as they are or were."""
    status, moment = visit.query("status"), await visit.look()
    asked = {"filter[status]": status} if status else {}
    cursor = {f"page[{side}]": visit.query(side) for side in ("after", "before") if visit.query(side)}
    answer = await visit.api.get("/api/v1/batches", **asked, **cursor, **moment.as_of)
    kept = {"status": status} if status else {}
    return visit.page(
        "batches.html",
        batches=answer["data"],
        pagination=turned(answer, "/batches", moment.query(kept)),
        status=status,
        kept=kept,
        statuses=list(BatchStatus),
    )


async def show(visit: Visit) -> Response:
    """A batch, and the newest of its runs, as they are or were."""
    name, moment = visit.named("batch"), await visit.look()
    batch = await visit.api.get(f"/api/v2/batches/{name}", **moment.as_of)
    answer = await visit.api.get("/api/v1/runs", **{"filter[batch]": name, "page[size]": NEWEST}, **moment.as_of)
    counts = Counter(run["status"] for run in answer["data"])
    is_whole = len(answer["data"]) >= len(batch["runs"])
    return visit.page(
        "batch.html",
        batch=batch,
        runs=answer["data"],
        counts=counts.most_common(),
        is_whole=is_whole,
    )
