"""Batches, and how many of their runs are where."""

from collections import Counter

from starlette.responses import Response

from app.pages.visits import Visit

NEWEST = "100"


async def show_all(visit: Visit) -> Response:
    """The batches of the newest runs."""
    answer = await visit.api.get("/api/v1/runs", **{"page[size]": NEWEST})
    counts = Counter(run["batchId"] for run in answer["data"] if "batchId" in run)
    newest = {run["batchId"]: run for run in reversed(answer["data"]) if "batchId" in run}
    batches = [(name, count, newest[name]) for name, count in counts.items()]
    return visit.page("batches.html", batches=batches, looked=len(answer["data"]))


async def show(visit: Visit) -> Response:
    """A batch, and the newest of its runs."""
    name = visit.named("batch")
    batch = await visit.api.get(f"/api/v2/batches/{name}")
    answer = await visit.api.get("/api/v1/runs", **{"filter[batch]": name, "page[size]": NEWEST})
    counts = Counter(run["status"] for run in answer["data"])
    is_whole = len(answer["data"]) >= len(batch["runs"])
    return visit.page("batch.html", batch=batch, runs=answer["data"], counts=counts.most_common(), is_whole=is_whole)
