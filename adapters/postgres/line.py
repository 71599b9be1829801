"""A connection on which every question is answered in time, or it is hung up."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from math import inf
from typing import Any, TypeVar

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import Row

ANSWER_SECONDS = 10.0
"""After so long without a word the connection is given up: it may be dead without either side knowing."""

T = TypeVar("T")


class NoAnswer(OperationalError):
    """Nobody knows what became of the question."""


class Line(Connection[Row]):
    """Hangs up when no answer begins in time: libpq would wait as long as the other side is silent.

    The system notices a machine that is gone, but not a proxy that holds the line and has nobody behind it.
    """

    answer_seconds: float | None = ANSWER_SECONDS
    _heard = -inf

    @property
    def silent_seconds(self) -> float:
        """How long ago its last answer was complete."""
        return time.monotonic() - self._heard

    def wait(self, gen: PQGen[T], *arguments: Any, **named: Any) -> T:
        """Everything that is asked of the server is waited for here."""
        try:
            return super().wait(self._in_time(gen), *arguments, **named)
        except NoAnswer:
            self.close()
            raise

    @contextmanager
    def allowing(self, seconds: float | None) -> Generator[None]:
        """Be so patient for a while; None is for statements that take as long as tables are large."""
        usual, self.answer_seconds = self.answer_seconds, seconds
        try:
            yield
        finally:
            self.answer_seconds = usual

    def _in_time(self, gen: PQGen[T]) -> PQGen[T]:
        """The same steps; each that waits for the socket in vain is looked at ten times a second."""
        try:
            state = next(gen)
            heard = time.monotonic()
            while True:
                ready = yield state
                if ready:
                    heard = time.monotonic()
                elif self._is_overdue(heard):
                    raise NoAnswer(f"no answer within {self.answer_seconds:g} seconds")
                state = gen.send(ready)
        except StopIteration as end:
            self._heard = time.monotonic()
            result: T = end.value
            return result
        finally:
            gen.close()

    def _is_overdue(self, heard: float) -> bool:
        # On a line that nothing was asked on, silence is no news.
        return (
            self.answer_seconds is not None
            and time.monotonic() - heard > self.answer_seconds
            and self.pgconn.transaction_status == TransactionStatus.ACTIVE
        )
