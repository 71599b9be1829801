"""A rebuild: the same fold into a second set of tables, which get their indexes at the end and are then swapped in."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

from adapters.read_models_steps import added
from adapters.read_models_tables import COUNTS, LEDGER, TABLE_NAMES, following
from adapters.sqlite.read_models_schema import SHAPE, TABLES, indexes
from adapters.sqlite.read_models_store import Store
from adapters.sqlite.read_models_write import project, store
from domain.errors import OutOfStep
from domain.events import Recorded
from domain.ports import START, Head
from projections.known import Known

Tail: TypeAlias = tuple[Sequence[Recorded], Head]


class SqliteRebuild:
    """The second set of tables, at `head`. A later rebuild takes its place; one that was given up costs only space."""

    def __init__(self, database: Store) -> None:
        self._store = database
        self._expected: Counter[str] = Counter()
        self._known = Known()
        self.head = START
        self._drop_leftovers()
        with self._store.writing() as cursor:
            for table in TABLES:
                cursor.execute(following(table))
            (rebuilds,) = cursor.execute("pragma user_version").fetchone()
        self._number = rebuilds + 1

    def apply(self, records: Sequence[Recorded], head: Head) -> None:
        """Follow the ledger by these events, the last of which is at `head`."""
        # Nobody else writes these tables, so that others need to wait only while rows are stored.
        with self._store.reading() as cursor:
            loaded, changes = project(cursor, records, following, self._known)
        with self._store.writing() as cursor:
            store(cursor, changes, following)
        self._known.learn(loaded, changes, head, self._number)
        self._expected.update(added(records, changes))
        self.head = head

    def index(self) -> None:
        """Make the indexes, each in a transaction of its own, so that others can write between them."""
        for statement in indexes(following, self._number):
            with self._store.writing() as cursor:
                cursor.execute(statement)

    def swap(self, read_tail: Callable[[int], Tail]) -> None:
        """Put these tables in the place of those that are read, after the events that `read_tail` finds behind them.

        Whoever follows the ledger waits meanwhile, so it cannot be ahead of these tables when it goes on.
        Raises OutOfStep, and swaps nothing, when the tables do not have the rows that the events tell of.
        """
        with self._store.writing() as cursor:
            records, head = read_tail(self.head.position)
            if records:
                changes = project(cursor, records, following, self._known).changes
                store(cursor, changes, following)
                self._expected.update(added(records, changes))
            for name, statement in COUNTS.items():
                (rows,) = cursor.execute(following(statement)).fetchone()
                if rows != self._expected[name]:
                    raise OutOfStep(f"{name} was rebuilt with {rows} rows instead of {self._expected[name]}.")
            for name in TABLE_NAMES:
                if cursor.execute("select 1 from sqlite_schema where name = ?", (name,)).fetchone():
                    cursor.execute(f"alter table {name} rename to {name}_before")
                cursor.execute(f"alter table {following(name)} rename to {name}")
            cursor.execute(
                "update tracked set notification_id = ?, digest = ?, shape = ? where application_name = ?",
                (*head, SHAPE, LEDGER),
            )
            cursor.execute(f"pragma user_version = {self._number}")
        self.head = head
        self._drop_leftovers()

    def _drop_leftovers(self) -> None:
        """Large tables take a while to drop, so that is not done where others wait for the swap."""
        for name in TABLE_NAMES:
            for leftover in (following(name), f"{name}_before"):
                with self._store.writing() as cursor:
                    cursor.execute(f"drop table if exists {leftover}")
