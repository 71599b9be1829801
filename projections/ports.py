"""What the engine needs of a database for its lists. Each port has several backends and one conformance suite."""

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from domain.events import Recorded
from domain.ports import CopyableLedger, Head
from domain.states import State
from domain.status import Status
from projections.attempts import AttemptRow
from projections.executions import ExecutionFilter, Order, Place
from projections.filters import RunFilter
from projections.listings import ListingFilter, ListingRow
from projections.queues import QueueRow
from projections.run_row import RunRow
from projections.schedules import ScheduleRow
from projections.waitpoints import WaitpointFilter, WaitpointRow

Key: TypeAlias = tuple[str | int, ...]
Columns: TypeAlias = tuple[Any, ...]
"""A row as the database has it."""


class Entry(NamedTuple):
    """A row, and the position of the event after which it last changed, 0 where the row does not tell."""

    key: Key
    position: int
    row: Struct


class Snapshot(Protocol):
    """All rows at one position, by projection."""

    @property
    def head(self) -> Head:
        """How far the ledger was followed."""
        ...

    @property
    def is_our_shape(self) -> bool:
        """Whether the rows are of the shape that this program writes."""
        ...

    def between(self, first: str, last: str | None) -> dict[str, list[Columns]]:
        """The rows of streams from one to another one, `last`, which is left out (None: to the end).

        They are by projection, in the order of their keys. Those that are read by keys are left out.
        """
        ...

    def by_stream(self, projection: str) -> Generator[Columns]:
        """All rows of "tags", "waitpoint tags" or "lasting", in the order of their streams and then of their keys."""
        ...

    def streams_after(self, stream: str, *, limit: int) -> list[str]:
        """The next streams, by name, that have rows in any projection that is not read by keys."""
        ...

    def of_streams(self, streams: Collection[str]) -> dict[str, list[Entry]]:
        """The rows of these streams, by projection; those that are read by keys are left out."""
        ...

    def rows_after(self, projection: str, key: Key | None, *, limit: int) -> list[Entry]:
        """The next rows of "tags", "waitpoint tags" or "lasting", in the order of their keys; None: the first ones."""
        ...

    def rows_at(self, projection: str, keys: Collection[Key]) -> list[Entry]:
        """Those of these rows of "tags", "waitpoint tags" or "lasting" that there are."""
        ...


class Rebuild(Protocol):
    """A second set of rows in the making."""

    @property
    def head(self) -> Head:
        """How far the second set has followed."""
        ...

    def apply(self, records: Sequence[Recorded], head: Head) -> None:
        """Follow the ledger by these events, the last of which is at `head`."""
        ...

    def index(self) -> None:
        """Make the indexes, once most rows are there."""
        ...

    def swap(self, read_tail: Callable[[int], tuple[Sequence[Recorded], Head]]) -> None:
        """Put these rows in the place of those that are read, after the events that `read_tail` finds behind them.

        Raises OutOfStep, and swaps nothing, when the rows are not those that the events tell of.
        """
        ...


class ReadModels(Protocol):
    """The rows of every projection. Calls block; they may come from several threads, and raise Unavailable."""

    def position(self) -> Head:
        """How far the ledger was followed, and the rolling hash at that event."""
        ...

    def apply(self, records: Sequence[Recorded], head: Head) -> Head:
        """Follow the ledger by these events, all or none, and say how far it is followed now.

        What was followed already is passed over. Raises OutOfStep when events before these are missing.
        """
        ...

    def get(self, run: str) -> RunRow | None:
        """One run, None if there is none."""
        ...

    def list_runs(
        self,
        environment: str,
        wanted: RunFilter,
        limit: int,
        *,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[RunRow], bool]:
        """A page of at most `limit` runs, newest first, and whether there are more beyond it."""
        ...

    def list_waitpoints(
        self,
        environment: str,
        wanted: WaitpointFilter,
        limit: int,
        *,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[WaitpointRow], bool]:
        """A page of at most `limit` tokens, newest first, and whether there are more beyond it."""
        ...

    def list_executions(
        self,
        environment: str,
        wanted: ExecutionFilter,
        order: Order,
        limit: int,
        *,
        offset: int = 0,
        after: Place | None = None,
    ) -> tuple[list[RunRow], bool]:
        """The runs of at most `limit` executions in this order, past `offset` of them, and whether there are more."""
        ...

    def list_schedules(self, environment: str, *, offset: int, limit: int) -> tuple[list[ScheduleRow], int]:
        """A page of schedules, the newest first, behind the first `offset`, and how many there are in all."""
        ...

    def list_listings(
        self,
        environment: str,
        wanted: ListingFilter,
        limit: int,
        *,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[ListingRow], bool]:
        """A page of at most `limit` named events or batches, newest first, and whether there are more beyond it."""
        ...

    def get_schedule(self, schedule: str) -> ScheduleRow | None:
        """One schedule, None if there is none (any more)."""
        ...

    def attempts_of(self, runs: Collection[str]) -> dict[str, list[AttemptRow]]:
        """The attempts of each of these runs, in order."""
        ...

    def going_on(self, environment: str, position: int, limit: int) -> list[str]:
        """At most `limit` runs that had begun at a position and were not over, by their ids.

        Those that were over less than LASTING_MIN positions after they began are not among them.
        """
        ...

    def queues(self, environment: str) -> list[QueueRow]:
        """The queues that have unfinished runs, by name."""
        ...

    def count_by_status(self, environment: str) -> dict[Status, int]:
        """How many runs there are in each status that any is in."""
        ...

    def checkpoint(self) -> tuple[list[State], Head, bool]:
        """The states that the engine keeps, where in the ledger they were so, and whether they are of our shape."""
        ...

    def start_rebuild(self) -> Rebuild:
        """Begin a second set of rows; those that are read stay as they are until the two are swapped."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """All rows as they are at one position."""
        ...

    def scrub(self, *, is_whole: bool = False) -> None:
        """Let nothing of what was erased stay behind in the files, as far as that is in our hands: see `Ledger`."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


Opener: TypeAlias = Callable[[], AbstractContextManager[tuple[CopyableLedger, ReadModels]]]
"""Opens a database once more. It can be sent to another process, which then imports what that needs and no more."""
