"""Make schedules, change them and look at them. A schedule is named by its id, or by what a call answered."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

import msgspec

from runfold import transport
from runfold.answers import Named, read
from runfold.codec import encode, encode_payload
from runfold.definition import Task
from runfold.durations import Duration
from runfold.filters import seconds_text
from runfold.handles import RunHandle
from runfold.moments import Moment, as_of_on_wire
from runfold.options import TriggerOptions, delay_on_wire, options_on_wire
from runfold.schedule import (
    Backfilled,
    CatchUp,
    DstFold,
    DstGap,
    Overlap,
    ScheduleRef,
    ScheduleState,
    TickReport,
    minutes_of,
)
from runfold.triggering import NOTHING

PATH = "/api/v1/schedules"
PAGE_SIZE = 100


class ScheduleOptions(TypedDict, total=False):
    """One of `cron`, `every` and `at` is needed. None means the same as leaving an option out."""

    cron: str | None
    """Five fields."""
    timezone: str | None
    """The IANA time zone in which `cron` is read; UTC, if left out."""
    every: Duration | None
    """Whole minutes, such as "15m"; at most a day."""
    every_from: Literal["epoch", "creation"] | None
    """From where minutes are counted."""
    at: datetime | None
    """One moment."""
    external_id: str | None
    """What its runs are told, such as the id of a user."""
    start_at: datetime | None
    end_at: datetime | None
    jitter: Duration | None
    """Put each tick off by up to this long."""
    dst_gap: DstGap | None
    dst_fold: DstFold | None
    overlap: Overlap | None
    """What becomes of a tick while a run of the schedule goes on."""
    catch_up: CatchUp | None
    catch_up_window: Duration | None
    catch_up_max: int | None
    payload: Any
    """What every run is given, in place of a ScheduledRun."""
    options: TriggerOptions | None
    """Options of a trigger, for every run."""


class _Pages(msgspec.Struct, rename="camel"):
    total_pages: int = 1


class _Answer(msgspec.Struct):
    data: tuple[ScheduleState, ...]
    pagination: _Pages = msgspec.field(default_factory=_Pages)


class _Filled(msgspec.Struct):
    runs: tuple[Backfilled, ...]


async def create(
    task: str | Task[Any, Any], *, deduplication_key: str | None = None, **options: Unpack[ScheduleOptions]
) -> ScheduleState:
    """Make a schedule; with the same key again the one that there is gets these options, and all others' defaults."""
    body = _body(task, options) | ({} if deduplication_key is None else {"deduplicationKey": deduplication_key})
    return _read(await transport.default.call("POST", PATH, body=encode(body)))


async def update(
    schedule: ScheduleRef, task: str | Task[Any, Any], **options: Unpack[ScheduleOptions]
) -> ScheduleState:
    """Give it these options, and the defaults of all others."""
    return _read(await transport.default.call("PUT", _path(schedule), body=encode(_body(task, options))))


async def list(*, as_of: Moment | None = None) -> tuple[ScheduleState, ...]:  # noqa: A001 (the API's word)
    """Every schedule of the environment, newest first, as it is or was."""
    found: tuple[ScheduleState, ...] = ()
    page = pages = 1
    while page <= pages:
        query = {"page": str(page), "perPage": str(PAGE_SIZE), **as_of_on_wire(as_of)}
        answer = read(await transport.default.call("GET", PATH, query=query), _Answer)
        found, page, pages = (*found, *answer.data), page + 1, answer.pagination.total_pages
    return found


async def retrieve(schedule: ScheduleRef, *, as_of: Moment | None = None) -> ScheduleState:
    """The schedule as it is now, or as it was."""
    return _read(await transport.default.call("GET", _path(schedule), query=as_of_on_wire(as_of)))


async def run(schedule: ScheduleRef) -> RunHandle[Any, Any]:
    """Make a run at once, beside its ticks, whatever its state and its overlap policy."""
    content = await transport.default.call("POST", f"{_path(schedule)}/run-now")
    return RunHandle(read(content, Named).id)


async def activate(schedule: ScheduleRef) -> ScheduleState:
    """Let it go on; what was due while it paused is skipped."""
    return _read(await transport.default.call("POST", f"{_path(schedule)}/activate"))


async def deactivate(schedule: ScheduleRef) -> ScheduleState:
    """Let it pause; runs that there are go on."""
    return _read(await transport.default.call("POST", f"{_path(schedule)}/deactivate"))


async def delete(schedule: ScheduleRef) -> None:
    """Let there be no such schedule; runs that there are go on."""
    await transport.default.call("DELETE", _path(schedule))


async def ticks(schedule: ScheduleRef, start: datetime, end: datetime) -> TickReport:
    """What became of each tick between two moments, both included."""
    query = {"from": delay_on_wire(start), "to": delay_on_wire(end)}
    return read(await transport.default.call("GET", f"{_path(schedule)}/ticks", query=query), TickReport)


async def backfill(schedule: ScheduleRef, start: datetime, end: datetime) -> tuple[Backfilled, ...]:
    """Make the runs of those ticks between two moments that have none."""
    body = encode({"from": delay_on_wire(start), "to": delay_on_wire(end)})
    answer = await transport.default.call("POST", f"{_path(schedule)}/backfill", body=body)
    return read(answer, _Filled).runs


def _body(task: str | Task[Any, Any], options: ScheduleOptions) -> dict[str, Any]:
    if unknown := options.keys() - _WIRE.keys():
        raise TypeError(f"No schedule option is called {', '.join(sorted(unknown))}; there are: {', '.join(_WIRE)}.")
    given: Mapping[str, Any] = options
    said = {
        wire: convert(given[name])
        for name, (wire, convert) in _WIRE.items()
        if given.get(name) is not None and given[name] is not NOTHING
    }
    return {"task": task if isinstance(task, str) else task.id, **said}


def _path(schedule: ScheduleRef) -> str:
    return f"{PATH}/{quote(schedule if isinstance(schedule, str) else schedule.id, safe='')}"


def _read(answer: bytes) -> ScheduleState:
    return read(answer, ScheduleState)


def _as_it_is(value: Any) -> Any:
    return value


_WIRE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "cron": ("cron", _as_it_is),
    "timezone": ("timezone", _as_it_is),
    "every": ("every", minutes_of),
    "every_from": ("everyFrom", _as_it_is),
    "at": ("at", delay_on_wire),
    "external_id": ("externalId", _as_it_is),
    "start_at": ("startAt", delay_on_wire),
    "end_at": ("endAt", delay_on_wire),
    "jitter": ("jitter", seconds_text),
    "dst_gap": ("dstGap", _as_it_is),
    "dst_fold": ("dstFold", _as_it_is),
    "overlap": ("overlap", _as_it_is),
    "catch_up": ("catchUp", _as_it_is),
    "catch_up_window": ("catchUpWindow", seconds_text),
    "catch_up_max": ("catchUpMax", _as_it_is),
    "payload": ("payload", encode_payload),
    "options": ("options", options_on_wire),
}
