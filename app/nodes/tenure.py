"""A node's part in the lease: it takes the lease when it is free, renews it, and knows how long it is sure of it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from domain.errors import Unavailable
from domain.ports import Clock, Lease

log = structlog.get_logger(__name__)

T = TypeVar("T")
LOOKS_PER_LEASE = 4
"""How often a lease is renewed, or looked at, while it lasts."""


class Tenure:
    """`looked` is called after each look at the lease. Without a lease the right to write is this node's for ever."""

    def __init__(self, lease: Lease | None, clock: Clock, looked: Callable[[], None]) -> None:
        self._lease = lease
        self._clock = clock
        self._looked = looked
        self.is_held = lease is None
        self.writer: str | None = None
        """The address of the node that writes, None while there is none, or it is this one."""
        self.out_of_reach: str | None = None
        """Why the database cannot be asked at present who writes; None when it can."""
        self._sure_until = 0
        self._thread = ThreadPoolExecutor(1, "lease")
        self._renewing: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()

    def may_answer(self) -> bool:
        """Whether no other node can have the lease. By our own clock, which stood still for nobody else."""
        return self._lease is None or self._clock.now().mono < self._sure_until

    @property
    def taken_address(self) -> str | None:
        """The address of this node, if the one that writes gives it as its own."""
        return self.writer if self._lease and self.writer == self._lease.address else None

    async def begin(self) -> None:
        """Look for the first time, and then again and again. Raises Unavailable."""
        if self._lease:
            self._note(held=await self._blocking(self._take, self._lease))
            self._renewing = asyncio.create_task(self._renew(self._lease), name="lease")

    async def let_go(self) -> None:
        """Let another node have the lease at once, instead of when it ends, and look at it no more."""
        if not self._lease or not self._renewing:
            return
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)
        if self.is_held:
            self._sure_until = 0
            try:
                await self._blocking(self._lease.release)
            except Unavailable as error:
                log.warning("the lease is not released, and ends by itself", error=str(error))
        # Who writes is not heard of here any more.
        self._note(held=False)

    def close(self) -> None:
        """Let go of the database."""
        self._thread.shutdown()
        if self._lease:
            self._lease.close()

    async def moved(self, writer: str) -> None:
        """Wait until this is no longer where the writer is."""
        while self.writer == writer:
            await self._moved.wait()

    async def _renew(self, lease: Lease) -> None:
        pause = lease.lease_ms / 1_000 / LOOKS_PER_LEASE
        while True:
            try:
                # A standby is woken by the release of the lease.
                await (asyncio.sleep(pause) if self.is_held else self._blocking(lease.wait, pause))
                held = await self._blocking(self._take, lease)
                writer = None if held else await self._blocking(lease.holder)
            except Unavailable as error:
                # Whether the lease is lost nobody knows; until it is known, `may_answer` is what counts.
                if self.out_of_reach is None:
                    log.warning("the lease is out of reach", error=str(error), cause=str(error.__cause__))
                self.out_of_reach = str(error)
                await asyncio.sleep(pause)
                continue
            self._note(held=held, writer=writer)

    def _take(self, lease: Lease) -> bool:
        asked = self._clock.now().mono
        if held := lease.take():
            # Sure for less long than others wait, as clocks need not run at the same speed.
            self._sure_until = asked + lease.lease_ms * 3 // 4
        return held

    def _note(self, *, held: bool, writer: str | None = None) -> None:
        self.out_of_reach = None
        self.is_held = held
        if writer != self.writer:
            self.writer = writer
            self._moved.set()
            self._moved = asyncio.Event()
        self._looked()

    async def _blocking(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
