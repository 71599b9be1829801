"""How long attempts have executed, on the monotonic clock: waits are not counted."""

from collections.abc import Iterator
from heapq import heappop, heappush

from domain.run import Run


class Stopwatch:
    """When each attempt that executes will have done so for as long as it may."""

    def __init__(self) -> None:
        self._dues: dict[tuple[str, int], int] = {}
        self._heap: list[tuple[int, str, int]] = []

    def start(self, run: Run, limit_ms: int | None, now: int) -> None:
        """The run's attempt executes from now on."""
        if limit_ms and run.token is not None:
            due = self._dues[run.id, run.token] = now + max(0, limit_ms - run.spent_ms)
            heappush(self._heap, (due, run.id, run.token))

    def stop(self, run: str, token: int) -> None:
        """The attempt executes no more."""
        self._dues.pop((run, token), None)

    def stop_all(self) -> list[tuple[str, int]]:
        """No attempt executes, as far as is known; returns those that did."""
        stopped, self._dues, self._heap = list(self._dues), {}, []
        return stopped

    def over(self, now: int) -> Iterator[tuple[str, int]]:
        """The attempts whose time is over, each once."""
        while (due := self.next_due()) is not None and due <= now:
            _, run, token = heappop(self._heap)
            self.stop(run, token)
            yield run, token

    def next_due(self) -> int | None:
        """When the next one will be over."""
        while self._heap and self._dues.get(self._heap[0][1:]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None
