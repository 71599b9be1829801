"""HTTP jobs and their executions."""

from starlette.responses import Response

from app.pages.visits import Visit, see

SIZE = 50


async def show_all(visit: Visit) -> Response:
    """The jobs, newest first, as they are or were."""
    moment = await visit.look()
    page = visit.query("page")
    number = max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    answer = await visit.api.get("/v1/jobs", limit=str(SIZE), offset=str((number - 1) * SIZE), **moment.as_of)
    pagination = {"currentPage": number, "totalPages": max(1, -(-answer["total"] // SIZE))}
    return visit.page("jobs.html", jobs=answer["data"], pagination=pagination)


async def show(visit: Visit) -> Response:
    """A job with its executions, as they are or were."""
    name = visit.named("job")
    moment = await visit.look()
    job = await visit.api.get(f"/v1/jobs/{name}", **moment.as_of)
    cursor = {"cursor": visit.query("cursor")} if visit.query("cursor") else {}
    answer = await visit.api.get(f"/v1/jobs/{name}/executions", limit=str(SIZE), **cursor, **moment.as_of)
    following = answer["pagination"]["next_cursor"]
    return visit.page("job.html", job=job, executions=answer["data"], next=following)


async def pause(visit: Visit) -> Response:
    """Let a job start no more by itself."""
    return await _do(visit, "pause")


async def resume(visit: Visit) -> Response:
    """Let a job start by itself again."""
    return await _do(visit, "resume")


async def run_now(visit: Visit) -> Response:
    """Start an execution, and go to its run."""
    made = await visit.api.post(f"/v1/jobs/{visit.named('job')}/run-now")
    return see(f"/runs/{made['execution_id']}")


async def _do(visit: Visit, what: str) -> Response:
    name = visit.named("job")
    await visit.api.post(f"/v1/jobs/{name}/{what}")
    return see(f"/jobs/{name}")
