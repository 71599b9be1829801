"""Look at runs and steer them. A run is named by its id, or by its handle, which also knows its types."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Unpack
from urllib.parse import quote

import msgspec

from runfold import bulk, results, transport
from runfold.answers import Named, read
from runfold.beginning import StepRef, beginning_on_wire
from runfold.bulk import AsyncBulkHandle
from runfold.codec import PLAIN, encode, encode_payload
from runfold.durations import Duration, duration_ms
from runfold.filters import RunFilters, any_of, query_of
from runfold.following import AsyncSubscription
from runfold.handles import BatchHandle, Ref, RunHandle, id_of, types_of
from runfold.log import Level, LogLine, LogLines
from runfold.metadata import operations_of
from runfold.moments import Moment, as_of_on_wire
from runfold.options import ReplayOptions, delay_on_wire, replay_on_wire
from runfold.pages import AsyncRunList
from runfold.run import Explanation, JournalEntry, Run, RunResult, read_run
from runfold.triggering import NOTHING
from runfold.typevars import PayloadT, ResultT

NO_CHANGE: Mapping[str, Any] = MappingProxyType({})


async def retrieve(run: str | RunHandle[PayloadT, ResultT], *, as_of: Moment | None = None) -> Run[PayloadT, ResultT]:
    """The run as it is now, or as it was; by handle, with payload and output of the task's types."""
    content = await transport.default.call("GET", _path(run, "v3"), query=as_of_on_wire(as_of))
    return read_run(content, types_of(run))


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
    return await results.of_run(run)


async def events(run: Ref) -> tuple[dict[str, Any], ...]:
    """Everything that happened to the run, in order."""
    content = await transport.default.call("GET", _path(run, "v1", "/events"))
    return read(content, _Events).events


async def journal(run: Ref, *, as_of: Moment | None = None) -> tuple[JournalEntry, ...]:
    """The run's steps with their results, the runs that it triggered, and its waits, in the order of its code."""
    entries: tuple[JournalEntry, ...] = ()
    after: int | None = -1
    while after is not None:
        content = await transport.default.call(
            "GET", _path(run, "v1", "/journal"), query={"after": str(after), **as_of_on_wire(as_of)}
        )
        page = read(content, _JournalPage)
        entries += page.entries
        after = page.next
    return entries


async def logs(
    run: Ref, *, after: int | None = None, level: Level | None = None, as_of: Moment | None = None
) -> tuple[LogLine, ...]:
    """What the run's code logged by `ctx.log`: the lines behind the one of an index, those of a level or above.

    With `as_of` it is what it had logged by that moment.
    """
    query = {"after": None if after is None else str(after), "level": level}
    given = {name: value for name, value in query.items() if value is not None} | as_of_on_wire(as_of)
    content = await transport.default.call("GET", _path(run, "v1", "/logs"), query=given)
    return read(content, LogLines).lines


async def cancel(run: Ref) -> None:
    """Stop the run; a run that has ended stays as it is."""
    await transport.default.call("POST", _path(run, "v2", "/cancel"))


async def replay(
    run: str | RunHandle[PayloadT, ResultT],
    payload: PayloadT = NOTHING,
    *,
    from_step: StepRef | None = None,
    step_results: Mapping[StepRef, Any] | None = None,
    **options: Unpack[ReplayOptions],
) -> RunHandle[PayloadT, ResultT]:
    """Make a new run with the payload and tags of this one, or with others where they are given.

    With `from_step` it takes over what the run did before that step, with other results of steps where they are given.
    """
    changed = {} if payload is NOTHING else {"payload": encode_payload(payload)}
    body = {**changed, **beginning_on_wire(from_step, step_results), **replay_on_wire(options)}
    content = await transport.default.call("POST", _path(run, "v1", "/replay"), body=encode(body) if body else None)
    return RunHandle(read(content, Named).id, types=types_of(run))


async def reschedule(run: str | RunHandle[PayloadT, ResultT], *, delay: Duration | datetime) -> Run[PayloadT, ResultT]:
    """Give a delayed run another time to start."""
    body = encode({"delay": delay_on_wire(delay)})
    return read_run(await transport.default.call("POST", _path(run, "v1", "/reschedule"), body=body), types_of(run))


async def explain(run: Ref, *, as_of: Moment | None = None) -> Explanation:
    """Why the run is, or was, where it is, and what it waits for."""
    content = await transport.default.call("GET", _path(run, "v1", "/explain"), query=as_of_on_wire(as_of))
    return read(content, Explanation)


async def add_tags(run: Ref, *tags: str) -> None:
    """Add tags to those that the run has; raises UnprocessableError when it would have too many."""
    await transport.default.call("POST", _path(run, "v1", "/tags"), body=encode({"tags": tags}))


async def update_metadata(
    run: Ref,
    *,
    set: Mapping[str, Any] = NO_CHANGE,  # noqa: A002 (the API's word)
    delete: str | Sequence[str] = (),
    append: Mapping[str, Any] = NO_CHANGE,
    remove: Mapping[str, Any] = NO_CHANGE,
    increment: Mapping[str, float] = NO_CHANGE,
) -> dict[str, Any]:
    """Change the run's metadata, in the order of the arguments; the metadata after it."""
    body = encode({"operations": operations_of(set, delete, append, remove, increment)})
    content = await transport.default.call("PUT", _path(run, "v1", "/metadata"), body=body)
    return read(content, _Metadata).metadata


async def bulk_cancel(
    *, ids: Sequence[Ref] | None = None, filters: RunFilters | None = None, name: str | None = None
) -> AsyncBulkHandle:
    """Cancel many runs, which the handle then tells of."""
    return await bulk.start("cancel", ids, filters, name)


async def bulk_replay(
    *, ids: Sequence[Ref] | None = None, filters: RunFilters | None = None, name: str | None = None
) -> AsyncBulkHandle:
    """Replay many runs, which the handle then tells of."""
    return await bulk.start("replay", ids, filters, name)


def subscribe_to_run(run: str | RunHandle[PayloadT, ResultT]) -> AsyncSubscription[PayloadT, ResultT]:
    """The run as it is, and again each time that it has changed, until it is over."""
    return AsyncSubscription({"run": id_of(run)}, types_of(run))


def subscribe_to_runs_with_tag(*tags: str) -> AsyncSubscription[Any, Any]:
    """The runs that have all of these tags as they are, and again each time that one has changed or come."""
    return AsyncSubscription({"tags": any_of(tags)}, PLAIN)


def subscribe_to_batch(batch: str | BatchHandle[Any, Any]) -> AsyncSubscription[Any, Any]:
    """The runs of the batch as they are, and again each time that one has changed."""
    return AsyncSubscription({"batch": batch if isinstance(batch, str) else batch.batch_id}, PLAIN)


def list(  # noqa: A001 (the API's word)
    *, as_of: Moment | None = None, **filters: Unpack[RunFilters]
) -> AsyncRunList:
    """Runs, newest first, as they are or were, as far as the filters let them through."""
    return AsyncRunList({**query_of(filters), **as_of_on_wire(as_of)})


class _Events(msgspec.Struct):
    events: tuple[dict[str, Any], ...]


class _Metadata(msgspec.Struct):
    metadata: dict[str, Any]


class _JournalPage(msgspec.Struct):
    entries: tuple[JournalEntry, ...]
    next: int | None = None


def _path(run: Ref, version: str, action: str = "") -> str:
    return f"/api/{version}/runs/{quote(id_of(run), safe='')}{action}"
