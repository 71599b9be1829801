"""Brings the engine the payloads of named events that are due, also after a restart: it keeps none of them itself."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import structlog

from app.engine.chores import keep_up
from app.engine.loop import EngineLoop
from app.engine.triggered import value_of
from domain.commands import CancelEvent, DeliverEvent
from domain.errors import LedgerCorrupt, LedgerUnavailable, Unavailable
from domain.events import EventSent, Recorded
from domain.named_event import NamedEvent
from domain.ports import Clock, Ledger

log = structlog.get_logger(__name__)

CHUNK = 100
AGAIN_MS = 10_000
"""After so long an event that could not be delivered is tried again."""


class Stuck(NamedTuple):
    """Why an event could not be delivered, and when it is tried again (monotonic milliseconds)."""

    why: str
    again_at: int


class Deliveries:
    """A task of the service. An event with very many subscribers comes back until all are served.

    An event that cannot be delivered does not hold up the others: `stuck` says why, by stream.
    """

    def __init__(self, loop: EngineLoop, ledger: Ledger, clock: Clock) -> None:
        self._loop = loop
        self._ledger = ledger
        self._clock = clock
        self.stuck: dict[str, Stuck] = {}

    async def run(self) -> None:
        """Until cancelled."""
        await keep_up(self._loop.deliverable, self._due, self._deliver, "events cannot be delivered")

    def _due(self) -> list[str]:
        # The engine tells again and again that there are deliveries, as long as there are any.
        now, deliveries = self._clock.now().mono, self._loop.engine.memory.deliveries
        self.stuck = {stream: stuck for stream, stuck in self.stuck.items() if stream in deliveries}
        ready = (each for each in deliveries if each not in self.stuck or self.stuck[each].again_at <= now)
        return list(islice(ready, CHUNK))

    async def _deliver(self, due: list[str]) -> None:
        for stream in due:
            # One that was just sent may be on its way into the ledger.
            await self._loop.settled(stream)
        histories = await self._histories(due)
        for stream in due:
            try:
                await self._deliver_one(stream, histories)
            except (Unavailable, LedgerUnavailable):
                # This is the same for all of them.
                raise
            except Exception as error:  # noqa: BLE001 (it is noted, said in the log, and told of the event)
                # Those behind it must not wait for what goes wrong with this one.
                self._note(stream, error)
            else:
                self.stuck.pop(stream, None)

    async def _histories(self, due: list[str]) -> Mapping[str, Sequence[Recorded]]:
        try:
            return await asyncio.to_thread(self._ledger.read_streams, due)
        except LedgerCorrupt:
            # One that cannot be read is no reason not to read the others, which is done one by one then.
            return {}

    async def _deliver_one(self, stream: str, histories: Mapping[str, Sequence[Recorded]]) -> None:
        state, history = self._loop.engine.memory.states.get(stream), histories.get(stream)
        if isinstance(state, NamedEvent) and history is None:
            history = (await asyncio.to_thread(self._ledger.read_streams, [stream])).get(stream)
        if not isinstance(state, NamedEvent) or history is None:
            self._loop.engine.memory.deliveries.pop(stream, None)
            return
        sent = history[0].event
        assert isinstance(sent, EventSent), "an event begins with this"
        await self._loop.submit(await self._command(state, sent))

    def _note(self, stream: str, error: Exception) -> None:
        why = str(error) or type(error).__name__
        known = self.stuck.get(stream)
        self.stuck[stream] = Stuck(why, self._clock.now().mono + AGAIN_MS)
        if known is None or known.why != why:
            log.error("an event cannot be delivered", stream=stream, error=why, exc_info=error)

    async def _command(self, event: NamedEvent, sent: EventSent) -> DeliverEvent | CancelEvent:
        origin = {"environment": event.environment, "actor": "engine", "cause": "delivery"}
        at = self._clock.now().wall
        try:
            payload = await asyncio.to_thread(value_of, self._ledger, sent.payload, sent.payload_blob)
        except LedgerCorrupt as error:
            return CancelEvent(event=event.id, reason=str(error), at=at, **origin)
        return DeliverEvent(event=event.id, sent=sent, payload=payload, after=event.after, at=at, **origin)
