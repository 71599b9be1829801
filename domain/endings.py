"""Which runs ended whose end somebody wants to hear of, read off the states."""

from collections.abc import Collection, Iterator

from domain.builtin import is_reserved
from domain.channel import Channel
from domain.run import Run


class Endings:
    """The ends of executions of jobs, and of all runs where there are alert channels, each told once."""

    def __init__(self) -> None:
        self._ended: dict[str, None] = {}
        self._channels: dict[str, dict[str, None]] = {}

    def note_run(self, before: Run | None, after: Run) -> None:
        """A run has ended; it may have done so before."""
        if before is not None and before.ended_at is not None:
            return
        # Of what only tells of another run nothing is told.
        if after.job is not None or (after.environment in self._channels and not is_reserved(after.task)):
            self._ended[after.id] = None

    def note_channel(self, stream: str, before: Channel | None, after: Channel | None) -> None:
        """An alert channel came, changed, or is gone."""
        known = after or before
        assert known is not None, "there is a state before it or after it"
        channels = self._channels.setdefault(known.environment, {})
        if after is not None and not after.is_removed:
            channels[stream] = None
        else:
            channels.pop(stream, None)
        if not channels:
            del self._channels[known.environment]

    def channels(self, environment: str) -> Collection[str]:
        """The alert channels of an environment."""
        return self._channels.get(environment, {}).keys()

    def untold(self) -> Iterator[str]:
        """The runs that ended since this was last asked, in the order in which they did."""
        while self._ended:
            run = next(iter(self._ended))
            del self._ended[run]
            yield run
