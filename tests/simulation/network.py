"""Calls between processes: late, twice, overtaken by later ones, or without an answer."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from domain.commands import Command
from domain.draft import Answer
from domain.errors import LedgerError, Unavailable
from tests.simulation.faults import Fault, Faults
from tests.simulation.world import World

Reply: TypeAlias = Callable[[Answer], None]


class ConnectionLost(Unavailable):
    """No answer came, and it is not known whether the request arrived."""


LOST = ConnectionLost("The connection broke.")


class Receiver(Protocol):
    """Whoever takes requests. `make` turns the request into a command, as often as it arrives."""

    def receive(self, make: Callable[[], Command], reply: Reply) -> None:
        """Take a request, and reply once."""
        ...


class Network:
    """Carries requests to the receiver and answers back."""

    def __init__(self, world: World, faults: Faults, receiver: Receiver) -> None:
        self._world = world
        self._faults = faults
        self._receiver = receiver

    def call(self, make: Callable[[], Command], done: Reply, *, patience: int) -> None:
        """Send a request; `done` hears the answer or LOST, once, after `patience` at the latest."""
        waiting = [done]

        def finish(answer: Answer) -> None:
            if waiting:
                waiting.pop()(answer)

        def reply(answer: Answer) -> None:
            if not self._faults.strikes(Fault.ANSWER_LOST):
                self._world.after(self._delay(), lambda: finish(answer))
            elif self._world.happens(0.5):
                self._world.after(self._delay(), lambda: finish(LOST))

        def arrive() -> None:
            self._receiver.receive(make, reply)

        if not self._faults.strikes(Fault.REQUEST_LOST):
            self._world.after(self._delay(), arrive)
        if self._faults.strikes(Fault.REQUEST_TWICE):
            self._world.after(self._delay() + self._world.draw(0, 3_000), arrive)
        self._world.after(patience, lambda: finish(LOST))

    def _delay(self) -> int:
        if self._faults.strikes(Fault.MESSAGE_SLOW):
            return self._world.draw(20, 20_000 if self._world.happens(0.2) else 1_000)
        return self._world.draw(1, 5)


def is_worth_repeating(answer: Answer) -> bool:
    """Whether an answer says: not now, ask the same again."""
    return isinstance(answer, Unavailable | LedgerError)
