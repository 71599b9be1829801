"""The clock of an engine for tests."""

from datetime import UTC, datetime

from runfold.durations import Duration, duration_ms
from runfold.testing.engine import Engine, Environment

PATIENCE_SECONDS = 10.0


class Clock:
    """What time it is for the engine: it goes on by itself, and can be put forward. All tests have the same one."""

    def __init__(self, engine: Engine, environment: Environment) -> None:
        self._engine = engine
        self._key = environment.settings.secret_key

    def now(self) -> datetime:
        """What time it is for the engine."""
        return _moment(self._engine.ask("GET", "/testing/v1/clock", self._key))

    def advance(self, duration: Duration, *, patience: Duration | None = PATIENCE_SECONDS) -> datetime:
        """Put the clock forward, and let everything happen meanwhile that would; what time it is then.

        Delays, back-offs, waits and TTLs that end by then do so at their time, one after the other, and each time the
        clock stops until what follows is over: until each run has ended, waits for something, or has no worker.
        Raises BadRequestError when that takes longer than `patience`, in real time. With None it is not waited for.
        """
        said = None if patience is None else duration_ms(patience)
        body = {"ms": duration_ms(duration), "patienceMs": said}
        # However long it takes: how long it may stand still is said.
        return _moment(self._engine.ask("POST", "/testing/v1/clock/advance", self._key, body, timeout=None))

    def settle(self, *, patience: Duration = PATIENCE_SECONDS) -> None:
        """Wait until nothing goes on that goes on by itself. The clock is not put forward."""
        self.advance(0, patience=patience)


def _moment(answer: dict[str, int]) -> datetime:
    return datetime.fromtimestamp(answer["now"] / 1000, UTC)
