"""Other processes that look at parts beside this one, as one process uses one core only."""

import gc
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

from app.history.parts import Part
from app.history.serving import SNAPSHOT, serve, tell
from domain.errors import Unavailable
from domain.ports import CopyableLedger
from projections.ports import Opener, ReadModels, Snapshot

AHEAD = 4
"""How many parts each process is given at a time: one that it looks at, and some to go on with."""
TRIES = 5
"""How often all look for rows at one position, which a follower moves on ten times in a second at most."""
SNAPSHOT_SECONDS = 5.0
END_SECONDS = 10.0
EVENTS_MIN = 100_000
"""In a ledger of fewer events the start of a process takes longer than what it saves."""

T = TypeVar("T")


class Hand:
    """A process that has the database open, and answers in the order in which it is asked."""

    def __init__(self, opener: Opener) -> None:
        # One that is forked off would share the connections of this process.
        context = get_context("spawn")
        self._line, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, opener), daemon=True)
        self.process.start()
        theirs.close()
        self._asked = 0

    @property
    def has_room(self) -> bool:
        """Whether it may be asked once more now."""
        return self._asked < AHEAD

    @property
    def has_answered(self) -> bool:
        """Whether the next answer is there."""
        return self._line.poll()

    def answers_within(self, seconds: float) -> bool:
        """Whether it does, or has an end, in this time."""
        return self._line.poll(seconds)

    def ask(self, question: object) -> None:
        """Raises Unavailable when the process is gone."""
        with _noticing_its_end():
            tell(self._line, question)
        self._asked += 1

    def answer(self) -> Any:
        """The next answer. Raises what the process met with, Unavailable when it is gone."""
        with _noticing_its_end():
            answer = self._line.recv()
        self._asked -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Let it end what it looks at, and nothing else."""
        self._line.close()
        self.process.join(END_SECONDS)
        self.process.kill()


class Hands:
    """This process and others. What they share comes back in its order."""

    def __init__(self, others: Iterable[Hand] = ()) -> None:
        self._others = list(others)

    def share(self, parts: Iterable[Part[T]], ledger: CopyableLedger, stored: Snapshot | None) -> Iterator[T]:
        """What came of each part. Raises what looking at any of them raises."""
        given: deque[Hand | _Done[T]] = deque()
        for part in parts:
            idle = next((other for other in self._others if other.has_room), None)
            if idle:
                idle.ask(part)
            given.append(idle or _Done(part.look(ledger, stored)))
            while given and given[0].has_answered:
                yield given.popleft().answer()
        for each in given:
            yield each.answer()

    @contextmanager
    def snapshot(self, read_models: ReadModels) -> Generator[Snapshot]:
        """The rows at one position, as all see them. If they do not after some tries, the others help no more."""
        for _ in range(TRIES):
            with read_models.snapshot() as stored:
                for other in self._others:
                    other.ask(SNAPSHOT)
                # Rows that were rebuilt may wait to be swapped in: for this snapshot, and whoever begins one for them.
                self._others = [other for other in self._others if other.answers_within(SNAPSHOT_SECONDS)]
                if {other.answer() for other in self._others} <= {stored.head}:
                    yield stored
                    return
        self._others = []
        with read_models.snapshot() as stored:
            yield stored


@contextmanager
def hands(opener: Opener, events: int, count: int | None = None) -> Generator[Hands]:
    """So many processes in all, by default one for each core, unless the ledger has too few events for that."""
    with ExitStack() as opened:
        # Of rows there are thousands at a time and no cycles, so that looks for garbage take long and find nothing.
        opened.callback(gc.enable)
        gc.disable()
        others: list[Hand] = []
        for _ in range((count or _cores()) - 1 if events >= EVENTS_MIN else 0):
            others.append(Hand(opener))
            opened.callback(others[-1].close)
        yield Hands(others)


def _cores() -> int:
    """How many there are for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Done(Generic[T]):
    """What this process looked at itself."""

    has_answered = True

    def __init__(self, answer: T) -> None:
        self.answer = lambda: answer


@contextmanager
def _noticing_its_end() -> Generator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise Unavailable("A process that helped to verify is gone, so not all was looked at.") from error
