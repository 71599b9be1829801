"""`runfold ledger` from the database of an engine to other databases, and back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.lease import PostgresLease
from adapters.sqlite.ledger import SqliteLedger
from app.cli import audit
from tests.adapters.synced import synced_folders
from tests.cli.commandline import CommandLine
from tests.cli.installation import Installation, Project, developing
from tests.postgres import database_url, schema_of_its_own

LARGE = json.dumps(["x" * 100_000])


@pytest.fixture
def export(command: CommandLine, project: Project, tmp_path: Path) -> Path:
    """Of the engine of the project, which runs, and has a run with a large payload."""
    command.run("runs", "trigger", "refuse", LARGE, "--wait", code=1)
    file = tmp_path / "ledger.jsonl.gz"
    told = command.run("ledger", "export", str(file))
    assert told.startswith("Exported ")
    assert list(tmp_path.iterdir()) == [file]
    return file


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A place in PostgreSQL that the settings name."""
    with schema_of_its_own() as schema:
        monkeypatch.setenv("RUNFOLD_DATABASE_URL", database_url())
        monkeypatch.setenv("RUNFOLD_DATABASE_SCHEMA", schema)
        yield schema


def test_the_folder_of_a_new_export_is_written_to_the_disk(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path / 'of.db'}")
    SqliteLedger(tmp_path / "of.db").close()
    (tmp_path / "exports").mkdir()
    folders = synced_folders(monkeypatch)

    command.run("ledger", "export", str(tmp_path / "exports" / "ledger.jsonl"))

    assert folders == [["ledger.jsonl"]]


