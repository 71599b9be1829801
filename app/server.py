"""`runfold serve`: one engine process."""

import asyncio
import gc
import random
import socket
import sys

import structlog
import uvicorn

from adapters.clock import SystemClock
from adapters.ids import Uuid7Ids
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from app.service import Service, new_key, start_service
from app.settings import Settings
from app.web.application import create_application

log = structlog.get_logger(__name__)

# Long polls are answered well within it; what is left then is cut off.
SHUTDOWN_SECONDS = 5


def serve(settings: Settings) -> None:
    """Run an engine until SIGTERM or SIGINT. Raises LedgerUnavailable when another one has the database."""
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(settings))


def open_service(settings: Settings) -> Service:
    """The one place that picks concrete parts."""
    settings.database_path.parent.mkdir(parents=True, exist_ok=True)
    ledger = SqliteLedger(settings.database_path)
    read_models = SqliteReadModels(settings.views_path)
    return start_service(
        ledger, read_models, SystemClock(), Uuid7Ids(), lease_ms=settings.lease_ms, chance=random.SystemRandom()
    )


class _Server(uvicorn.Server):
    """Stops the engine first, so that waiting turns are answered instead of holding the shutdown up."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                print(f"Runfold is listening on http://{host}:{port}", flush=True)  # noqa: T201 (the user asked to know)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.end_engine()
        await super().shutdown(sockets)


async def _serve(settings: Settings) -> None:
    service = open_service(settings)
    await service.start()
    try:
        await service.ensure_environment(_secret_key(settings, service))
        # A frozen heap is not walked by every collection: the states of unfinished runs live long.
        gc.collect()
        gc.freeze()
        config = uvicorn.Config(
            create_application(service),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        await _Server(config, service).serve()
    finally:
        await service.stop()


def _secret_key(settings: Settings, service: Service) -> str | None:
    if settings.secret_key is not None or not service.needs_key:
        return settings.secret_key
    key = new_key()
    # Before it opens anything: a key that is shown too early is harmless, one that is lost locks everyone out.
    print(f"Secret key of the development environment, shown this once: {key}", flush=True)  # noqa: T201 (nowhere else)
    return key


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 (there is none for Windows)

    return uvloop.new_event_loop()
