"""Several processes verify together: they find what one finds, and none is missed that is gone."""

import pickle
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import cast

import pytest

from adapters.postgres.ledger import PostgresLedger
from app.engine.backends import Database, open_database, opener_of
from app.engine.rebuild import rebuild
from app.history import hands as processes
from app.history import parts
from app.history.hands import TRIES, Hand, Hands, hands
from app.history.serving import serve
from app.history.verify import verify
from app.settings import Settings, load
from domain.errors import LedgerCorrupt, Unavailable
from domain.ports import START, Head
from tests.adapters.read_models import Tables, tamper
from tests.postgres import database_url, schema_of_its_own
from tests.projections.histories import history

EVENTS = 300


@pytest.fixture(autouse=True)
def _parts_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are many in a short history."""
    monkeypatch.setattr(parts, "SIZE", 7)
    monkeypatch.setattr(processes, "EVENTS_MIN", 0)


@contextmanager
def _on_sqlite(folder: Path) -> Generator[Settings]:
    yield load(database_url=f"sqlite:///{folder / 'ledger.db'}")


@contextmanager
def _on_postgres(_folder: Path) -> Generator[Settings]:
    with schema_of_its_own() as schema:
        yield load(database_url=database_url(), database_schema=schema)


@pytest.fixture(params=[_on_sqlite, _on_postgres], ids=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Settings]:
    with request.param(tmp_path) as settings:
        yield settings


@pytest.fixture
def database(settings: Settings) -> Generator[Database]:
    with closing(open_database(settings)) as database:
        database.ledger.append(history(Random(3), EVENTS), {}, after=START)
        rebuild(database.ledger, database.read_models)
        yield database


def test_two_processes_find_what_one_finds(settings: Settings, database: Database) -> None:
    sound = verify(*database)
    with hands(opener_of(settings), EVENTS, 2) as shared:
        soundly = verify(*database, shared)
        tables = cast("Tables", database.read_models)
        changed = tamper(tables, "update run_rows set task = 'other'") + tamper(tables, "delete from tag_rows")
        found = verify(*database, shared)

    assert soundly == sound
    assert sound.holds
    assert found == verify(*database)
    assert found.differences_total == changed
    assert {each.projection for each in found.differences} == {"runs", "tags"}


def test_a_process_that_is_gone_is_no_proof(settings: Settings, database: Database) -> None:
    other = Hand(opener_of(settings))
    with closing(other):
        assert verify(*database, Hands([other])).holds
        other.process.kill()
        other.process.join()

        with pytest.raises(Unavailable, match="gone"):
            verify(*database, Hands([other]))


def test_what_another_process_meets_with_is_raised_here(settings: Settings, database: Database) -> None:
    other = Hand(opener_of(settings))
    with closing(other):
        other.ask(_Failing())

        with pytest.raises(LedgerCorrupt, match="as it is"):
            other.answer()
    assert other.process.exitcode == 0


def test_another_process_imports_what_its_database_needs_and_no_more(settings: Settings, database: Database) -> None:
    sent = pickle.dumps((serve, opener_of(settings), parts.Names("", None)))
    code = "import pickle, sys; pickle.load(sys.stdin.buffer); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True, timeout=60)

    drivers = {"psycopg"} if isinstance(database.ledger, PostgresLedger) else set[str]()
    assert {*told.stdout.decode().split()} & {"psycopg", "pydantic", "httpx", "fastapi", "typer"} == drivers


class _Failing:
    """A part that cannot be looked at."""

    def look(self, *_: object) -> None:
        raise LedgerCorrupt("The log is as it is.")


class _Behind(Hand):
    """A process that never sees the rows where this one does."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    @property
    def has_room(self) -> bool:
        return False

    def ask(self, question: object) -> None:
        self.asked.append(question)

    def answers_within(self, seconds: float) -> bool:
        return True

    def answer(self) -> Head:
        return START


class _Silent(_Behind):
    """A process that waits for somebody else."""

    def answers_within(self, seconds: float) -> bool:
        return False

    def answer(self) -> Head:
        raise AssertionError("there is no answer")


def test_a_process_that_sees_the_rows_elsewhere_compares_none(database: Database) -> None:
    other = _Behind()
    report = verify(*database, Hands([other]))

    assert report == verify(*database)
    assert report.holds
    assert other.asked == ["snapshot"] * TRIES


def test_a_process_that_waits_for_its_rows_is_not_waited_for(database: Database) -> None:
    other = _Silent()

    assert verify(*database, Hands([other])) == verify(*database)
    assert other.asked == ["snapshot"]


@pytest.mark.usefixtures("database")
def test_for_a_short_ledger_no_process_is_started(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(processes, "EVENTS_MIN", EVENTS)
    monkeypatch.setattr(processes, "Hand", started.append)

    with hands(opener_of(settings), EVENTS - 1, 2):
        assert started == []
