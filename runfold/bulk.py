"""Cancels and replays of many runs at once, which the engine works off by itself."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from runfold import transport
from runfold.answers import Named, read
from runfold.blocking import blocking
from runfold.codec import encode
from runfold.durations import Duration, duration_ms
from runfold.filters import RunFilters, check_names, epoch_ms, seconds_text
from runfold.handles import Ref, id_of

PATH = "/api/v1/bulk-actions"


class BulkCounts(msgspec.Struct, frozen=True):
    total: int = 0
    success: int = 0
    failure: int = 0


class BulkAction(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How far it is."""

    id: str
    type: Literal["CANCEL", "REPLAY"]
    status: Literal["PENDING", "COMPLETED", "ABORTED"]
    counts: BulkCounts = BulkCounts()
    name: str | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    """Why it is ABORTED, if nobody asked for that."""


class AsyncBulkHandle:
    """A bulk action that the engine has accepted."""

    def __init__(self, action_id: str) -> None:
        self.id = action_id

    async def retrieve(self) -> BulkAction:
        """How far it is now."""
        return read(await transport.default.call("GET", self._path()), BulkAction)

    async def poll(
        self,
        *,
        interval: Duration = 1.0,
        timeout: Duration | None = None,  # noqa: ASYNC109 (also for callers that cannot await)
    ) -> BulkAction:
        """How it ended, once it has; raises TimeoutError if that takes longer than `timeout`."""
        clock, sleep = transport.default.clock, transport.default.sleep
        deadline = None if timeout is None else clock() + duration_ms(timeout) / 1000
        while (now := await self.retrieve()).status == "PENDING":
            if deadline is not None and clock() >= deadline:
                raise TimeoutError(f"The bulk action {self.id} is still under way after {timeout}: {now.counts}.")
            await sleep(duration_ms(interval) / 1000)
        return now

    async def abort(self) -> None:
        """Leave the runs alone that it has not come to yet."""
        await transport.default.call("POST", self._path("/abort"))

    def _path(self, action: str = "") -> str:
        return f"{PATH}/{quote(self.id, safe='')}{action}"

    def __repr__(self) -> str:
        return f"<bulk action {self.id}>"


class BulkHandle:
    """The same for callers that cannot await."""

    def __init__(self, handle: AsyncBulkHandle) -> None:
        self.id = handle.id
        self.retrieve = blocking(handle.retrieve)
        self.poll = blocking(handle.poll)
        self.abort = blocking(handle.abort)

    def __repr__(self) -> str:
        return f"<bulk action {self.id}>"


async def start(
    action: Literal["cancel", "replay"], ids: Sequence[Ref] | None, filters: RunFilters | None, name: str | None
) -> AsyncBulkHandle:
    """Exactly one of ids and filters says which runs; filters that let all runs through are refused."""
    if (ids is None) == (filters is None):
        raise TypeError(f"Say which runs to {action}: either ids=[...] or filters={{...}}.")
    which = {"filter": _filter(filters)} if filters is not None else {"runIds": [id_of(each) for each in ids or ()]}
    if not all(which.values()):
        raise ValueError(f"There is nothing to {action}: {which} names no runs.")
    body = {"action": action, **which, **({} if name is None else {"name": name})}
    answer = await transport.default.call("POST", PATH, body=encode(body))
    return AsyncBulkHandle(read(answer, Named).id)


def _filter(filters: RunFilters) -> dict[str, Any]:
    check_names(filters, _WIRE)
    given: Mapping[str, Any] = filters
    return {wire: convert(value) for name, (wire, convert) in _WIRE.items() if (value := given.get(name)) is not None}


def _any_of(values: str | Sequence[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def _as_it_is(value: Any) -> Any:
    return value


_WIRE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "status": ("status", _any_of),
    "task": ("taskIdentifier", _any_of),
    "tag": ("tag", _any_of),
    "queue": ("queue", _any_of),
    "version": ("version", _any_of),
    "batch": ("batch", _as_it_is),
    "bulk_action": ("bulkAction", str),
    "schedule": ("schedule", _as_it_is),
    "created_from": ("from", epoch_ms),
    "created_to": ("to", epoch_ms),
    "period": ("period", seconds_text),
    "is_test": ("isTest", _as_it_is),
}
"""Names and conversions of a list's filters, less the size of a page."""
