"""A node: one process of any number on one database. One of them writes, the others stand by until it is their turn."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from adapters.secrets import Vault
from app.engine.backends import Database
from app.engine.reader import Reader
from app.nodes.standby import Standby
from app.nodes.tenure import Tenure
from app.service import Service, start_service
from domain.errors import Deposed, LedgerUnavailable, Unavailable
from domain.ports import Clock, Ids, Lease

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 0.5
Greet = Callable[[Service], Awaitable[None]]


class Node:
    """Takes the lease when it is free, runs the engine while it is held, and steps down when it is not.

    A database without a lease belongs to this node alone. `lease_ms` is that of workers. `greet` is called with each
    engine before it is in use; `reader` is what requests are answered from.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease | None,
        clock: Clock,
        ids: Ids,
        chance: random.Random,
        *,
        lease_ms: int,
        follows_apart: bool,
        greet: Greet,
        vault: Vault | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._chance = chance
        self._lease_ms = lease_ms
        self._follows_apart = follows_apart
        self._greet = greet
        self._vault = vault or Vault([], os.urandom)
        self._tenure = Tenure(lease, clock, self._look)
        self.standby = Standby(database.ledger, database.read_models, clock, ids, self._tenure, self._vault)
        self.service: Service | None = None
        self._tail = self.standby.tail
        self._is_stopping = False
        self._news = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._ended: asyncio.Task[None] | None = None

    @property
    def reader(self) -> Reader:
        """What requests are answered from now."""
        return self.service or self.standby

    @property
    def writer(self) -> str | None:
        """The address of the node that writes, as far as it is known here."""
        return self._tenure.writer

    async def moved(self, writer: str) -> None:
        """Wait until this is no longer where the writer is."""
        await self._tenure.moved(writer)

    async def start(self) -> None:
        """Become the writer if nobody is, or a standby. Raises what keeps the engine from starting."""
        await self._tenure.begin()
        if self._tenure.is_held:
            await self._begin()
        self._running = asyncio.create_task(self._run(), name="node")

    async def hand_over(self) -> None:
        """Commit what was accepted, answer whoever waits, and let another node write."""
        self._is_stopping = True
        self._news.set()
        if self._running:
            await self._running
        if self.service:
            await self.service.end_engine()
        await self._tenure.let_go()

    async def stop(self) -> None:
        """Hand over, and let go of the database."""
        if not self._is_stopping:
            await self.hand_over()
        if self.service:
            await self.service.stop()
        self.standby.close()
        self._tenure.close()
        self._database.close()

    def _look(self) -> None:
        """After each look at the lease: is there something to do?"""
        runs = self.service is not None and self.service.failure is None
        # A standby looks where the ledger ends each time.
        if not (runs and self._tenure.is_held):
            self._news.set()

    async def _run(self) -> None:
        while not self._is_stopping:
            await self._news.wait()
            self._news.clear()
            try:
                if self.service and (not self._tenure.is_held or self.service.failure):
                    await self._step_down(self.service)
                if self._tenure.is_held and not self.service and not self._is_stopping:
                    await self._begin()
                elif not self.service:
                    await self._watch()
            except (Deposed, LedgerUnavailable, Unavailable) as error:
                log.warning("the engine does not start yet", error=str(error), cause=str(error.__cause__))
                asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._news.set)
            except Exception as error:
                # It would only happen again, here as on the next node; what can be read is read.
                self.standby.failure = f"{type(error).__name__}: {error}"
                log.exception("this node no longer takes part")
                await self._tenure.let_go()
                return

    async def _watch(self) -> None:
        """As a standby: note how far the ledger is. Raises LedgerCorrupt when it was further."""
        with suppress(LedgerUnavailable, Unavailable):  # the next look comes by itself
            await self._tail.look()

    async def _begin(self) -> None:
        await self._tail.check()
        service = await asyncio.to_thread(
            lambda: start_service(
                self._database.ledger,
                self._database.read_models,
                self._clock,
                self._ids,
                lease_ms=self._lease_ms,
                chance=self._chance,
                may_answer=self._tenure.may_answer,
                follows_apart=self._follows_apart,
                vault=self._vault,
            )
        )
        service.out_of_reach = lambda: self._tenure.out_of_reach
        await service.start()
        try:
            await self._greet(service)
        except BaseException:
            await service.stop()
            raise
        self.service = service
        self._ended = asyncio.create_task(service.ended())
        self._ended.add_done_callback(lambda _: self._news.set())
        log.info("this node writes", head=await service.head())

    async def _step_down(self, service: Service) -> None:
        self.service = None
        await service.stop()
        self._tail.saw(service.loop.feed.head)
        log.warning("this node no longer writes", head=service.loop.feed.head.position)
        await self._tail.check()
        if service.failure and not isinstance(service.failure, Deposed):
            raise service.failure
