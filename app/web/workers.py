"""The workers that the engine hears from. They are in no event: only the writer knows them, and only as they are.

Which runs a worker has is in the events of these, so those that had runs at a moment are told of it.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.service import Service
from app.web.caller import Caller, CallerDep, ServiceDep
from app.web.docs import WORKER_LIST_PARAMETERS
from app.web.queues import count_of, memory_at
from app.web.routing import room
from app.web.triggering import json
from domain import builtin
from domain.durations import iso
from domain.environment import Environment
from domain.memory import Memory
from domain.run import Run
from domain.sessions import Session
from domain.status import Status

router = room("workers")
PAGE_DEFAULT, PAGE_MAX = 25, 100
RUNS_MAX = 100
"""How many of a worker's runs are named."""


@router.get("/api/v1/workers", openapi_extra=WORKER_LIST_PARAMETERS)
async def list_workers(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """The workers that are connected to the environment, by their names: what they take, hold and have room for.

    Of a moment, those that had runs then, by their ids: who else was connected, and what else is told of them, is in no
    event.
    """
    page, size = count_of(request, "page", 1), min(PAGE_MAX, count_of(request, "perPage", PAGE_DEFAULT))
    shown = slice((page - 1) * size, page * size)
    then = await memory_at(request, service, caller)
    if then is not None:
        items = _items_then(then, caller)
        data, count = items[shown], len(items)
    else:
        # Nobody is told of anything that may not come to be: what runs where is read without awaiting anything more.
        await service.loop.committed(caller.environment.id)
        here = _here(service, caller)
        data, count = [_item(each, service, caller) for each in here[shown]], len(here)
    pages = max(1, -(-count // size))
    return json({"data": data, "pagination": {"currentPage": page, "totalPages": pages, "count": count}})


def _here(service: Service, caller: Caller) -> list[Session]:
    """Those that are connected."""
    here = [each for each in service.loop.engine.sessions if each.environment == caller.environment.id]
    return sorted(here, key=lambda each: (_is_builtin(each.version), each.name is None, each.name or "", each.id))


def _item(session: Session, service: Service, caller: Caller) -> dict[str, Any]:
    memory = service.loop.engine.memory
    names = sorted(memory.worker_runs.get(session.id, ()))
    environment = memory.environment(caller.environment.id) or caller.environment
    heard: dict[str, Any] = {
        "name": session.name,
        "machines": None if session.machines is None else list(session.machines),
        "free": session.wanted,
        "connectedAt": None if session.connected_at is None else iso(session.connected_at),
        "lastHeardAt": None if session.heard_at is None else iso(session.heard_at),
        "node": session.node,
    }
    held = _held(session.id, session.version, environment, _runs_of(session.id, names, memory), caller)
    return held | {name: value for name, value in heard.items() if value is not None}


def _items_then(memory: Memory, caller: Caller) -> list[dict[str, Any]]:
    """The workers that had runs then, of which the oldest one says of which version a worker is."""
    environment = memory.environment(caller.environment.id)
    if environment is None:
        return []
    had = {worker: _runs_of(worker, sorted(names), memory) for worker, names in memory.worker_runs.items()}
    versions = {worker: runs[0].worker_version or "" for worker, runs in had.items()}
    ordered = sorted(had, key=lambda worker: (_is_builtin(versions[worker]), worker))
    return [_held(worker, versions[worker], environment, had[worker], caller) for worker in ordered]


def _held(worker: str, version: str, environment: Environment, runs: Sequence[Run], caller: Caller) -> dict[str, Any]:
    """What the ledger tells of a worker, too."""
    tasks = environment.tasks_of(version) or {}
    running = sum(run.status is not Status.WAITING for run in runs)
    return {
        "id": worker,
        "version": version,
        "isBuiltin": _is_builtin(version),
        "tasks": sorted(tasks),
        "queues": sorted({each.queue.name if each.queue else f"task/{name}" for name, each in tasks.items()}),
        "running": running,
        "waiting": len(runs) - running,
        "runs": [{"id": run.id, "status": caller.vocabulary.words[run.status]} for run in runs[:RUNS_MAX]],
    }


def _runs_of(worker: str, names: Sequence[str], memory: Memory) -> list[Run]:
    """Those of these runs that it has."""
    return [run for name in names if (run := memory.run(name)) is not None and run.worker == worker]


def _is_builtin(version: str) -> bool:
    return version == builtin.VERSION
