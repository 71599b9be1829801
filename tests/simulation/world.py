"""The world of a simulation: one seeded chance, two virtual clocks, an agenda, and the ledger that outlives engines."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from random import Random

from msgspec import json

from domain.engine import Now
from domain.errors import Deposed
from domain.events import Recorded
from domain.ports import POSITION_MAX, START, Head

EPOCH = 1_800_000_000_000 - 15_000
"""What the wall clock shows when a simulation begins. An hour ends while faults strike: requests' keys are by hours."""


class World:
    """Time passes from one appointment to the next; whatever is drawn is drawn from the seed."""

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.chance = Random(seed)
        self.mono = 0
        self._wall_ahead = EPOCH
        self._tell = tell
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._appointments = 0
        self._ids = 0

    def now(self) -> Now:
        """Both clocks (so that a world is the engine's Clock)."""
        return Now(self._wall_ahead + self.mono, self.mono)

    def step_wall_clock(self, by: int) -> None:
        """Someone sets the wall clock forward or back; the monotonic clock knows nothing of it."""
        self._wall_ahead += by

    def new_id(self, kind: str) -> str:
        """A new id; later ones sort behind earlier ones."""
        self._ids += 1
        return f"{kind}_{self._ids:032x}"

    def after(self, delay: int, action: Callable[[], None]) -> None:
        """Do something later, and what was asked for first goes first."""
        self._appointments += 1
        heappush(self._agenda, (self.mono + delay, self._appointments, action))

    def step(self) -> None:
        """Go on to the next appointment."""
        self.mono, _, action = heappop(self._agenda)
        action()

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return probability > 0 and self.chance.random() < probability

    def draw(self, low: int, high: int) -> int:
        """A whole number of this range, both ends included."""
        return low + int(self.chance.random() * (high - low + 1))

    def tell(self, text: str, *details: object) -> None:
        """Say what happens, for someone who replays the seed."""
        if self._tell:
            self._tell(f"{self.mono:>8} {text % details}")

    def tell_events(self, batch: Sequence[Recorded]) -> None:
        """Say what was committed."""
        for recorded in batch if self._tell else ():
            event = f"{type(recorded.event).__name__} {json.encode(recorded.event).decode()}"
            self.tell("ledger: %d %s %s, for %s", recorded.position, recorded.stream, event, recorded.cause)


class ModelLedger:
    """The log as a list: the model of every real ledger. `noticed` hears of each batch once it is committed."""

    def __init__(self, noticed: Callable[[Sequence[Recorded]], None]) -> None:
        self.records: list[Recorded] = []
        self.lines: list[bytes] = []
        self._digests = [START.digest]
        self._streams: dict[str, list[Recorded]] = {}
        self._blobs: dict[str, bytes] = {}
        self._noticed = noticed

    def head(self) -> Head:
        """The last event."""
        return Head(len(self.records), self._digests[-1])

    def append(self, batch: Sequence[Recorded], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        """Commit the whole batch right behind `after`, or nothing at all. Raises Deposed where that is not the head."""
        if after != self.head():
            raise Deposed(f"The head is {len(self.records)}, and the batch is to stand behind {after.position}.")
        for recorded in batch:
            line = b"%s %s" % (type(recorded.event).__name__.encode(), json.encode(recorded))
            self.records.append(recorded)
            self.lines.append(line)
            self._digests.append(hashlib.sha256(self._digests[-1] + line).digest())
            self._streams.setdefault(recorded.stream, []).append(recorded)
        self._blobs.update(blobs)
        self._noticed(batch)
        return self.head()

    def digest_at(self, position: int) -> bytes | None:
        """The rolling hash up to a position, None past the head."""
        return self._digests[position] if position < len(self._digests) else None

    def read_after(self, position: int, *, limit: int, upto: int | None = None) -> list[Recorded]:
        """The events behind a position, in order."""
        end = position + limit if upto is None else min(position + limit, upto)
        return self.records[position:end]

    def read_streams(self, streams: Collection[str], *, upto: int | None = None) -> dict[str, list[Recorded]]:
        """The history of each of these aggregates that has one, up to a position."""
        last = POSITION_MAX if upto is None else upto
        found = {each: [event for event in self._streams.get(each, ()) if event.position <= last] for each in streams}
        return {stream: history for stream, history in found.items() if history}

    def read_beginnings(self, streams: Collection[str]) -> dict[str, Recorded]:
        """The first event of each of these aggregates that has one."""
        return {stream: history[0] for stream, history in self.read_streams(streams).items()}

    def read_endings(self, streams: Collection[str]) -> dict[str, Recorded]:
        """The last event of each of these aggregates that has one."""
        return {stream: history[-1] for stream, history in self.read_streams(streams).items()}

    def streams_of(self, kind: str) -> list[str]:
        """The names of all aggregates of a kind."""
        return sorted(stream for stream in self._streams if stream.startswith(f"{kind}_"))

    def read_kind(self, kind: str) -> dict[str, list[Recorded]]:
        """The whole history of every aggregate of a kind."""
        return {stream: history for stream, history in self._streams.items() if stream.startswith(f"{kind}_")}

    def blob(self, key: str) -> bytes | None:
        """A large value."""
        return self._blobs.get(key)

    def verify(self, after: int = 0, upto: int = POSITION_MAX) -> Iterator[str]:
        """A list in memory stays as it is."""
        return iter(())

    def close(self) -> None:
        """There is nothing to let go of."""