def test_a_run_is_proved_beside_an_engine_and_checked_without_one(
    command: CommandLine, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = command.json("runs", "trigger", "refuse", "7", "--wait", code=1)["id"]
    key, checkpoint, proof = (str(tmp_path / name) for name in ("signing.pem", "checkpoint.json", "proof.json"))
    command.run("ledger", "signing-key", key)
    signed = command.run("ledger", "checkpoint", checkpoint, "--key", key)
    told = command.run("prove", run, "--checkpoint", checkpoint)
    Path(proof).write_text(told)
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", "sqlite:///nowhere.db")

    checked = command.run("prove", "--check", proof, "--key", f"{key}.pub")
    Path(proof).write_text(told.replace("RunHeldForVersion", "RunEnqueued"))
    changed = command.ask("prove", "--check", proof, "--key", f"{key}.pub", code=1)
    nothing = command.ask("prove", run, "--key", f"{key}.pub", code=2)

    assert signed.startswith("The ledger is as it was appended, up to event ")
    assert f"events of {run}, as they stood in the log" in " ".join(checked.split())
    assert "is not as it was when the checkpoint was signed." in " ".join(changed.stderr.split())
    assert "Name a run and a --checkpoint" in " ".join(nothing.stderr.split())


def test_a_ledger_is_held_against_a_checkpoint_which_is_not_replaced_by_one_of_another_ledger(
    command: CommandLine, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command.run("runs", "trigger", "refuse", "7", "--wait", code=1)
    key, checkpoint = (str(tmp_path / name) for name in ("signing.pem", "checkpoint.json"))
    with_key = ("--checkpoint", checkpoint, "--key", f"{key}.pub")
    command.run("ledger", "signing-key", key)
    command.run("ledger", "checkpoint", checkpoint, "--key", key)
    position = json.loads(Path(checkpoint).read_text())["checkpoint"]["position"]
    command.run("runs", "trigger", "refuse", "7", "--wait", code=1)

    told = " ".join(command.run("ledger", "verify", *with_key).split())
    report = command.json("ledger", "verify", *with_key)
    command.run("ledger", "checkpoint", checkpoint, "--key", key)
    newer = Path(checkpoint).read_text()
    signed = json.loads(newer)["checkpoint"]["position"]
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    SqliteLedger(tmp_path / "other.db").close()
    empty = command.ask("ledger", "checkpoint", checkpoint, "--key", key, code=1)
    without = command.ask("ledger", "verify", "--checkpoint", checkpoint, code=2)

    assert f"Up to event {position} the ledger is the one that was signed at " in told
    assert report["checkpoint"] == {"position": position, "faults": []}
    assert report["holds"]
    assert signed > position
    assert f"The ledger ends with event 0, and event {signed} was signed." in " ".join(empty.stderr.split())
    assert Path(checkpoint).read_text() == newer
    assert "--checkpoint takes --key" in " ".join(without.stderr.split())


def test_who_did_what_is_told_as_a_table_and_exported_from_one_position_to_another(
    command: CommandLine, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 3)
    run = command.json("runs", "trigger", "refuse", "7", "--wait", code=1)["id"]

    table = command.ask("ledger", "events", "--run", run)
    whole = command.ask("ledger", "events", "--format", "jsonl")
    lines = [json.loads(line) for line in whole.stdout.splitlines()]
    of_run = [each for each in lines if each["id"] == run]
    first, last = of_run[0]["position"], of_run[-1]["position"]
    part = command.ask("ledger", "events", "--format", "cloudevents", "--after", str(first), "--upto", str(last))
    wrong = command.ask("ledger", "events", "--type", "RunCancelled", code=1)
    nobody = command.ask("ledger", "events", "--actor", "kye:", code=1)

    assert [line.split()[0] for line in table.stdout.splitlines()] == [str(each["position"]) for each in of_run]
    assert all(each["type"] in line for each, line in zip(of_run, table.stdout.splitlines(), strict=True))
    assert [each["id"] for each in map(json.loads, part.stdout.splitlines())] == [
        str(each["position"]) for each in lines if first < each["position"] <= last
    ]
    assert part.stderr == f"Looked through up to event {last}.\n"
    assert int(whole.stderr.split()[-1].rstrip(".")) >= last
    assert "There is no event 'RunCancelled'" in wrong.stderr
    assert "There is no actor 'kye:': it begins with key:, " in " ".join(nobody.stderr.split())


def test_a_history_moves_to_postgresql_and_back(
    command: CommandLine, export: Path, schema: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told, proved = command.run("ledger", "import", str(export)).splitlines()
    on_postgres = command.json("projections", "verify")
    command.run("ledger", "export", str(tmp_path / "again.jsonl.gz"))
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path}/new/ledger.db")
    command.run("ledger", "import", str(tmp_path / "again.jsonl.gz"))
    command.run("ledger", "export", str(tmp_path / "back.jsonl.gz"))

    assert told.startswith("The ledger has ")
    assert " and 1 large value of the file, up to event " in told
    assert proved.startswith("Its hashes are right, up to ")
    assert on_postgres["holds"]
    assert on_postgres == command.json("projections", "verify")
    assert (
        export.read_bytes() == (tmp_path / "again.jsonl.gz").read_bytes() == (tmp_path / "back.jsonl.gz").read_bytes()
    )


def test_an_engine_goes_on_with_an_imported_ledger(
    command: CommandLine,
    export: Path,
    installation: Installation,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    runs = command.json("runs", "list", "--limit", "100")
    home = tmp_path / "moved"
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{home}/.runfold/ledger.db")
    command.run("ledger", "import", str(export))
    for name in ("jobs.py", ".runfold/secret-key"):
        (home / name).write_bytes((project.folder / name).read_bytes())

    with developing(installation, home, "jobs.py") as moved:
        monkeypatch.setenv("RUNFOLD_API_URL", moved.started["url"])
        listed = command.json("runs", "list", "--limit", "100")
        refused = command.ask("ledger", "import", str(export), code=1)
        command.run("runs", "trigger", "add", "[1]", "--wait")

    assert listed == runs
    assert "Another engine is running on this database" in refused.stderr


def test_one_command_can_hand_the_history_to_the_other(
    command: CommandLine, export: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    piped = command.ask("ledger", "export", "-")
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path}/ledger.db")
    command.stdin = piped.stdout.encode()

    command.run("ledger", "import", "-")

    assert piped.stdout.startswith('{"format":"runfold-ledger","version":1,')
    assert piped.stderr.startswith("Exported ")
    assert command.ask("ledger", "export", "-").stdout == piped.stdout


def test_an_import_that_has_nothing_to_do_does_no_harm_and_what_came_later_follows(
    command: CommandLine, export: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = command.json("projections", "verify")["position"]
    command.run("runs", "trigger", "add", "[3]", "--wait")
    rest = tmp_path / "rest.jsonl"
    command.run("ledger", "export", "--after", str(first), str(rest))
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path}/ledger.db")

    assert command.run("ledger", "import", str(export)) == command.run("ledger", "import", str(export))
    command.run("ledger", "import", str(rest))

    assert command.json("projections", "verify")["position"] > first


def test_a_file_that_is_no_export_makes_no_database(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path}/new/ledger.db")
    (tmp_path / "notes.txt").write_text("hello\n")

    refused = command.ask("ledger", "import", str(tmp_path / "notes.txt"), code=1)
    missing = command.ask("ledger", "import", "none.jsonl", code=2)
    nowhere = command.ask("ledger", "export", str(tmp_path / "out.jsonl"), code=2)

    assert refused.stderr.startswith("The first line is not that of an export of a ledger: ")
    assert "There is no file none.jsonl." in missing.stderr
    assert "There is no ledger" in nowhere.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_an_export_that_cannot_be_written_or_begun_leaves_no_file(command: CommandLine, tmp_path: Path) -> None:
    folder = command.ask("ledger", "export", str(tmp_path / "none" / "ledger.jsonl"), code=1)
    late = command.ask("ledger", "export", "--after", "1000000", str(tmp_path / "ledger.jsonl"), code=1)

    assert folder.stderr == f"The export {tmp_path}/none/ledger.jsonl cannot be written: No such file or directory.\n"
    assert late.stderr.startswith("There is no event 1000000 to begin behind: the ledger ends with event ")
    assert list(tmp_path.iterdir()) == []


def test_a_postgresql_database_on_which_a_node_writes_is_refused(
    command: CommandLine, export: Path, schema: str
) -> None:
    command.run("database", "migrate")
    node = PostgresLease(database_url(), schema, holder="other", address="http://10.0.0.1:7650", lease_ms=60_000)
    assert node.take()
    try:
        refused = command.ask("ledger", "import", str(export), code=1)
    finally:
        node.release()
        node.close()

    assert refused.stderr == ("Another node writes to this database: http://10.0.0.1:7650. Stop it and import again.\n")
    assert command.run("ledger", "import", str(export)).startswith("The ledger has ")
