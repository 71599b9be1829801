"""What reads, writes and holds the lease gives up a line that is dead, and goes on with another one."""

import time
from collections.abc import Iterator
from math import inf
from typing import Any

import psycopg
import pytest

from adapters.codec import new_row
from adapters.postgres import database
from adapters.postgres.lease import PostgresLease
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.line import Line
from adapters.postgres.migrate import migrate
from adapters.postgres.writer import Writer
from domain.errors import Deposed, LedgerUnavailable, Unavailable
from domain.ports import START, Head
from tests.adapters.ledgers import triggered
from tests.nodes.proxy import Proxy
from tests.nodes.proxy_session import Moment
from tests.postgres import database_url, schema_of_its_own

SILENCE_SECONDS = 0.2
SOON_SECONDS = 10
PREPARED = 6
"""So often psycopg sends a statement before it prepares it."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy(database_url())
    yield proxy
    proxy.close()


@pytest.fixture
def schema() -> Iterator[str]:
    with schema_of_its_own() as schema:
        migrate(database_url(), schema)
        yield schema


def append(writer: Writer, after: Head, run: str) -> Head:
    return writer.append([new_row(recorded) for recorded in triggered(after, run)], {}, after)


@pytest.mark.parametrize("appends", [1, PREPARED])
@pytest.mark.parametrize("is_hole", [False, True], ids=["cut", "hole"])
@pytest.mark.parametrize("moment", Moment)
def test_the_next_append_settles_what_became_of_the_last_one(
    proxy: Proxy, schema: str, moment: Moment, appends: int, *, is_hole: bool
) -> None:
    writer = Writer(proxy.url, schema, answer_seconds=SILENCE_SECONDS)
    ledger = PostgresLedger(database_url(), schema)
    head = START
    for number in range(appends):
        head = append(writer, head, f"run_{number}")
    proxy.next_append = (moment, is_hole)

    with pytest.raises(database.ERRORS):
        append(writer, head, "run_lost")
    try:
        # Whoever is on the other end of a dead line may not stand in the way of this one.
        append(writer, head, "run_next")
        landed = "run_next"
    except Deposed:
        landed = "run_lost"

    expected = {Moment.UNSENT: "run_next", Moment.EXECUTED: "run_next", Moment.COMMITTED: "run_lost"}
    assert landed == expected.get(moment, landed)
    assert [each.stream for each in ledger.read_after(head.position, limit=2)] == [landed]
    assert list(ledger.verify()) == []
    writer.close()
    ledger.close()


def test_readers_do_not_wait_for_ever_and_find_another_line(
    proxy: Proxy, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Line, "answer_seconds", SILENCE_SECONDS)
    monkeypatch.setattr(database, "PING_SECONDS", SILENCE_SECONDS)
    monkeypatch.setattr(database, "WAIT_SECONDS", 1)
    monkeypatch.setitem(database.CONNECTION, "connect_timeout", 2)
    ledger = PostgresLedger(proxy.url, schema)
    assert ledger.head() == START

    proxy.swallow()
    with pytest.raises(LedgerUnavailable):
        ledger.head()
    proxy.pass_on()

    # A connection that was begun in the hole is given up first.
    deadline = time.monotonic() + SOON_SECONDS
    while not answers(ledger):
        assert time.monotonic() < deadline, "it recovers by itself"
    ledger.close()


def answers(ledger: PostgresLedger) -> bool:
    """Whether it does, within a second."""
    try:
        return ledger.head() == START
    except LedgerUnavailable:
        return False


def test_a_line_that_spoke_just_now_is_not_asked_whether_it_answers(
    schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "FRESH_SECONDS", inf)
    ledger = PostgresLedger(database_url(), schema)
    asked: list[object] = []
    execute = Line.execute

    def noted(line: Line[Any], query: Any, *more: Any, **named: Any) -> Any:
        # The pool may set up further connections meanwhile.
        if query == "" and line.info.get_parameters()["application_name"] == f"runfold {schema}":
            asked.append(query)
        return execute(line, query, *more, **named)

    ledger.head()
    monkeypatch.setattr(Line, "execute", noted)
    assert ledger.head() == START
    monkeypatch.setattr(database, "FRESH_SECONDS", 0)
    assert ledger.head() == START

    assert asked == [""], "only the line that was silent for long"
    ledger.close()


def test_a_line_that_was_cut_since_it_spoke_is_replaced_by_another(
    schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "FRESH_SECONDS", inf)
    ledger = PostgresLedger(database_url(), schema)
    ledger.head()
    with psycopg.connect(database_url(), autocommit=True) as connection:
        ended = "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where application_name = %s"
        ((count,),) = connection.execute(ended, (f"runfold {schema}",)).fetchall()

    assert count, "the pool has at least one"
    assert ledger.head() == START
    ledger.close()


def test_a_lease_that_nobody_answers_for_is_unavailable_before_it_ends(proxy: Proxy, schema: str) -> None:
    lease = PostgresLease(proxy.url, schema, holder="a", address="http://a", lease_ms=500)
    assert lease.take()

    proxy.swallow()
    with pytest.raises(Unavailable):
        lease.take()
    proxy.pass_on()

    assert lease.take()
    lease.close()
