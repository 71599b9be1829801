"""What a process that executes code knows of its worker, and of whoever watches that nothing is done twice."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from domain.commands import HandOut
from tests.simulation.code import Outcome, StepAsk, TriggerAsk


class Executed(Protocol):
    """A process, as its worker knows it when it asks for something."""

    run: HandOut
    is_alive: bool

    def die(self) -> None:
        """Nothing of it goes on."""
        ...


class Host(Protocol):
    """The worker, as its processes know it."""

    idle_ms_max: int | None
    """How long a process is kept at most whose code does nothing but wait, None if it is never given up."""

    def later(self, delay: int, action: Callable[[], None]) -> None:
        """Do something later, if the worker lives."""
        ...

    def report(self, process: Executed, kind: str, **more: Any) -> None:
        """Say what happened."""
        ...

    def send(self) -> None:
        """Let what was reported go on its way, as far as it can."""
        ...

    def make_token(self, process: Executed, ask: StepAsk, done: Callable[[str], None]) -> None:
        """Ask for a token until there is one, the same in each repeat."""
        ...

    def trigger(self, process: Executed, ask: TriggerAsk, done: Callable[[tuple[str, ...], str | None], None]) -> None:
        """Ask for children until there are these runs, perhaps in a batch, the same in each repeat."""
        ...

    def read(self, streams: Sequence[str], done: Callable[[Any], None]) -> None:
        """Ask what became of runs and batches."""
        ...

    def is_struck_down(self, process: Executed) -> bool:
        """Whether the process, or all of the worker, dies here and now."""
        ...


class Witness(Protocol):
    """Sees what code does. Each method raises Violation."""

    def body_begins(self, run: HandOut, ask: StepAsk | TriggerAsk) -> None:
        """The body of a step is executed, or children are triggered."""
        ...

    def code_goes_on(self, run: HandOut, wait: int, outcome: Outcome) -> None:
        """The code hears that a wait is over."""
        ...
