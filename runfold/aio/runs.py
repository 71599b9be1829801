"""Look at runs and steer them. A run is named by its id, or by its handle, which also knows its types."""

from datetime import datetime
from typing import Any, Unpack
from urllib.parse import quote

import msgspec

from runfold import transport
from runfold.codec import encode
from runfold.durations import Duration, duration_ms
from runfold.errors import NotFoundError
from runfold.filters import RunFilters, query_of
from runfold.handles import Ref, RunHandle, id_of, types_of
from runfold.options import delay_on_wire
from runfold.pages import AsyncRunList
from runfold.run import Run, RunResult, read_result, read_run
from runfold.typevars import PayloadT, ResultT


async def retrieve(run: str | RunHandle[PayloadT, ResultT]) -> Run[PayloadT, ResultT]:
    """The run as it is now; by handle, with payload and output of the task's types."""
    return read_run(await transport.default.call("GET", _path(run, "v3")), types_of(run))


async def poll(
    run: str | RunHandle[PayloadT, ResultT],
    *,
    interval: Duration = 1.0,
    timeout: Duration | None = None,  # noqa: ASYNC109 (also for callers that cannot await)
) -> Run[PayloadT, ResultT]:
    """The run once its status is final; raises TimeoutError if that takes longer than `timeout`."""
    clock, sleep = transport.default.clock, transport.default.sleep
    deadline = None if timeout is None else clock() + duration_ms(timeout) / 1000
    while not (now := await retrieve(run)).is_completed:
        if deadline is not None and clock() >= deadline:
            raise TimeoutError(f"The run {now.id} is still {now.status} after {timeout}.")
        await sleep(duration_ms(interval) / 1000)
    return now


async def result(run: str | RunHandle[Any, ResultT]) -> RunResult[ResultT] | None:
    """How the run ended, None while it has not (or while there is no such run)."""
    try:
        content = await transport.default.call("GET", _path(run, "v1", "/result"))
    except NotFoundError:
        return None
    return read_result(content, types_of(run))


async def events(run: Ref) -> tuple[dict[str, Any], ...]:
    """Everything that happened to the run, in order."""
    content = await transport.default.call("GET", _path(run, "v1", "/events"))
    return msgspec.json.decode(content, type=dict[str, tuple[dict[str, Any], ...]])["events"]


async def cancel(run: Ref) -> None:
    """Stop the run; a run that has ended stays as it is."""
    await transport.default.call("POST", _path(run, "v2", "/cancel"))


async def replay(run: str | RunHandle[PayloadT, ResultT]) -> RunHandle[PayloadT, ResultT]:
    """Make a new run with the payload and tags of this one."""
    content = await transport.default.call("POST", _path(run, "v1", "/replay"))
    return RunHandle(msgspec.json.decode(content, type=dict[str, Any])["id"], types=types_of(run))


async def reschedule(run: str | RunHandle[PayloadT, ResultT], *, delay: Duration | datetime) -> Run[PayloadT, ResultT]:
    """Give a delayed run another time to start."""
    body = encode({"delay": delay_on_wire(delay)})
    return read_run(await transport.default.call("POST", _path(run, "v1", "/reschedule"), body=body), types_of(run))


def list(**filters: Unpack[RunFilters]) -> AsyncRunList:  # noqa: A001 (the API's word)
    """Runs, newest first, as far as the filters let them through."""
    return AsyncRunList(query_of(filters))


def _path(run: Ref, version: str, action: str = "") -> str:
    return f"/api/{version}/runs/{quote(id_of(run), safe='')}{action}"
