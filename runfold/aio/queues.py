"""Look at queues and steer them. A queue is named by its name, its Queue, or the task whose own queue it is."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from runfold import transport
from runfold.answers import read
from runfold.codec import encode
from runfold.definition import Task
from runfold.moments import Moment, as_of_on_wire
from runfold.policies import Queue

PATH = "/api/v1/queues"
OF_TASK = "task/"
PAGE_SIZE = 100

QueueRef = str | Queue | Task[Any, Any]


class QueueConcurrency(msgspec.Struct, frozen=True, rename="camel"):
    """The limit in force and where it comes from."""

    current: int | None = None
    base: int | None = None
    override: int | None = None
    overridden_at: datetime | None = None
    overridden_by: str | None = None


class QueueState(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A queue at one moment."""

    id: str
    name: str
    """Of a task's own queue, the task's id."""
    type: str
    """`task` or `custom`."""
    running: int = 0
    queued: int = 0
    paused: bool = False
    concurrency_limit: int | None = None
    concurrency: QueueConcurrency | None = None


class _Pages(msgspec.Struct, rename="camel"):
    total_pages: int = 1


class _Answer(msgspec.Struct):
    data: tuple[QueueState, ...]
    pagination: _Pages = msgspec.field(default_factory=_Pages)


async def list(*, as_of: Moment | None = None) -> tuple[QueueState, ...]:  # noqa: A001 (the API's word)
    """Every queue of the environment, as it is or was."""
    queues: tuple[QueueState, ...] = ()
    page = pages = 1
    while page <= pages:
        query = {"page": str(page), "perPage": str(PAGE_SIZE), **as_of_on_wire(as_of)}
        answer = read(await transport.default.call("GET", PATH, query=query), _Answer)
        queues, page, pages = (*queues, *answer.data), page + 1, answer.pagination.total_pages
    return queues


async def retrieve(queue: QueueRef, *, as_of: Moment | None = None) -> QueueState:
    """The queue as it is now, or as it was."""
    kind, path = _named(queue)
    return _read(await transport.default.call("GET", path, query={"type": kind, **as_of_on_wire(as_of)}))


async def pause(queue: QueueRef) -> QueueState:
    """Start none of its runs; those under way go on."""
    return await _post(queue, "/pause", action="pause")


async def resume(queue: QueueRef) -> QueueState:
    return await _post(queue, "/pause", action="resume")


async def override(queue: QueueRef, concurrency_limit: int) -> QueueState:
    """Put this limit in the place of the one that the code says, until it is reset."""
    return await _post(queue, "/concurrency/override", concurrencyLimit=concurrency_limit)


async def reset_override(queue: QueueRef) -> QueueState:
    """Return to the limit that the code says."""
    return await _post(queue, "/concurrency/reset")


async def _post(queue: QueueRef, what: str, **facts: Any) -> QueueState:
    kind, path = _named(queue)
    return _read(await transport.default.call("POST", path + what, body=encode({"type": kind, **facts})))


def _read(answer: bytes) -> QueueState:
    return read(answer, QueueState)


def _named(queue: QueueRef) -> tuple[str, str]:
    """The kind of name, and the path, in which a slash of the name is written twice over."""
    if isinstance(queue, Task):
        queue = queue.declaration.queue or OF_TASK + queue.id
    name = queue.name if isinstance(queue, Queue) else queue
    kind = "task" if name.startswith(OF_TASK) else "custom"
    plain = name.removeprefix(OF_TASK).replace("/", "%2F")
    return kind, f"{PATH}/{quote(plain, safe='')}"
