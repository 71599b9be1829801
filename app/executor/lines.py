"""What an executor needs of an engine: a line for each environment, by which it takes turns."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from app.service import Service
from app.turns.answer import RunBody
from app.turns.hand_outs import runs_of
from app.vault.secrets import value_of
from domain import builtin
from domain.attempts import Report
from domain.commands import Cancel, EndTurn, RefusedReport, Turn
from domain.events import EnvironmentCreated, Recorded

Said = tuple[Report, dict[str, bytes]]
"""A report, and the large values that go with it."""
Hold = tuple[str, int]


class Answer(Struct, frozen=True):
    """What a turn is answered."""

    runs: Sequence[RunBody] = ()
    cancels: Sequence[Cancel] = ()
    refused: Sequence[RefusedReport] = ()


class LineClosed(Exception):
    """The engine refuses every turn of this line; the message says why."""


class Line(Protocol):
    """The session of an executor in one environment. At most one turn is under way."""

    environment: str
    """What the environment is called."""

    @property
    def patience_seconds(self) -> float:
        """After how long a turn that waits is to be hurried, so that the engine hears of the executor in time."""
        ...

    def turn(self, want: int, holds: Sequence[Hold], said: Sequence[Said]) -> "asyncio.Future[Answer]":
        """Begin a turn: tell what happened, and ask for so many runs.

        The future raises Unavailable or LedgerError where another turn may go better, and LineClosed where none will.
        """
        ...

    async def hurry(self) -> None:
        """Let the turn that is under way be answered with what there is."""
        ...

    def secret(self, run: RunBody, name: str) -> str:
        """The value of a secret to which a run refers. Raises SecretMissing, KeyMissing, SealBroken."""
        ...

    def now(self) -> int:
        """The wall clock, in milliseconds."""
        ...


class Lines(Protocol):
    """Where the lines come from."""

    def found(self) -> Iterable[Line]:
        """Those that were not given out yet."""
        ...

    def listen(self, news: Callable[[], None]) -> None:
        """Say it when there may be further ones."""
        ...

    def may_answer(self) -> bool:
        """Whether what is reported now can still be heard."""
        ...


class LocalLines:
    """Lines to the engine of this process, one for each of its environments."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: set[str] = set()

    def found(self) -> Iterable[Line]:
        """One for each environment that was not known yet."""
        for environment in self._service.environments():
            if environment.id not in self._known:
                self._known.add(environment.id)
                yield LocalLine(self._service, environment.id)

    def listen(self, news: Callable[[], None]) -> None:
        """Say it when an environment is made."""

        def note(records: Sequence[Recorded]) -> None:
            if any(isinstance(each.event, EnvironmentCreated) for each in records):
                news()

        self._service.loop.feed.listen(note)

    def may_answer(self) -> bool:
        """Whether this node still writes."""
        return self._service.loop.may_answer()


class LocalLine:
    """The very commands that the worker protocol leads to, below HTTP.

    The session keeps its name over restarts: the first turn after one says that it holds nothing.
    """

    def __init__(self, service: Service, environment: str) -> None:
        self.environment = environment
        self._service = service
        self._session = f"worker_builtin{environment.partition('_')[2]}"
        self._sequence = 0
        self._received = 0

    @property
    def patience_seconds(self) -> float:
        """A third of the lease, as with any worker."""
        return self._service.lease_ms / 3_000

    def turn(self, want: int, holds: Sequence[Hold], said: Sequence[Said]) -> "asyncio.Future[Answer]":
        """Begin a turn."""
        self._sequence += 1
        command = Turn(
            session=self._session,
            version=builtin.VERSION,
            sequence=self._sequence,
            received=self._received,
            want=want,
            holds=tuple(holds),
            reports=tuple(report for report, _ in said),
            blobs={key: value for _, blobs in said for key, value in blobs.items()},
            **self._origin(),
        )
        return asyncio.ensure_future(self._answer(command))

    async def hurry(self) -> None:
        """Let the turn that is under way be answered with what there is."""
        await self._service.loop.submit(EndTurn(session=self._session, sequence=self._sequence, **self._origin()))

    def secret(self, run: RunBody, name: str) -> str:
        """The value of a secret as it is now."""
        del run
        return value_of(self._service, self.environment, name)

    def now(self) -> int:
        """The clock of the engine."""
        return self._service.clock.now().wall

    async def _answer(self, command: Turn) -> Answer:
        service = self._service
        answer = await service.loop.ask(command)
        self._received = answer.sequence
        environment = service.loop.engine.memory.environment(self.environment)
        runs: Sequence[RunBody] = ()
        if answer.runs and environment is not None:
            runs = await runs_of(answer, environment, service)
        return Answer(runs, answer.cancels, answer.refused)

    def _origin(self) -> dict[str, Any]:
        return {"environment": self.environment, "actor": "executor", "cause": "executor", "at": self.now()}
