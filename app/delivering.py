"""Brings the engine the payloads of named events that are due, also after a restart: it keeps none of them itself."""

import asyncio
from itertools import islice

from app.chores import keep_up
from app.loop import EngineLoop
from app.triggered import value_of
from domain.commands import CancelEvent, DeliverEvent
from domain.errors import LedgerCorrupt
from domain.events import EventSent
from domain.named_event import NamedEvent
from domain.ports import Clock, Ledger

CHUNK = 100


class Deliveries:
    """A task of the service. An event with very many subscribers comes back until all are served."""

    def __init__(self, loop: EngineLoop, ledger: Ledger, clock: Clock) -> None:
        self._loop = loop
        self._ledger = ledger
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        await keep_up(self._loop.deliverable, self._due, self._deliver, "events cannot be delivered")

    def _due(self) -> list[str]:
        return list(islice(self._loop.engine.memory.deliveries, CHUNK))

    async def _deliver(self, due: list[str]) -> None:
        for stream in due:
            # One that was just sent may be on its way into the ledger.
            await self._loop.settled(stream)
        histories = await asyncio.to_thread(self._ledger.read_streams, due)
        for stream in due:
            state, history = self._loop.engine.memory.states.get(stream), histories.get(stream)
            if not isinstance(state, NamedEvent) or history is None:
                self._loop.engine.memory.deliveries.pop(stream, None)
                continue
            sent = history[0].event
            assert isinstance(sent, EventSent), "an event begins with this"
            await self._loop.submit(await self._command(state, sent))

    async def _command(self, event: NamedEvent, sent: EventSent) -> DeliverEvent | CancelEvent:
        origin = {"environment": event.environment, "actor": "engine", "cause": "delivery"}
        at = self._clock.now().wall
        try:
            payload = await asyncio.to_thread(value_of, self._ledger, sent.payload, sent.payload_blob)
        except LedgerCorrupt as error:
            return CancelEvent(event=event.id, reason=str(error), at=at, **origin)
        return DeliverEvent(event=event.id, sent=sent, payload=payload, after=event.after, at=at, **origin)
