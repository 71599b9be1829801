"""Which runs ended whose end somebody wants to hear of, read off the states."""

from collections.abc import Iterator

from domain.run import Run


class Endings:
    """The ends of executions of jobs, each told once."""

    def __init__(self) -> None:
        self._ended: dict[str, None] = {}

    def note_run(self, before: Run | None, after: Run | None) -> None:
        """A run came, changed, or is kept no longer."""
        if after is None or after.ended_at is None or (before is not None and before.ended_at is not None):
            return
        if after.job is not None:
            self._ended[after.id] = None

    def untold(self) -> Iterator[str]:
        """The runs that ended since this was last asked, in the order in which they did."""
        while self._ended:
            run = next(iter(self._ended))
            del self._ended[run]
            yield run
