"""The recent commits, in memory, for whoever follows the ledger; older ones are read from the ledger itself."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from domain.events import Recorded
from domain.ports import Head
from domain.redacting import redacted

KEPT_EVENTS_MAX = 50_000


class Commit(NamedTuple):
    """The events of one commit, and the head that it left."""

    records: Sequence[Recorded]
    head: Head


class Feed:
    """A ring of commits. `head` is the last committed position, behind which nothing can be seen."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self._commits: deque[Commit] = deque()
        self._size = 0
        self._grown = asyncio.Event()
        self._listeners: list[Callable[[Sequence[Recorded]], None]] = []

    def listen(self, listener: Callable[[Sequence[Recorded]], None]) -> None:
        """Be told of each commit as it lands, before anybody is answered."""
        self._listeners.append(listener)

    def publish(self, records: Sequence[Recorded], head: Head) -> None:
        """A batch was committed."""
        self.head = head
        self._commits.append(Commit(records, head))
        self._size += len(records)
        for listener in self._listeners:
            listener(records)
        while self._size > KEPT_EVENTS_MAX and len(self._commits) > 1:
            self._size -= len(self._commits.popleft().records)
        self._grown.set()
        self._grown = asyncio.Event()

    def erase(self, runs: Collection[str], *, with_names: bool) -> None:
        """Forget what these runs hold: what is left of them is what is left in the ledger."""
        for place, (records, head) in enumerate(self._commits):
            if any(each.stream in runs for each in records):
                left = [
                    replace(each, event=redacted(each.event, with_names=with_names)) if each.stream in runs else each
                    for each in records
                ]
                self._commits[place] = Commit(left, head)

    async def grown(self, position: int) -> None:
        """Wait until something is committed behind this position."""
        while self.head.position <= position:
            await self._grown.wait()

    def back_to(self, position: int) -> Sequence[Recorded] | None:
        """All events behind a position, the newest first; None if the ring does not reach back."""
        records: list[Recorded] = []
        # From the end: whoever asks again and again asks for little.
        for commit in reversed(self._commits):
            if commit.head.position <= position:
                return records
            records += [each for each in reversed(commit.records) if each.position > position]
        is_all = self._commits and self._commits[0].records[0].position <= position + 1
        return records if is_all or position == self.head.position else None

    def reaches(self, position: int) -> bool:
        """Whether all events behind a position are here."""
        return bool(self._commits) and self._commits[0].records[0].position <= position + 1

    def after(self, position: int, events_max: int) -> Commit | None:
        """The commits behind a position as one, up to about so many events; None if the ring does not reach back."""
        if not self.reaches(position):
            return None
        records: list[Recorded] = []
        head = self.head
        for commit in self._commits:
            if commit.head.position <= position:
                continue
            records += [each for each in commit.records if each.position > position]
            head = commit.head
            if len(records) >= events_max:
                break
        return Commit(records, head)
