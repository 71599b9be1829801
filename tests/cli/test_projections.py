"""`runfold projections` on the database of an engine."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from tests.app.harness import running_engine
from tests.cli.commandline import CommandLine
from tests.cli.installation import Project


def test_the_read_models_of_a_running_engine_equal_its_ledger(command: CommandLine) -> None:
    command.run("runs", "trigger", "add", "[1]", "--wait")
    command.run("runs", "list")  # which waits for the read models

    report = command.json("projections", "verify")
    told = command.run("projections", "verify").splitlines()

    assert (report["holds"], report["differences"], report["ledger_faults"]) == (True, [], [])
    assert report["rows"]["runs"] == report["rows"]["attempts"] == 1
    assert told[0].split() == ["projection", "rows"]
    at = report["position"]
    assert (report["head"], told[-1]) == (
        at,
        f"The ledger is in order up to its last event, {at}; the read models equal it, row for row, at event {at}.",
    )


def test_what_differs_is_told_and_mended_by_a_rebuild(command: CommandLine, project: Project) -> None:
    run = command.json("runs", "trigger", "add", "[2]", "--wait")["id"]
    command.run("runs", "list")
    with closing(sqlite3.connect(project.folder / ".runfold" / "ledger.views.db")) as database, database:
        database.execute("update run_rows set task = 'forged' where id = ?", (run,))

    answer = command.ask("projections", "verify", code=1)
    report = command.json("projections", "verify", code=1)
    assert command.json("ledger", "verify", code=1)["differences"] == report["differences"]
    rebuilt = command.json("projections", "rebuild")

    assert run in answer.stdout
    assert "'forged'" in answer.stdout
    assert "Differences: 1. `runfold projections rebuild` makes the read models anew." in answer.stdout
    assert [each["stored"] for each in report["differences"]] == ["forged"]
    assert rebuilt["position"] == report["position"]
    assert command.json("projections", "verify")["holds"]
    assert (
        command.run("projections", "rebuild") == f"The read models are made anew, up to event {rebuilt['position']}.\n"
    )


async def _database_in(folder: Path) -> str:
    """With one run; its rows have the ledger's events behind them."""
    async with running_engine(SqliteLedger(folder / "ledger.db"), SqliteReadModels(folder / "ledger.views.db")) as one:
        run = await one.trigger()
        assert await one.listed() == [run]
    return run


@pytest.mark.parametrize("shape", ["", "before"])
def test_of_a_damaged_ledger_nothing_is_made_and_nobody_is_told_to_make_it(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shape: str
) -> None:
    run = asyncio.run(_database_in(tmp_path))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("update events set state = replace(state, 'greet', 'forged') where originator_id = ?", (run,))
        (at,) = database.execute("select min(notification_id) from events where originator_id = ?", (run,)).fetchone()
    if shape:
        with closing(sqlite3.connect(tmp_path / "ledger.views.db")) as database, database:
            database.execute("update tracked set shape = ?", (shape,))
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    fault = f"Event {at} is not as it was appended: its hash is wrong."

    verified = " ".join(command.ask("ledger", "verify", code=1).stdout.split())
    rebuilt = command.ask("projections", "rebuild", code=1)
    with closing(sqlite3.connect(tmp_path / "ledger.views.db")) as database:
        row = database.execute("select task from run_rows where id = ?", (run,)).fetchone()

    assert fault in verified
    assert "rebuild" not in verified
    assert shape or "The ledger itself is damaged: restore it from a backup before" in verified
    assert rebuilt.stdout == ""
    assert " ".join(rebuilt.stderr.split()).startswith(f"{fault} No rows are made of a ledger that is damaged: ")
    assert row == ("greet",)


@pytest.mark.parametrize("what", ["verify", "rebuild"])
def test_a_ledger_that_is_not_there_is_not_made(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")

    answer = command.ask("projections", what, code=2)

    assert answer.stderr == f"There is no ledger {tmp_path}/none.db, which RUNFOLD_DATABASE_URL names.\n"
    assert not list(tmp_path.iterdir())
