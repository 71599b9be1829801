"""How runs are made: by a task, or by a task's id."""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeGuard, TypeVar
from urllib.parse import quote

import msgspec

from runfold import transport
from runfold.answers import read
from runfold.children import Children
from runfold.codec import Types, encode, encode_payload
from runfold.entries import Entry
from runfold.handles import BatchHandle, BatchItem, RunHandle
from runfold.options import TriggerOptions, trigger_on_wire
from runfold.typevars import PayloadT, ResultT

BATCH_MAX = 1000
NOTHING: Final[Any] = msgspec.UNSET
"""No payload at all: what a task without parameters is triggered with."""

T = TypeVar("T")


class _Item(msgspec.Struct, omit_defaults=True):
    """One run to make."""

    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    options: dict[str, Any] = {}


class _Made(msgspec.Struct, rename="camel"):
    id: str
    is_cached: bool = False


class _Batch(msgspec.Struct, rename="camel"):
    batch_id: str
    runs: list[_Made]


class Triggering(Generic[PayloadT, ResultT]):
    """Makes runs of one task, whose types the handles then know."""

    def __init__(self, task_id: str, types: Types[PayloadT, ResultT]) -> None:
        self._task = task_id
        self._path = f"/api/v1/tasks/{quote(task_id, safe='')}"
        self._types = types

    async def one(self, payload: Any, options: TriggerOptions) -> RunHandle[PayloadT, ResultT]:
        item = _item(payload, options)
        async with Children(f"trigger {self._task}", item) as children:
            if children.known is not None:
                return self._told(children.known)[0]
            item.options = children.keyed(item.options)
            made = await self._post("trigger", item, _Made)
            await children.record([made.id], cached=(0,) if made.is_cached else ())
        return self._handle(made)

    async def batch(self, items: Sequence[Any]) -> BatchHandle[PayloadT, ResultT]:
        if len(items) > BATCH_MAX:
            raise ValueError(f"A batch has at most {BATCH_MAX} runs, not {len(items)}: trigger several batches.")
        written = [_item_of(each) for each in items]
        async with Children(f"batch trigger {self._task}", written) as children:
            known = children.known
            if known is not None:
                return BatchHandle(known.batch or "", self._told(known))
            for place, item in enumerate(written):
                item.options = children.keyed(item.options, place)
            made = await self._post("batch", {"items": written}, _Batch)
            cached = tuple(place for place, each in enumerate(made.runs) if each.is_cached)
            await children.record([each.id for each in made.runs], made.batch_id, cached)
        return BatchHandle(made.batch_id, tuple(self._handle(each) for each in made.runs))

    async def _post(self, what: str, body: Any, answer: type[T]) -> T:
        content = await transport.default.call("POST", f"{self._path}/{what}", body=encode(body))
        return read(content, answer)

    def _told(self, known: Entry) -> tuple[RunHandle[PayloadT, ResultT], ...]:
        """What was triggered before, as it was told then."""
        return tuple(self._handle(_Made(run, is_cached)) for run, is_cached in known.told_runs)

    def _handle(self, made: _Made) -> RunHandle[PayloadT, ResultT]:
        return RunHandle(made.id, made.is_cached, self._types)


def _item_of(each: Any) -> _Item:
    return _item(each.payload, each.options) if _has_options(each) else _item(each, {})


def _has_options(each: Any) -> TypeGuard[BatchItem[Any]]:
    return isinstance(each, BatchItem)


def _item(payload: Any, options: TriggerOptions) -> _Item:
    return _Item(NOTHING if payload is NOTHING else encode_payload(payload), trigger_on_wire(options))
