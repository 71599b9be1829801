"""The clock of an engine for tests. No other engine has these routes, nor does the document of the API."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.nodes.moving import MovableClock, Moving
from app.web import bodies
from app.web.caller import CallerDep, ServiceDep, read_body
from app.web.triggering import json
from domain import builtin

BODY_MAX_BYTES = 1_024
NOW = b"x-runfold-now"


class TellingTime:
    """The application of an engine for tests, which says with each answer what time it is: workers go by that."""

    def __init__(self, application: ASGIApp, clock: MovableClock) -> None:
        self._application = application
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_time(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (NOW, b"%d" % self._clock.now().wall)]
            await send(message)

        await self._application(scope, receive, send_with_time)


class AdvanceBody(bodies.StrictBody, rename="camel"):
    """By how much the clock is put forward, and for how long what goes on is waited for, each time that it stops."""

    ms: bodies.Count
    patience_ms: bodies.Count | None = 10_000


def router_for(clock: MovableClock) -> APIRouter:
    """The routes that move this clock."""
    router = APIRouter(tags=["testing"], include_in_schema=False)

    @router.get("/testing/v1/clock")
    async def tell(caller: CallerDep) -> Response:  # noqa: ARG001 (nobody else is told)
        """What time it is for the engine."""
        return json({"now": clock.now().wall})

    @router.post("/testing/v1/clock/advance")
    async def advance(request: Request, service: ServiceDep, caller: CallerDep) -> Response:  # noqa: ARG001
        """Put the clock forward; answered when all that was due by then is committed, and nothing goes on any more."""
        body = bodies.decode(await read_body(request, BODY_MAX_BYTES), AdvanceBody)
        await Moving(service, clock, body.patience_ms).forward(body.ms)
        return json({"now": clock.now().wall})

    @router.get("/testing/v1/workers")
    async def workers(service: ServiceDep, caller: CallerDep) -> Response:
        """How many workers of the environment wait for runs at this moment, apart from the engine's own executor."""
        found = service.loop.engine.sessions
        mine = [each for each in found if each.environment == caller.environment.id and each.version != builtin.VERSION]
        return json({"waiting": sum(each.sequence > 0 and each.want > 0 for each in mine)})

    return router
