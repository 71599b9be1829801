"""Puts the clock of an engine forward, for tests: as if the time had passed, and not as if it had been slept through.

What becomes due meanwhile happens at its time, and what follows from it (an attempt, its failure, the next back-off)
before time goes on.
"""

import asyncio
from typing import Protocol

from app.service import Service
from domain.commands import EndTurn
from domain.engine import Engine
from domain.errors import InvalidInput, NotAllowed
from domain.ports import Clock

LATEST = 200_000_000_000_000
"""The year 8307: dates of four digits have an end."""
LOOK_SECONDS = 0.02
"""How often it looks for what changes without an event, such as a worker that asks again."""
TOLD_MAX = 3


class MovableClock(Clock, Protocol):
    """A clock for tests."""

    def move_to(self, wall: int) -> None:
        """Make it that time by the wall clock, unless it is later already. The monotonic clock is left alone."""
        ...


class Moving:
    """`patience_ms` is for how long (of real time) whatever goes on is waited for, each time; None: it is not."""

    def __init__(self, service: Service, clock: MovableClock, patience_ms: int | None) -> None:
        self._service = service
        self._clock = clock
        self._patience_ms = patience_ms

    @property
    def _engine(self) -> Engine:
        return self._service.loop.engine

    async def forward(self, ms: int) -> None:
        """Put the clock forward; returns when everything that was due by then is committed and nothing goes on.

        Raises NotAllowed when something goes on for longer than it is waited for: the clock stays where it is then.
        """
        if self._clock.now().wall + ms > LATEST:
            raise InvalidInput(f"The clock cannot be put forward by {ms} ms: dates end there.")
        await self._rest()
        # Counted from here: what began while it was waited for, and lasts as long, is over in the end.
        target = self._clock.now().wall + ms
        while (due := self._engine.memory.next_due()) is not None and due <= target:
            self._clock.move_to(due)
            await self._do_what_is_due()
            await self._rest()
        self._clock.move_to(target)
        await self._do_what_is_due()
        await self._rest()

    async def _do_what_is_due(self) -> None:
        await self._turn_over()
        while (due := self._engine.memory.next_due()) is not None and due <= self._clock.now().wall:
            await self._turn_over()

    async def _rest(self) -> None:
        """Wait until nothing goes on."""
        if self._patience_ms is None:
            return
        now = asyncio.get_running_loop().time
        deadline = now() + self._patience_ms / 1_000
        while at_work := await self._at_work():
            if now() >= deadline:
                raise NotAllowed(self._sentence(at_work))
            await self._news()

    async def _at_work(self) -> set[str]:
        await self._turn_over()
        while (found := self._engine.at_work(self._clock.now())) is None:
            await self._turn_over()
        return found

    async def _turn_over(self) -> None:
        """Wait for a batch that is decided from now on, and committed. This command changes nothing."""
        now = self._clock.now().wall
        await self._service.loop.submit(
            EndTurn(environment="", actor="engine", cause="clock", at=now, session="", sequence=1)
        )

    async def _news(self) -> None:
        feed = self._service.loop.feed
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await feed.grown(feed.head.position)
        except TimeoutError:
            return

    def _sentence(self, at_work: set[str]) -> str:
        known = [self._service.loop.engine.memory.run(each) for each in sorted(at_work)]
        told = [f"{run.id} of {run.task} is {run.status}" for run in known if run is not None]
        more = f" and {len(told) - TOLD_MAX} more" if len(told) > TOLD_MAX else ""
        return (
            f"The clock cannot be put forward while something goes on, and after {self._patience_ms} ms"
            f" {'; '.join(told[:TOLD_MAX]) or ', '.join(sorted(at_work))}{more}."
        )
