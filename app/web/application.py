"""The web application of a node."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.engine.environments import digest_of
from app.engine.reader import Reader
from app.nodes.metrics import Metrics
from app.nodes.moving import MovableClock
from app.pages.routes import ROUTES as PAGES
from app.pages.visits import Desk
from app.web import (
    alerts,
    annotating,
    batches,
    bulk,
    connections,
    deployments,
    differences,
    docs,
    environments,
    erasing,
    errors,
    events,
    executions,
    health,
    jobs,
    journal,
    ledger,
    logs,
    metrics,
    packets,
    public_tokens,
    queues,
    realtime,
    registering,
    runs,
    schedules,
    secrets,
    sinks,
    streaming,
    testing,
    tokens,
    traces,
    triggering,
    variables,
    worker,
    workers,
)
from app.web.index import Index

ROOMS = (
    *(health, metrics, triggering, streaming, runs, journal, traces, annotating, logs, batches, bulk, tokens, queues),
    *(
        schedules,
        events,
        deployments,
        workers,
        jobs,
        executions,
        secrets,
        alerts,
        packets,
        public_tokens,
        realtime,
        connections,
        environments,
    ),
    *(variables, ledger, differences, sinks, erasing, registering, worker),
)
"""The modules of routes, in the order in which the document shows them."""


def create_application(
    reader_now: Callable[[], Reader],
    admin_key: str | None = None,
    public_url: str | None = None,
    test_clock: MovableClock | None = None,
) -> FastAPI:
    """All routes, answered by what `reader_now` gives: an engine, or a standby, which can only be read.

    `admin_key` opens all environments to whoever makes them and their keys; without one nobody does. `public_url` is
    where others find the API, without one where the client of a request did. Routes that move the clock are there only
    with a `test_clock`.
    """
    application = FastAPI(
        title="Runfold",
        version="0.1.0",
        description="Background work that never gets lost and can always be explained.",
        # FastAPI's own pages of it bring scripts of other sites along; ours is among the pages.
        docs_url=None,
        redoc_url=None,
    )
    application.state.reader_now = reader_now
    application.state.admin_sha256 = digest_of(admin_key) if admin_key else None
    application.state.public_url = public_url
    application.state.metrics = Metrics()
    errors.install(application)
    # Whoever has a key or a token may come from any page. Cookies are no use to those: browsers show a page of another
    # site no answer to a request that carried some, unless it is told so here.
    application.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=["*"]
    )
    for room in ROOMS:
        # As they are: `include_router` makes each of them anew, for every application and at its first request.
        application.router.routes += room.router.routes
    application.state.desk = Desk(application)
    application.router.routes += PAGES
    application.router.routes.insert(0, Index(application.router.routes))
    if test_clock is not None:
        application.include_router(testing.router_for(test_clock))
    generate = application.openapi

    def openapi() -> dict[str, Any]:
        return docs.complete(generate())

    application.openapi = openapi  # type: ignore[method-assign]
    return application
