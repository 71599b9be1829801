"""The simulation with named events in it: they are sent, again and again, and canceled, while faults strike."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.draft import Answer
from domain.events import EventSent, Subscription
from domain.named_event import NamedEvent, stream_of
from tests.simulation.clients import Client
from tests.simulation.rules import rule
from tests.simulation.simulation import ENVIRONMENT, FAULTS_MS, Simulation
from tests.simulation.workers import Code

NAMES = ("made", "gone")
IDS = 12
LOOK_MS = 200


class Sender(Client):
    """A client that sends events, most of them more than once."""

    def _act(self) -> None:
        self.waiting -= 1
        event = f"event {self._world.draw(1, IDS)}"
        stream = stream_of(self._environment, event)
        if self._world.happens(0.15):
            self._ask(c.CancelEvent, event=stream)
            return
        wall = self._world.now().wall
        later = wall + self._world.draw(1, 20_000) if self._world.happens(0.6) else None
        payload = Raw(b'{"many":%d}' % self._world.draw(0, 1))
        sent = EventSent(event, NAMES[self._world.draw(0, 1)], wall, "api", payload, deliver_at=later)
        self._ask(c.SendEvent, event=stream, sent=sent, payload=payload)


class EventSimulation(Simulation):
    """Everything that follows from one seed, and in the end the proof that an event starts each subscriber once."""

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        super().__init__(seed, tell)
        self._codes = tuple(_subscribed(code) for code in self._codes)
        self.started = self.parts = 0

    def run(self) -> None:
        """Live through the faults, and look what became of each event."""
        super().run()
        told: dict[str, list[e.Event]] = {}
        triggered: Counter[tuple[str, str]] = Counter()
        runs: dict[str, list[str]] = {}
        for each in self.ledger.records:
            if each.stream.startswith("event_"):
                told.setdefault(each.stream, []).append(each.event)
            elif isinstance(each.event, e.RunTriggered) and each.event.event:
                triggered[each.event.event.id, each.event.task] += 1
                runs.setdefault(stream_of(ENVIRONMENT, each.event.event.id), []).append(each.stream)
        twice = [each for each, count in triggered.items() if count > 1]
        rule(not twice, "started twice: %s", twice)
        for stream, events in told.items():
            first, *parts, last = events
            rule(isinstance(first, EventSent), "%s begins with %s", stream, first)
            rule(isinstance(last, e.EventDelivered | e.EventCanceled), "%s ends with %s", stream, last)
            rule(all(isinstance(each, e.EventPartlyDelivered) for each in parts), "%s has %s", stream, parts)
            named = [run for each in events for run in getattr(each, "runs", ())]
            rule(named == runs.get(stream, []), "%s names %s, and started %s", stream, named, runs.get(stream))
            self.parts += len(parts)
        self.started = len(triggered)

    def _begin(self) -> None:
        super()._begin()
        sender = Sender(self.world, self._network, ENVIRONMENT, (), ())
        self._clients.append(sender)
        for _ in range(self.world.draw(20, 40)):
            sender.plan(self.world.draw(0, max(0, FAULTS_MS - self.world.mono)))
        self.world.after(LOOK_MS, self._deliver)

    def _deliver(self) -> None:
        """Bring the engine what is due, as the service does; sometimes twice, and sometimes what was due before."""
        engine = self._server.engine
        for stream in list(engine.memory.deliveries) if engine else ():
            state = engine.memory.states.get(stream) if engine else None
            history = self.ledger.read_streams([stream]).get(stream)
            if isinstance(state, NamedEvent) and history:
                self._ask(state, history[0].event)
        if not self._is_over or self.world.mono < FAULTS_MS:
            self.world.after(LOOK_MS, self._deliver)

    def _ask(self, state: NamedEvent, sent: e.Event) -> None:
        assert isinstance(sent, EventSent)
        more: dict[str, Any] = {"environment": ENVIRONMENT, "actor": "engine", "cause": "delivery"}
        more |= {"event": state.id, "sent": sent, "payload": sent.payload, "after": state.after}
        for _ in range(2 if self.world.happens(0.2) else 1):
            delay = self.world.draw(0, 2_000) if self.world.happens(0.2) else 0
            self.world.after(delay, lambda: self._server.receive(self._command(more), _forget))

    def _command(self, more: dict[str, Any]) -> Callable[[], c.Command]:
        return lambda: c.DeliverEvent(at=self.world.now().wall, **more)

    @property
    def _is_over(self) -> bool:
        engine = self._server.engine
        states = engine.memory.states.values() if engine else ()
        return super()._is_over and not any(isinstance(each, NamedEvent) for each in states)


def _subscribed(code: Code) -> Code:
    """The same tasks, subscribed to one event each, some of them not to all payloads."""
    tasks = (
        replace(task, event=Subscription(NAMES[place % 2], {"many": [1]} if place % 3 == 0 else {}))
        for place, task in enumerate(code.tasks)
    )
    return Code(code.digest, tuple(tasks))


def _forget(_answer: Answer) -> None:
    """The service looks again whatever the answer was."""


def simulate(seed: int) -> EventSimulation:
    """Run one seed to its end."""
    simulation = EventSimulation(seed)
    try:
        simulation.run()
    except Exception as error:
        error.add_note(f"seed {seed} of the simulation with events")
        raise
    return simulation
