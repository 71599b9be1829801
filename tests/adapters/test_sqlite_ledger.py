"""What is SQLite's own: the lock beside the file, tampering, a full disk, the library's test suite."""

# pyright: reportPrivateUsage=false

import sqlite3
import threading
from pathlib import Path
from unittest import TestCase
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import ApplicationRecorder
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from adapters.sqlite.recorder import Datastore, Recorder
from domain.errors import LedgerUnavailable
from domain.ports import START
from tests.adapters.ledgers import triggered


def test_a_second_engine_on_the_same_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    first = SqliteLedger(tmp_path / "ledger.db")

    with pytest.raises(LedgerUnavailable, match="Another engine is running on this database"):
        SqliteLedger(tmp_path / "ledger.db")

    first.close()
    SqliteLedger(tmp_path / "ledger.db").close()


@pytest.mark.parametrize("folder", ["a#b", "a?mode=memory", "a%20b", "with space", "ümlaut"])
def test_both_files_are_where_their_paths_say(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()

    SqliteLedger(tmp_path / folder / "ledger.db").close()
    SqliteReadModels(tmp_path / folder / "ledger.views.db").close()

    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db")}
    assert found == {f"{folder}/ledger.db", f"{folder}/ledger.views.db"}


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("update events set state = replace(state, 'greet', 'steal') where notification_id = 2", "Event 2 is not"),
        ("update events set originator_id = 'run_9' where notification_id = 2", "Event 2 is not"),
        ("delete from events where notification_id = 2", "Events 2 to 2 are missing"),
        ("update events set digest = zeroblob(32) where notification_id = 3", "Event 3 is not"),
        ("update events set notification_id = 9 where notification_id = 2", "Events 2 to 2 are missing"),
    ],
)
def test_tampering_shows(tmp_path: Path, tampering: str, found: str) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.append(triggered(START, "run_1", "run_2", "run_3"), {}, after=START)
    with sqlite3.connect(tmp_path / "ledger.db") as vandal:
        vandal.execute(tampering)
    vandal.close()

    sentences = list(ledger.verify())

    assert found in sentences[0]
    ledger.close()


def test_positions_survive_vacuum(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.append(triggered(START, "run_1", "run_2"), {}, after=START)
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.db") as janitor:
        janitor.execute("vacuum")
    janitor.close()

    again = SqliteLedger(tmp_path / "ledger.db")

    assert list(again.verify()) == []
    again.close()


def test_a_full_disk_loses_nothing_and_is_survived(tmp_path: Path) -> None:
    """SQLite's own page limit stands in for the disk: the same error, SQLITE_FULL, at the same places."""
    ledger = SqliteLedger(tmp_path / "ledger.db")
    head = ledger.append(triggered(START, "run_1"), {}, after=START)
    with ledger._store.writing() as cursor:
        pages = cursor.execute("pragma page_count").fetchone()[0]
        cursor.execute(f"pragma max_page_count = {pages + 4}")
    big = {"run_2/payload": bytes(1_000_000)}

    with pytest.raises(LedgerUnavailable, match="full"):
        ledger.append(triggered(head, "run_2"), big, after=head)

    assert ledger.head() == head
    with ledger._store.writing() as cursor:
        cursor.execute("pragma max_page_count = 1000000")
    after = ledger.append(triggered(head, "run_2"), big, after=head)
    assert after.position == 2
    assert list(ledger.verify()) == []
    ledger.close()


class _OnFile(TestCase):
    EXPECT_CONTIGUOUS_NOTIFICATION_IDS = True

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "ledger.db"

    def new_originator_id(self) -> UUID | str:
        return uuid4().hex

    def create_recorder(self) -> ApplicationRecorder:
        recorder = Recorder(Datastore(f"file:{self.path}"))
        recorder.create_table()
        self.addCleanup(recorder.datastore.close)
        self.addCleanup(self._join, set(threading.enumerate()))
        return recorder

    def _join(self, before: set[threading.Thread]) -> None:
        """The library leaves its readers running; to close a connection that one of them uses ends the process."""
        for thread in set(threading.enumerate()) - before:
            thread.join()


class TestTheLibrarysRecorderSuite(_OnFile, ApplicationRecorderTestCase[ApplicationRecorder]):
    """The recorder keeps the contract of the library that it comes from."""


class TestTheLibrarysInterleavingSuite(_OnFile, NonInterleavingNotificationIDsBaseCase):
    """Notifications of concurrent writers do not interleave."""


del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
