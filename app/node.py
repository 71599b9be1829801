"""A node: one process of any number on one database. One of them writes, the others stand by until it is their turn."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from app.backends import Database
from app.reader import Reader
from app.service import Service, start_service
from app.standby import Standby
from domain.errors import Deposed, LedgerCorrupt, LedgerUnavailable, Unavailable
from domain.ports import Clock, Head, Ids, Lease

log = structlog.get_logger(__name__)

T = TypeVar("T")
LOOKS_PER_LEASE = 4
"""How often a lease is renewed, or looked at, while it lasts."""
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
    ) -> None:
        self._database = database
        self._lease = lease
        self._clock = clock
        self._ids = ids
        self._chance = chance
        self._lease_ms = lease_ms
        self._follows_apart = follows_apart
        self._greet = greet
        self.standby = Standby(database.ledger, database.read_models, clock, ids)
        self.service: Service | None = None
        self._sure_until = 0
        self._left: Head | None = None
        """What was committed when this node last wrote."""
        self._is_held = self._lease is None
        self._is_stopping = False
        self._news = asyncio.Event()
        self._moved = asyncio.Event()
        self._leaser = ThreadPoolExecutor(1, "lease")
        self._renewing: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def reader(self) -> Reader:
        """What requests are answered from now."""
        return self.service or self.standby

    @property
    def writer(self) -> str | None:
        """The address of the node that writes, as far as it is known here."""
        return self.standby.writer

    def may_answer(self) -> bool:
        """Whether no other node can have the lease. By our own clock, which stood still for nobody else."""
        return self._lease is None or self._clock.now().mono < self._sure_until

    async def start(self) -> None:
        """Become the writer if nobody is, or a standby. Raises what keeps the engine from starting."""
        if self._lease:
            self._note(held=await self._blocking(self._take))
            self._renewing = asyncio.create_task(self._renew(self._lease), name="lease")
        if self._is_held:
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
        await self._let_go()

    async def stop(self) -> None:
        """Hand over, and let go of the database."""
        if not self._is_stopping:
            await self.hand_over()
        if self.service:
            await self.service.stop()
        self.standby.close()
        self._leaser.shutdown()
        if self._lease:
            self._lease.close()
        self._database.close()

    async def moved(self, writer: str) -> None:
        """Wait until this is no longer where the writer is."""
        while self.writer == writer:
            await self._moved.wait()

    async def _run(self) -> None:
        while not self._is_stopping:
            await self._news.wait()
            self._news.clear()
            try:
                if self.service and (not self._is_held or self.service.failure):
                    await self._step_down(self.service)
                if self._is_held and not self.service and not self._is_stopping:
                    await self._begin()
            except (Deposed, LedgerUnavailable, Unavailable) as error:
                # Another look at the lease comes soon.
                log.warning("the engine does not start yet", error=str(error))
            except Exception as error:
                # It would only happen again, here as on the next node; what can be read is read.
                self.standby.failure = f"{type(error).__name__}: {error}"
                log.exception("this node no longer takes part")
                await self._let_go()
                # Who writes it will not hear of any more, so it sends nothing on either.
                self._note(held=False)
                return

    async def _begin(self) -> None:
        await self._check_tail()
        service = await asyncio.to_thread(
            lambda: start_service(
                self._database.ledger,
                self._database.read_models,
                self._clock,
                self._ids,
                lease_ms=self._lease_ms,
                chance=self._chance,
                may_answer=self.may_answer,
                follows_apart=self._follows_apart,
            )
        )
        await service.start()
        try:
            await self._greet(service)
        except BaseException:
            await service.stop()
            raise
        self.service = service
        task = asyncio.create_task(service.ended())
        task.add_done_callback(lambda _: self._news.set())
        log.info("this node writes", head=await service.head())

    async def _step_down(self, service: Service) -> None:
        self.service = None
        await service.stop()
        self._left = service.loop.feed.head
        log.warning("this node no longer writes", head=self._left.position)
        await self._check_tail()
        if service.failure and not isinstance(service.failure, Deposed):
            raise service.failure

    async def _check_tail(self) -> None:
        """Raises LedgerCorrupt when what this node committed is gone, so that it never writes over the gap."""
        if self._left is None:
            return
        position, digest = self._left
        if await self.standby.read(self._database.ledger.digest_at, position) != digest:
            raise LedgerCorrupt(
                f"The ledger lost its tail: event {position} was committed here, and is no longer as it was."
                " Restore the database, or start this node again to go on from what there is."
            )

    async def _let_go(self) -> None:
        """Let another node have the lease at once, instead of when it ends."""
        if not self._lease or not self._renewing:
            return
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)
        if self._is_held:
            self._is_held, self._sure_until = False, 0
            try:
                await self._blocking(self._lease.release)
            except Unavailable as error:
                log.warning("the lease is not released, and ends by itself", error=str(error))

    async def _renew(self, lease: Lease) -> None:
        pause = lease.lease_ms / 1_000 / LOOKS_PER_LEASE
        while True:
            try:
                # A standby is woken by the release of the lease.
                await (asyncio.sleep(pause) if self._is_held else self._blocking(lease.wait, pause))
                held = await self._blocking(self._take)
                writer = None if held else await self._blocking(lease.holder)
            except Unavailable as error:
                # Whether the lease is lost nobody knows; until it is known, `may_answer` is what counts.
                if self.standby.out_of_reach is None:
                    log.warning("the lease is out of reach", error=str(error))
                self.standby.out_of_reach = str(error)
                await asyncio.sleep(pause)
                continue
            self._note(held=held, writer=writer)

    def _take(self) -> bool:
        assert self._lease, "there is one to take"
        asked = self._clock.now().mono
        if held := self._lease.take():
            # Sure for less long than others wait, as clocks need not run at the same speed.
            self._sure_until = asked + self._lease.lease_ms * 3 // 4
        return held

    def _note(self, *, held: bool, writer: str | None = None) -> None:
        self.standby.out_of_reach = None
        if held and (not self._is_held or not self.service or self.service.failure):
            self._news.set()
        if self._is_held and not held:
            self._news.set()
        self._is_held = held
        if writer != self.standby.writer:
            self.standby.writer = writer
            self._moved.set()
            self._moved = asyncio.Event()

    async def _blocking(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._leaser, function, *arguments)
