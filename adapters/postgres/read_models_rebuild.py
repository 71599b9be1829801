"""A rebuild: the same fold into a second set of tables, which get their indexes at the end and are then swapped in."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import LiteralString, TypeAlias

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.postgres.read_models_schema import ENVIRONMENTS, INDEXES, SHAPE, TABLES
from adapters.postgres.read_models_store import LOCK_TRACKED, Store
from adapters.postgres.read_models_write import project, store
from adapters.read_models_steps import added
from adapters.read_models_tables import COUNTS, LEDGER, TABLE_NAMES, following
from domain.errors import OutOfStep
from domain.events import Recorded
from domain.ports import START, Head
from projections.known import Known

Tail: TypeAlias = tuple[Sequence[Recorded], Head]

# One rebuild at a time takes a step; others may read and follow meanwhile.
LOCK_STEP: LiteralString = "lock table rebuilds in share update exclusive mode"
# For the last one nobody may read several tables; whoever reads a single one, or follows, is not in the way.
LOCK_SWAP: LiteralString = "lock table rebuilds in access exclusive mode"
SWAPPED: LiteralString = "update tracked set notification_id = %s, digest = %b, shape = %s where application_name = %s"


class PostgresRebuild:
    """The second set of tables, at `head`. A later rebuild takes its place; one that was given up costs only space."""

    def __init__(self, database: Store) -> None:
        self._store = database
        self._expected: Counter[str] = Counter()
        self._known = Known()
        self.head = START
        with self._store.writing(None) as cursor:
            cursor.execute(LOCK_STEP)
            ((self._number,),) = cursor.execute("update rebuilds set number = number + 1 returning number").fetchall()
            _drop(cursor, "before")
            _drop(cursor, "next")
            # Read models of an older version have none.
            cursor.execute(ENVIRONMENTS)
            for table in TABLES:
                cursor.execute(following(table))

    def apply(self, records: Sequence[Recorded], head: Head) -> None:
        """Follow the ledger by these events, the last of which is at `head`."""
        with self._step(LOCK_STEP) as cursor:
            loaded, changes = project(cursor, records, following, self._known)
            store(cursor, changes, following)
        self._known.learn(loaded, changes, head, self._number)
        self._expected.update(added(records, changes))
        self.head = head

    def index(self) -> None:
        """Make the indexes, and note what planners want to know of the tables: that all see all rows, for example."""
        for statement in INDEXES:
            with self._step(LOCK_STEP) as cursor:
                cursor.execute(following(statement))
        for name in TABLE_NAMES:
            self._store.vacuum(following(name))

    def swap(self, read_tail: Callable[[int], Tail]) -> None:
        """Put these tables in the place of those that are read, after the events that `read_tail` finds behind them.

        Whoever follows the ledger waits meanwhile, so it cannot be ahead of these tables when it goes on.
        Raises OutOfStep, and swaps nothing, when the tables do not have the rows that the events tell of.
        """
        with self._step(LOCK_SWAP) as cursor:
            cursor.execute(LOCK_TRACKED, (LEDGER,))
            records, head = read_tail(self.head.position)
            expected = self._expected.copy()
            if records:
                changes = project(cursor, records, following, self._known).changes
                store(cursor, changes, following)
                expected.update(added(records, changes))
            for name, statement in COUNTS.items():
                ((rows,),) = cursor.execute(following(statement)).fetchall()
                if rows != expected[name]:
                    raise OutOfStep(f"{name} was rebuilt with {rows} rows instead of {expected[name]}.")
            for name in TABLE_NAMES:
                cursor.execute(f"alter table if exists {name} rename to {name}_before")
                cursor.execute(f"alter table {following(name)} rename to {name}")
            cursor.execute(SWAPPED, (*head, SHAPE, LEDGER))
        self.head = head
        # Large tables take a while to drop, so that is not done where others wait for the swap.
        with self._store.writing(None) as cursor:
            _drop(cursor, "before")

    @contextmanager
    def _step(self, lock: LiteralString) -> Generator[Cursor[TupleRow]]:
        with self._store.writing(None) as cursor:
            cursor.execute(lock)
            if cursor.execute("select number from rebuilds").fetchall() != [(self._number,)]:
                raise OutOfStep("Another rebuild took the place of this one.")
            yield cursor


def _drop(cursor: Cursor[TupleRow], leftover: LiteralString) -> None:
    for name in TABLE_NAMES:
        cursor.execute(f"drop table if exists {name}_{leftover}")
