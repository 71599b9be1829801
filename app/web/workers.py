"""The workers that the engine hears from. They are in no event: only the writer knows them, and only as they are."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.service import Service
from app.web.caller import Caller, CallerDep, ServiceDep
from app.web.docs import WORKER_LIST_PARAMETERS
from app.web.errors import Malformed
from app.web.history import AS_OF
from app.web.queues import count_of
from app.web.routing import room
from app.web.triggering import json
from domain import builtin
from domain.durations import iso
from domain.environment import Environment
from domain.run import Run
from domain.sessions import Session
from domain.status import Status

router = room("workers")
PAGE_DEFAULT, PAGE_MAX = 25, 100
RUNS_MAX = 100
"""How many of a worker's runs are named."""


@router.get("/api/v1/workers", openapi_extra=WORKER_LIST_PARAMETERS)
async def list_workers(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """The workers that are connected to the environment, by their names: what they take, hold and have room for."""
    if AS_OF in request.query_params:
        raise Malformed("Which workers were connected is in no event: leave asOf out. Who had a run is in its events.")
    # Nobody is told of anything that may not come to be: what runs where is read without awaiting anything more.
    await service.loop.committed(caller.environment.id)
    page, size = count_of(request, "page", 1), min(PAGE_MAX, count_of(request, "perPage", PAGE_DEFAULT))
    environment = service.loop.engine.memory.environment(caller.environment.id) or caller.environment
    here = [each for each in service.loop.engine.sessions if each.environment == environment.id]
    here.sort(key=lambda each: (each.version == builtin.VERSION, each.name is None, each.name or "", each.id))
    shown = here[(page - 1) * size : page * size]
    data = [_item(each, environment, service, caller) for each in shown]
    pages = max(1, -(-len(here) // size))
    return json({"data": data, "pagination": {"currentPage": page, "totalPages": pages, "count": len(here)}})


def _item(session: Session, environment: Environment, service: Service, caller: Caller) -> dict[str, Any]:
    tasks = environment.tasks_of(session.version) or {}
    runs = _runs_of(session, service)
    running = [run for run in runs if run.status is not Status.WAITING]
    item: dict[str, Any] = {
        "id": session.id,
        "name": session.name,
        "version": session.version,
        "isBuiltin": session.version == builtin.VERSION,
        "tasks": sorted(tasks),
        "queues": sorted({each.queue.name if each.queue else f"task/{name}" for name, each in tasks.items()}),
        "machines": None if session.machines is None else list(session.machines),
        "running": len(running),
        "waiting": len(runs) - len(running),
        "free": session.wanted,
        "runs": [{"id": run.id, "status": caller.vocabulary.words[run.status]} for run in runs[:RUNS_MAX]],
        "connectedAt": None if session.connected_at is None else iso(session.connected_at),
        "lastHeardAt": None if session.heard_at is None else iso(session.heard_at),
        "node": session.node,
    }
    return {name: value for name, value in item.items() if value is not None}


def _runs_of(session: Session, service: Service) -> list[Run]:
    """Those that it has, oldest first."""
    memory = service.loop.engine.memory
    names = sorted(memory.worker_runs.get(session.id, ()))
    return [run for name in names if (run := memory.run(name)) is not None]
