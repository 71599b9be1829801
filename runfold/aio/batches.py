"""Make batches of different tasks and look at batches. A batch is named by its id or by its handle."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from runfold import transport
from runfold.answers import read
from runfold.batch import Batch, ListedBatch
from runfold.children import Children
from runfold.codec import PLAIN, Types, encode, encode_payload
from runfold.definition import Task
from runfold.handles import BatchHandle, RunHandle
from runfold.options import TriggerOptions, trigger_on_wire
from runfold.pages import AsyncBatchPage, first_of
from runfold.results import of_batch
from runfold.run import RunResult
from runfold.triggering import BATCH_MAX, NOTHING
from runfold.typevars import PayloadT, ResultT

ND_JSON = "application/x-ndjson"
CHUNK_BYTES = 65_536

BatchRef = str | BatchHandle[Any, Any]
TaskRef = str | Task[Any, Any]
TaskItem = tuple[TaskRef] | tuple[TaskRef, Any] | tuple[TaskRef, Any, TriggerOptions]
"""A task or its id, the payload, and options of this run."""


class _Line(msgspec.Struct, omit_defaults=True):
    """An item on the wire; its index makes it safe to send twice."""

    index: int
    task: str
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    options: dict[str, Any] = {}


class _Created(msgspec.Struct, rename="camel"):
    id: str
    run_count: int


async def trigger(items: Iterable[TaskItem], *, idempotency_key: str | None = None) -> BatchHandle[Any, Any]:
    """Make a run for each item, at most 1000. One that can become no run spoils no other: the batch tells of it.

    Items travel in a stream that is sent anew when it breaks; an item makes one run at most.
    """
    chosen = [*items]
    if len(chosen) > BATCH_MAX:
        raise ValueError(f"A batch has at most {BATCH_MAX} runs, not {len(chosen)}: trigger several batches.")
    # All are written before the batch is made, so that a payload which has no JSON form leaves nothing half done.
    lines = [encode(_line(index, item)) for index, item in enumerate(chosen)]
    key = {} if idempotency_key is None else {"idempotencyKey": idempotency_key}
    async with Children("batch trigger", [msgspec.Raw(line) for line in lines]) as children:
        if children.known is not None:
            batch = await retrieve(children.known.batch or "")
        else:
            batch = await retrieve(await _make(lines, children.keyed(key)))
            await children.record([*batch.runs], batch.id)
    return _handle(batch, [_types_of(item[0]) for item in chosen])


async def retrieve(batch: BatchRef) -> Batch:
    """The batch as it is now."""
    return read(await transport.default.call("GET", _path(batch, "v2")), Batch)


async def list(  # noqa: A001 (batches.list)
    *, status: str | None = None, limit: int = 100
) -> tuple[ListedBatch, ...]:
    """The newest batches, of this status if it is given: see `Batch.status`."""
    return await first_of(AsyncBatchPage, {"filter[status]": status}, limit)


async def results(batch: str | BatchHandle[PayloadT, ResultT]) -> tuple[RunResult[ResultT], ...]:
    """How the runs ended that have, in the order of the items; by handle, with outputs of the tasks' types."""
    return await of_batch(batch)


async def _make(lines: Sequence[bytes], key: dict[str, Any]) -> str:
    """The id of a batch of these items, made now or found by its key."""
    body = encode({"runCount": len(lines), **key})
    made = read(await transport.default.call("POST", "/api/v3/batches", body=body), _Created)
    if made.run_count != len(lines):
        raise ValueError(f"The key stands for batch {made.id} of {made.run_count} items already, not of {len(lines)}.")
    path = f"/api/v3/batches/{quote(made.id, safe='')}/items"
    await transport.default.call("POST", path, body=lambda: _stream(lines), content_type=ND_JSON)
    return made.id


def _line(index: int, item: TaskItem) -> _Line:
    payload, options = NOTHING, TriggerOptions()
    match item:
        case (task,):
            pass
        case (task, payload):
            pass
        case (task, payload, options):
            pass
    name = task.id if isinstance(task, Task) else task
    written = NOTHING if payload is NOTHING else encode_payload(payload)
    return _Line(index, name, written, trigger_on_wire(options))


def _types_of(task: TaskRef) -> Types[Any, Any]:
    return task.body.types if isinstance(task, Task) else PLAIN


async def _stream(lines: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in _chunks(lines):
        yield chunk


def _chunks(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Lines together up to a size: a packet for each would be slow."""
    chunk = bytearray()
    for line in lines:
        chunk += line + b"\n"
        if len(chunk) >= CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def _handle(batch: Batch, types: Sequence[Types[Any, Any]]) -> BatchHandle[Any, Any]:
    """The runs and the types of their tasks, less those of the items that became none."""
    refused = {each.index for each in batch.refused}
    kept = (each for index, each in enumerate(types) if index not in refused)
    runs = tuple(RunHandle(run, types=each) for run, each in zip(batch.runs, kept, strict=True))
    return BatchHandle(batch.id, runs)


def _path(batch: BatchRef, version: str, what: str = "") -> str:
    name = batch if isinstance(batch, str) else batch.batch_id
    return f"/api/{version}/batches/{quote(name, safe='')}{what}"
