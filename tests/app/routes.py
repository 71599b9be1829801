"""Every route of the application, and a request for it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from app.web.docs import OPEN_PATHS

BODIES: dict[str, Any] = {
    "/api/v1/tasks/{task}/trigger": {},
    "/api/v1/tasks/{task}/batch": {"items": [{}]},
    "/api/v1/tasks/batch": {"items": [{"task": "greet"}]},
    "/api/v2/tasks/batch": {"items": [{"task": "greet"}]},
    "/api/v3/batches": {"runCount": 1},
    "/api/v1/sinks": {"name": "audit", "url": "https://example.com/"},
    "/api/v1/retention": {"days": None},
    "/api/v1/erasures": {"runIds": ["run_1"]},
    "/api/v1/bulk-actions": {"action": "cancel", "runIds": ["run_1"]},
    "/api/v1/projects/{project}/envvars/{slug}": {"name": "A", "value": "1"},
    "/api/v1/projects/{project}/envvars/{slug}/import": {"variables": {"A": "1"}},
    "/api/v1/projects/{project}/envvars/{slug}/{name}": {"value": "1"},
    "/api/v1/auth/public-tokens": {"scopes": ["read:runs"]},
    "/api/v1/waitpoints/tokens": {"timeout": "1h"},
    "/api/v1/waitpoints/tokens/{token}/complete": {"data": 1},
    "/api/v1/runs/{run}/reschedule": {"delay": "1h"},
    "/api/v1/runs/{run}/tags": {"tags": "a"},
    "/api/v1/idempotencyKeys/{key}/reset": {"taskIdentifier": "greet"},
    "/api/v1/queues/{queue}/pause": {"type": "task", "action": "pause"},
    "/api/v1/queues/{queue}/concurrency/override": {"type": "task", "concurrencyLimit": 3},
    "/api/v1/queues/{queue}/concurrency/reset": {"type": "task"},
    "/api/v1/concurrency": {"concurrencyLimit": 7},
    "/api/v1/runs/{run}/metadata": {"metadata": {}},
    "/api/v1/schedules": {"task": "greet", "every": 5},
    "/api/v1/schedules/{schedule}": {"task": "greet", "every": 5},
    "/api/v1/schedules/{schedule}/backfill": {"from": "2027-01-15", "to": "2027-01-16"},
    "/api/v1/events": {"name": "user.created"},
    "/api/v1/events/bulk": {"events": [{"name": "user.created"}]},
    "/api/v1/connections/{name}": {"credentials": {}},
    "/v1/jobs": {"name": "ping", "kind": "one_time", "request": {"url": "https://example.com"}},
    "/v1/jobs/{job}": {"name": "pong"},
    "/v1/jobs/preview": {"kind": "cron", "schedule": {"cron": "0 9 * * 1-5"}},
    "/v1/jobs/import": {"crontab": "@daily curl https://example.com"},
    "/v1/alerts": {"name": "ops", "kind": "webhook", "url": "https://example.com"},
    "/v1/secrets": {"name": "api-token", "value": "x"},
    "/v1/secrets/{name}": {"value": "x"},
    "/api/v1/environments": {"slug": "prod", "type": "PRODUCTION"},
    "/worker/v1/register": {"tasks": [{"id": "greet"}]},
    "/worker/v1/turn": {"session": "worker_1", "version": "20270115.1", "sequence": 1},
}
"""A body for the routes that need one."""
METHODS = {
    "/api/v1/concurrency": "PUT",
    "/api/v1/connections/{name}": "PUT",
    "/api/v1/projects/{project}/envvars/{slug}/{name}": "PUT",
    "/api/v1/runs/{run}/metadata": "PUT",
    "/api/v1/schedules/{schedule}": "PUT",
    "/v1/secrets/{name}": "PUT",
    "/v1/jobs/{job}": "PATCH",
    "/api/v1/retention": "PUT",
}
"""With what routes take their body; the others do with POST."""


def routes_of(application: FastAPI) -> list[tuple[str, str]]:
    """The method and the path of each route that is ours, as the documentation writes them."""
    return [
        (method, route.path_format) for route in _walk(application.routes) for method in sorted(route.methods or ())
    ]


def questions_to(application: FastAPI, dependency: Callable[..., Any]) -> list[str]:
    """The paths that are read, and by functions that depend on this one."""
    return [
        path_for(route.path_format)
        for route in _walk(application.routes)
        if "GET" in (route.methods or ()) and dependency in {each.call for each in route.dependant.dependencies}
    ]


def _walk(routes: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        # Recent versions of FastAPI keep a router that was included as one route.
        included = getattr(route, "original_router", None)
        if isinstance(included, APIRouter):
            yield from _walk(included.routes)


def method_of(path: str) -> str:
    """The method with which a route takes a body."""
    return METHODS.get(path, "POST")


def needs_key(path: str) -> bool:
    """Whether the route is closed to those who have no key."""
    return path not in OPEN_PATHS


def path_for(path: str, run: str = "run_1", **named: str) -> str:
    """The path with something in the place of its parameters."""
    others = {
        "task": "greet",
        "key": "k",
        "queue": "greet",
        "batch": "batch_1",
        "bulk": "bulk_1",
        "token": "waitpoint_1",
        "secret": "5ec7e7",
        "name": "github",
        "schedule": "sched_1",
        "slug": "dev",
        "project": "default",
        "deployment": "20270115.1",
        "path": "trigger/packet_1/payload.json",
        "packet": "packet_1",
        "stream": "packet_1",
        "job": "job_1",
        "execution": "run_1",
        "event": "evt_1",
        "erasure": "erasure_1",
        "sink": "sink_1",
        "channel": "alert_1",
    }
    # The first span of a run has its id.
    return path.format(**others | {"run": run, "span": run} | named)
