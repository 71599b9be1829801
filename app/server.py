"""`runfold serve`: one node, put together of its parts."""

import asyncio
import os
import random
import socket
import sys
from functools import partial

import structlog
import uvicorn

from adapters.clock import MovableClock, SystemClock
from adapters.http.calling import SafeHttpCaller
from adapters.ids import Uuid7Ids
from app.engine.backends import Database, open_database, open_lease, open_vault
from app.engine.environments import digest_of, new_key
from app.executor.executor import Executor
from app.executor.lines import LocalLines
from app.nodes.garbage import collect_seldom
from app.nodes.node import Node
from app.service import Service
from app.settings import Settings, WrongSetting, address_of
from app.vault.connections import check_keys
from app.vault.secrets import value_of
from app.web.application import create_application
from app.web.forwarding import Forwarding, new_client
from app.web.joining import JoiningProtocol
from app.web.testing import TellingTime
from domain.environment import PRODUCTION
from domain.ports import START

log = structlog.get_logger(__name__)

# Long polls are answered well within it; what is left then is cut off.
SHUTDOWN_SECONDS = 5
BACKLOG = 2_048


def serve(settings: Settings) -> None:
    """Run a node until SIGTERM or SIGINT.

    Raises LedgerUnavailable when the database does not answer, or is a file that another engine has opened.
    """
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(settings))


class _Server(uvicorn.Server):
    """Hands over first, so that waiting turns are answered instead of holding the shutdown up."""

    def __init__(self, config: uvicorn.Config, node: Node) -> None:
        super().__init__(config)
        self._node = node

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._node.hand_over()
        await super().shutdown(sockets)


async def _serve(settings: Settings) -> None:
    if settings.test_clock and settings.is_postgres:
        raise WrongSetting("The setting RUNFOLD_TEST_CLOCK is for engines on a file: on PostgreSQL all time is real.")
    database = open_database(settings)
    test_clock = _test_clock(database) if settings.test_clock else None
    listening = _listen(settings)
    host, port = listening.getsockname()[:2]
    lease = open_lease(settings, settings.node_url or address_of(settings.host, port))

    async def greet(service: Service) -> None:
        check_keys(service)
        await service.ensure_environment(_secret_key(settings, service))
        # Nodes that reach one another by names of their own are several.
        service.follower.is_read_elsewhere = settings.node_url is not None
        service.sinks.folder = settings.sinks_folder
        service.sinks.secret_of = partial(value_of, service)
        if settings.http_executor:
            caller = service.sinks.caller = SafeHttpCaller(settings.address_policy)
            limits = settings.http_concurrency, settings.http_concurrency_per_host
            service.execute(
                Executor(LocalLines(service), caller, *limits, chance, settings.mailer, settings.rate_per_host)
            )
        service.stream_to_sinks()
        if settings.segments_path is not None:
            service.retain(settings.segments_path)
        if settings.verify_per_second:
            service.verify(settings.verify_per_second)
        if settings.compare_per_second:
            service.compare(settings.compare_per_second, repairs=settings.repair_read_models)
        # The states of unfinished runs live long.
        collect_seldom()

    clock, ids, chance = test_clock or SystemClock(), Uuid7Ids(), random.SystemRandom()
    apart = settings.follower == "process"
    node = Node(
        database,
        lease,
        clock,
        ids,
        chance,
        lease_ms=settings.lease_ms,
        follows_apart=apart,
        greet=greet,
        vault=open_vault(settings),
    )
    node.standby.segments = settings.segments_path
    node.standby.own_key = digest_of(settings.secret_key) if settings.secret_key else None
    try:
        await node.start()
        async with new_client() as client:
            routes = create_application(lambda: node.reader, settings.admin_key, settings.public_url, test_clock)
            application = Forwarding(TellingTime(routes, test_clock) if test_clock else routes, node, client)
            config = uvicorn.Config(
                application,
                http=JoiningProtocol,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
            print(f"Runfold is listening on http://{host}:{port}", flush=True)  # noqa: T201 (the user asked to know)
            await _Server(config, node).serve(sockets=[listening])
    finally:
        await node.stop()


def _test_clock(database: Database) -> MovableClock:
    """A clock that can be moved, for a new ledger only: what was recorded at a time that was made up stays so."""
    if database.ledger.head() != START:
        database.close()
        raise WrongSetting("The setting RUNFOLD_TEST_CLOCK takes a new file: the ledger holds events of real time.")
    log.warning("the clock of this engine can be moved: it is for tests only")
    return MovableClock()


def _listen(settings: Settings) -> socket.socket:
    """Listen before the engine starts: other nodes are told the port, and clients of a node that starts wait."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise WrongSetting(
            f"The settings RUNFOLD_HOST and RUNFOLD_PORT name {settings.host}:{settings.port}, "
            f"where nothing can listen: {error.strerror}."
        ) from error


def _secret_key(settings: Settings, service: Service) -> str | None:
    if settings.secret_key is not None or not service.needs_key:
        return settings.secret_key
    key = new_key(PRODUCTION, os.urandom)
    # Before it opens anything: a key that is shown too early is harmless, one that is lost locks everyone out.
    print(f"Secret key of the production environment, shown this once: {key}", flush=True)  # noqa: T201 (nowhere else)
    return key


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 (there is none for Windows)

    return uvloop.new_event_loop()
