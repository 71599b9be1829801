"""The lease of PostgreSQL: one node at a time, for a while, and whoever takes it ends what the former writer sends."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.lease import PostgresLease
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from domain.errors import LedgerUnavailable, Unavailable
from domain.ports import START
from tests.adapters.ledgers import triggered
from tests.postgres import database_url, schema_of_its_own

LEASE_MS = 60_000
SOON_SECONDS = 10
NewLease = Callable[[str], PostgresLease]


@pytest.fixture
def schema() -> Iterator[str]:
    with schema_of_its_own() as schema:
        migrate(database_url(), schema)
        yield schema


@pytest.fixture
def lease_of(schema: str) -> Iterator[NewLease]:
    with ExitStack() as leases:

        def new(name: str) -> PostgresLease:
            lease = PostgresLease(database_url(), schema, holder=name, address=f"http://{name}", lease_ms=LEASE_MS)
            leases.callback(lease.close)
            return lease

        yield new


def run_out(schema: str) -> None:
    """As when the holder was silent for as long as the lease lasts."""
    with psycopg.connect(database_url()) as connection:
        table = sql.Identifier(schema, "lease")
        connection.execute(sql.SQL("update {} set until = clock_timestamp() - interval '1 ms'").format(table))


def test_one_node_holds_it_and_all_know_where_that_is(lease_of: NewLease) -> None:
    first, second = lease_of("a"), lease_of("b")

    assert second.holder() is None
    assert [first.take(), second.take(), first.take(), second.take()] == [True, False, True, False]
    assert first.holder() == second.holder() == "http://a"


def test_one_that_was_not_renewed_goes_to_another_and_the_former_holder_is_told(
    lease_of: NewLease, schema: str
) -> None:
    first, second = lease_of("a"), lease_of("b")
    first.take()
    run_out(schema)

    assert first.holder() is None
    assert second.take()
    assert not first.take()
    assert first.holder() == "http://b"


def test_one_that_ran_out_and_was_not_taken_is_still_ours(lease_of: NewLease, schema: str) -> None:
    lease = lease_of("a")
    lease.take()
    run_out(schema)

    assert lease.take()


def test_the_release_wakes_whoever_waits(lease_of: NewLease) -> None:
    first, second = lease_of("a"), lease_of("b")
    first.take()
    assert not second.take()
    taken: list[bool] = []

    def stand_by() -> None:
        second.wait(SOON_SECONDS)
        taken.append(second.take())

    waiting = threading.Thread(target=stand_by)
    waiting.start()
    first.release()
    waiting.join(SOON_SECONDS / 2)

    assert taken == [True]


def test_only_the_holder_releases_it(lease_of: NewLease) -> None:
    first, second = lease_of("a"), lease_of("b")
    first.take()

    second.release()

    assert first.holder() == "http://a"


def test_whoever_takes_it_ends_the_connection_of_the_former_writer(lease_of: NewLease, schema: str) -> None:
    first, second = lease_of("a"), lease_of("b")
    first.take()
    ledger = PostgresLedger(database_url(), schema)
    head = ledger.append(triggered(START, "run_1"), {}, after=START)
    run_out(schema)

    second.take()

    with pytest.raises(LedgerUnavailable):
        ledger.append(triggered(head, "run_2"), {}, after=head)
    assert ledger.head() == head
    ledger.close()


def test_a_renewal_ends_nothing(lease_of: NewLease, schema: str) -> None:
    lease = lease_of("a")
    lease.take()
    ledger = PostgresLedger(database_url(), schema)
    head = ledger.append(triggered(START, "run_1"), {}, after=START)

    lease.take()

    assert ledger.append(triggered(head, "run_2"), {}, after=head).position == 2
    ledger.close()


def test_a_connection_that_was_cut_is_unavailable_once_and_made_anew(lease_of: NewLease, schema: str) -> None:
    lease = lease_of("a")
    lease.take()
    with psycopg.connect(database_url()) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s",
            (f"runfold lease {schema}",),
        )

    with pytest.raises(Unavailable):
        lease.take()
    assert lease.take()


def test_a_database_that_is_not_there_is_unavailable() -> None:
    lease = PostgresLease("postgresql://127.0.0.1:1/nowhere", holder="a", address="http://a", lease_ms=LEASE_MS)

    with pytest.raises(Unavailable) as refused:
        lease.take()

    # Anybody is told this; where the database is, is for the log.
    assert str(refused.value) == "The lease cannot be asked for: the connection to the database failed."
    assert "127.0.0.1" in str(refused.value.__cause__)
