"""Routes about queues, and the limit of the whole environment. What runs and waits only the writer knows."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.history.past import environment_then, memory_then
from app.service import Service
from app.web import bodies, shapes
from app.web.caller import Caller, CallerDep, ServiceDep, read_body
from app.web.docs import QUEUE_LIST_PARAMETERS, QUEUE_PARAMETERS, body_of
from app.web.errors import Malformed
from app.web.history import AS_OF, AsOf, moment_asked
from app.web.paging import be_there
from app.web.routing import room
from app.web.triggering import json
from domain import commands
from domain import queue as queues
from domain.errors import QueueNotFound
from domain.memory import Memory

router = room("queues")
BODY_MAX_BYTES = 65_536
PAGE_DEFAULT = 25
PAGE_MAX = 100
TYPES = frozenset({"id", "task", "custom"})


@router.get("/api/v1/queues", openapi_extra=QUEUE_LIST_PARAMETERS)
async def list_queues(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """The queues of the environment by their names, now or then: those of tasks, and all others."""
    page, size = count_of(request, "page", 1), min(PAGE_MAX, count_of(request, "perPage", PAGE_DEFAULT))
    memory = await memory_at(request, service, caller) or await _memory_now(service, caller)
    names = sorted(memory.queues(caller.environment.id))
    data = _told(names[(page - 1) * size : page * size], memory, caller)
    pages = max(1, -(-len(names) // size))
    return json({"data": data, "pagination": {"currentPage": page, "totalPages": pages, "count": len(names)}})


@router.get("/api/v1/queues/{queue:path}", openapi_extra=QUEUE_PARAMETERS)
async def retrieve_queue(queue: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """A queue: how much runs and waits in it, and which limit counts."""
    kind = request.query_params.get("type", "id")
    if kind not in TYPES:
        raise Malformed(f"type is {', '.join(sorted(TYPES))}, not {kind[:40]!r}.")
    memory = await memory_at(request, service, caller) or await _memory_now(service, caller)
    return json(*_told([_name_of(queue, kind, memory, caller)], memory, caller))


@router.post("/api/v1/queues/{queue:path}/pause", openapi_extra=body_of("PauseQueueRequest"))
async def pause_queue(queue: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Let nothing of a queue start, or let it go on. Safe to repeat; what runs goes on, and triggers are accepted."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.PauseQueueBody)
    name = _name_of(queue, body.type, service.loop.engine.memory, caller)
    command = commands.PauseQueue if body.action == "pause" else commands.ResumeQueue
    await service.loop.submit(command(queue=name, **_origin(service, caller)))
    return await _answer(name, service, caller)


@router.post("/api/v1/queues/{queue:path}/concurrency/override", openapi_extra=body_of("OverrideQueueRequest"))
async def override_queue(queue: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Let another concurrency limit count than that of the tasks, until it is reset."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.OverrideQueueBody)
    name = _name_of(queue, body.type, service.loop.engine.memory, caller)
    origin = _origin(service, caller)
    await service.loop.submit(
        commands.OverrideQueueLimit(queue=name, concurrency_limit=body.concurrency_limit, **origin)
    )
    return await _answer(name, service, caller)


@router.post("/api/v1/queues/{queue:path}/concurrency/reset", openapi_extra=body_of("ResetQueueRequest"))
async def reset_queue(queue: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Let the concurrency limit of the tasks count again. Safe to repeat."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ResetQueueBody)
    name = _name_of(queue, body.type, service.loop.engine.memory, caller)
    await service.loop.submit(commands.ResetQueueLimit(queue=name, **_origin(service, caller)))
    return await _answer(name, service, caller)


@router.get("/api/v1/concurrency")
async def retrieve_concurrency(service: ServiceDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """How many attempts of the environment, all queues together, may be open at once; null: as many as there are."""
    moment = await moment_asked(as_of, service)
    if moment is not None:
        then = await service.read(environment_then, service.ledger, caller.environment.id, moment)
        return json({"concurrencyLimit": then.concurrency_limit})
    return await _concurrency(service, caller)


@router.put("/api/v1/concurrency", openapi_extra=body_of("ConcurrencyRequest"))
async def limit_concurrency(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Bound the open attempts of the environment, or bound them no more."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ConcurrencyBody)
    await service.loop.submit(
        commands.LimitEnvironment(concurrency_limit=body.concurrency_limit, **_origin(service, caller))
    )
    return await _concurrency(service, caller)


async def _concurrency(service: Service, caller: Caller) -> Response:
    environment = (await _memory_now(service, caller)).environment(caller.environment.id)
    return json({"concurrencyLimit": environment.concurrency_limit if environment else None})


async def _answer(name: str, service: Service, caller: Caller) -> Response:
    return json(*_told([name], await _memory_now(service, caller), caller))


def _told(names: list[str], memory: Memory, caller: Caller) -> list[dict[str, Any]]:
    environment, ready, limits = caller.environment.id, memory.ready, memory.limits
    running = ready.running(environment)
    return [
        shapes.queue_item(
            queues.stream_of(environment, name),
            name,
            limits.gate(environment, name),
            running=running.get(name, 0),
            queued=ready.depth(environment, name),
        )
        for name in names
    ]


async def memory_at(request: Request, service: Service, caller: Caller) -> Memory | None:
    """What there was at the moment that is asked about, None for now. Raises Malformed, InvalidInput."""
    moment = await moment_asked(request.query_params.get(AS_OF), service)
    if moment is None:
        return None
    environment = caller.environment.id
    # Whoever was spoken of once is known for ever.
    spoken_of = [queues.stream_of(environment, name) for name in service.loop.engine.memory.queues(environment)]
    await be_there(service, moment.position)
    return await service.read(memory_then, service.ledger, service.read_models, environment, moment, spoken_of)


async def _memory_now(service: Service, caller: Caller) -> Memory:
    """What there is, of the caller's environment only what is committed: read it before anything else is awaited.

    Any run counts in its queue, so no change to the environment may be in flight. Raises Unavailable.
    """
    await service.loop.committed(caller.environment.id)
    return service.loop.engine.memory


def _name_of(given: str, kind: str, memory: Memory, caller: Caller) -> str:
    """The whole name of the queue in the path: by its id, by its task, or by its own name. Raises QueueNotFound."""
    # Clients write a slash as %252F: the first decoding leaves this.
    given = given.replace("%2F", "/")
    environment = caller.environment.id
    if kind == "id":
        known = (name for name in memory.queues(environment) if queues.stream_of(environment, name) == given)
        name = next(known, None)
    else:
        name = shapes.TASK_QUEUE + given if kind == "task" else given
    if name is None or not memory.knows_queue(environment, name):
        raise QueueNotFound(f"There is no queue of the {kind} {given[:200]!r} in this environment.")
    return name


def count_of(request: Request, name: str, default: int) -> int:
    """A whole number of the query. Raises Malformed."""
    value = request.query_params.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and int(value) >= 1):
        raise Malformed(f"{name} is a number of 1 or more, not {value[:40]!r}.")
    return int(value)


def _origin(service: Service, caller: Caller) -> dict[str, Any]:
    at = service.clock.now().wall
    return {"environment": caller.environment.id, "actor": caller.actor, "cause": caller.cause, "at": at}
