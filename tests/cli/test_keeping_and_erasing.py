"""`runfold erase`, `retention`, `sink` and `ledger segments` against an engine that runs."""

import asyncio
import json
from pathlib import Path

import pytest

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from tests.app.harness import running_engine
from tests.app.test_erasing import SECRET, secret_run
from tests.app.test_retaining import KEYS_MS, archive, keep_a_day
from tests.cli.commandline import CommandLine
from tests.cli.installation import Project


def test_a_run_is_erased_and_the_receipt_checked_without_an_engine(
    command: CommandLine, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del project
    run = command.json("runs", "trigger", "refuse", '"4d4"', "--tag", "user:7", "--wait", code=1)["id"]
    key, receipt = str(tmp_path / "signing.pem"), str(tmp_path / "receipt.json")
    command.run("ledger", "signing-key", key)

    told = command.run("erase", "--tag", "user:7", "--key", key, "--receipt", receipt)
    again = command.run("erase", run)
    shown, page = command.json("runs", "show", run), command.run("runs", "show", run)
    explained = command.run("explain", run)
    open_and_check = command.ask("erase", code=2)
    monkeypatch.setenv("RUNFOLD_API_URL", "http://127.0.0.1:9")
    checked = command.run("erase", "--check", receipt, "--key", f"{key}.pub")
    Path(receipt).write_text(Path(receipt).read_text().replace(run, "run_another"))
    changed = command.ask("erase", "--check", receipt, "--key", f"{key}.pub", code=1)

    assert "events of 1 run erased" in told
    assert " ".join(checked.split()) == " ".join(told.split())
    assert again == "Nothing was left to erase.\n"
    assert "4d4" not in json.dumps(shown)
    assert "erased    what it was given and came to is gone\n" in page
    assert "What it was given and came to is erased.\n" in explained
    assert "Name runs, or a --tag." in " ".join(open_and_check.stderr.split())
    assert "somebody changed the one or the other" in " ".join(changed.stderr.split())


def test_all_pages_of_a_tag_are_asked_for_and_segments_that_cannot_be_searched_are_told(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[dict[str, object]] = [
        {"open": ["run_1"], "receipt": None, "next": "erasure_"},
        {"open": [], "receipt": None, "unreadable": ["Segment erasure_1 is damaged."], "next": "erasure_1"},
        {"open": [], "receipt": None},
    ]
    asked: list[object] = []

    def call(_method: str, _path: str, *, body: dict[str, object]) -> dict[str, object]:
        asked.append(body["after"])
        return pages[len(asked) - 1]

    monkeypatch.setattr("app.cli.api.connect", lambda: None)
    monkeypatch.setattr("app.cli.api.call", call)

    said = command.ask("erase", "--tag", "user:7", code=1)

    assert asked == [None, "erasure_", "erasure_1"]
    assert said.stdout == "Nothing was left to erase.\nNot erased, because they have not ended: run_1.\n"
    assert said.stderr == "Not searched for runs with the tag: Segment erasure_1 is damaged.\n"


def test_how_long_runs_stay_is_said_and_told(command: CommandLine, project: Project) -> None:
    del project

    said = command.run("retention", "set", "--days", "30")
    shown = command.json("retention", "show")
    segments = command.json("ledger", "segments", "list")
    verified = command.run("ledger", "segments", "verify")
    missing = command.ask("ledger", "segments", "export-run", "run_1", code=1)
    one = command.run("retention", "set", "--days", "1")
    ended = command.run("retention", "set", "--for-ever")

    assert said.startswith("Runs leave the database 30 days after their end, for segments in ")
    assert shown["days"] == 30
    assert one.startswith("Runs leave the database 1 day after their end, ")
    assert segments == []
    assert verified == "0 of 0 segments are as they were written.\n"
    assert missing.stderr == "Run run_1 is not archived.\n"
    assert ended == "Runs stay in the database.\n"


def test_a_segment_of_which_the_ledger_does_not_tell_is_listed_as_such(
    command: CommandLine, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del project
    monkeypatch.setenv("RUNFOLD_SEGMENTS_FOLDER", str(tmp_path))
    first = json.loads(command.run("ledger", "events", "--format", "cloudevents").splitlines()[0])
    environment = tmp_path / first["source"].rpartition("/")[2]
    environment.mkdir()
    (environment / "erasure_1.jsonl.gz").write_bytes(b"")

    listed = command.json("ledger", "segments", "list")
    table = command.run("ledger", "segments", "list")

    assert listed == [{"id": "erasure_1", "runs": None, "isThere": True, "isKnown": False}]
    assert [line.split() for line in table.splitlines()][1:] == [["erasure_1", "yes", "no"]]


async def _archived_in(folder: Path) -> str:
    """A run in a segment, whose database is in the same folder."""
    files = SqliteLedger(folder / "ledger.db"), SqliteReadModels(folder / "ledger.views.db")
    async with running_engine(*files) as engine:
        run = await secret_run(engine)
        environment = await keep_a_day(engine, folder / "segments")
        engine.clock.wall += KEYS_MS
        await archive(engine, environment)
    return run


def test_an_archived_run_is_proved_from_its_segment(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = asyncio.run(_archived_in(tmp_path))
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    key, checkpoint, proof = (str(tmp_path / name) for name in ("signing.pem", "checkpoint.json", "proof.json"))
    command.run("ledger", "signing-key", key)
    command.run("ledger", "checkpoint", checkpoint, "--key", key)

    Path(proof).write_text(command.run("prove", run, "--checkpoint", checkpoint))
    checked = command.run("prove", "--check", proof, "--key", f"{key}.pub")
    (tmp_path / "segments").rename(tmp_path / "away")
    without = command.ask("prove", run, "--checkpoint", checkpoint, code=1)

    assert SECRET in Path(proof).read_text()
    assert "AttemptSucceeded" in checked
    assert "RunArchived" in checked
    assert "erased)" not in checked
    assert f"Run {run} was archived in segment " in " ".join(without.stderr.split())


def test_sinks_are_added_listed_and_removed(command: CommandLine, project: Project) -> None:
    del project

    added = command.json("sink", "add", "audit", "--url", "https://example.com/events", "--after", "0")
    listed = command.json("sink", "list")
    table = command.run("sink", "list")
    refused = command.ask("sink", "add", "x", "--file", "all.jsonl", code=1)
    removed = command.run("sink", "remove", "audit")

    assert [each["id"] for each in listed] == [added["id"]]
    assert "audit" in table
    assert "set RUNFOLD_SINKS_FOLDER" in refused.stderr
    assert removed == "audit is removed\n"
    assert command.run("sink", "list") == "No sinks.\n"


def test_a_database_is_written_anew_beside_its_engine(command: CommandLine, project: Project) -> None:
    del project

    assert command.run("database", "scrub").startswith("Nothing of what was erased is left")
