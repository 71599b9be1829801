"""Two processes that open the same new file at one time."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.sqlite import opening
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from domain.errors import Unavailable
from domain.ports import START

OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("create table other (value)")
connection.execute("begin immediate")
print("about to write", flush=True)
sys.stdin.read()
connection.execute("commit")
connection.close()
print("done", flush=True)
"""
OPENERS: dict[str, Callable[[Path], SqliteLedger | SqliteReadModels]] = {
    "ledger": SqliteLedger,
    "read models": SqliteReadModels,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.db"


@pytest.fixture
def other(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that is about to write to the file, until its input ends."""
    command = [sys.executable, "-c", OTHER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "about to write\n"
        yield process


def _let_go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    assert process.stdout.readline() in {"done\n", ""}


@pytest.mark.parametrize("what", OPENERS)
def test_who_opens_a_file_waits_for_another_process_that_is_making_it(
    path: Path, other: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        _let_go(other)

    monkeypatch.setattr(opening, "sleep", sleep)
    with closing(OPENERS[what](path)) as opened:
        head = opened.head() if isinstance(opened, SqliteLedger) else opened.position()

    assert head in {START, 0}
    assert waits == [opening.AGAIN_SECONDS]


@pytest.mark.parametrize("what", OPENERS)
def test_who_has_waited_long_enough_gives_up(
    path: Path, other: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += 100 * seconds

    monkeypatch.setattr(opening, "sleep", sleep)
    monkeypatch.setattr(opening, "monotonic", lambda: now[0])
    with pytest.raises((Unavailable, sqlite3.OperationalError), match="database is locked"):
        OPENERS[what](path)
    _let_go(other)

    assert now[0] >= 5
