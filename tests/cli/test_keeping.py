"""`runfold connections`, `environments`, `keys` and `deployments` against a running engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import runfold
from tests.cli.commandline import CommandLine
from tests.cli.installation import Installation, Project, developing, wait_until

ADMIN_KEY = "admin_0123456789abcdef"
JOBS = """
import os
from runfold import task


@task
async def secrets_of_the_engine(_: str) -> list[str]:
    return [name for name in ("RUNFOLD_ADMIN_KEY", "RUNFOLD_ENCRYPTION_KEY") if name in os.environ]
"""
TOKEN = "ghp_nobody_may_read_this"


@pytest.fixture(scope="module")
def project(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "jobs.py").write_text(JOBS)
    with developing(installation, folder, "jobs.py", RUNFOLD_ADMIN_KEY=ADMIN_KEY) as project:
        yield project


@pytest.fixture
def keeper(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Whoever has the admin key."""
    monkeypatch.setenv("RUNFOLD_ADMIN_KEY", ADMIN_KEY)
    return command


def test_a_connection_is_set_from_standard_input_shown_and_removed(command: CommandLine, project: Project) -> None:
    command.stdin = b'{"token": "' + TOKEN.encode() + b'"}\n'
    said = command.run("connections", "set", "git/hub")
    listed = command.json("connections", "list")

    assert said == f"git/hub is ready, encrypted with key {listed[0]['keyName']}\n"
    assert [each["name"] for each in listed] == ["git/hub"]
    assert command.run("connections", "list").splitlines()[1].split()[0] == "git/hub"
    assert command.run("connections", "remove", "git/hub") == "git/hub is removed\n"
    assert command.run("connections", "list") == "No connections.\n"
    assert (project.folder / ".runfold" / "ledger.db.key").is_file()


def test_credentials_may_be_a_text_and_come_from_a_file(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")

    saved = command.json("connections", "set", "slack", "--file", str(file), "--text")

    assert saved["name"] == "slack"
    assert command.json("connections", "rotate") == {"rotated": 0, "unchanged": 1}
    assert command.run("connections", "rotate") == "Encrypted anew: 0. Had the first key already: 1.\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        (("set", "x"), TOKEN.encode(), 2, "These credentials are no JSON"),
        (("set", "x", "--text"), b"\xff", 2, "These credentials are no JSON"),
        (("set", "x", "--file", "gone"), b"", 2, "The file gone cannot be read: No such file or directory."),
        (("set", "x" * 129), b"1", 1, "A connection name has 1 to 128 printable characters.\n"),
        (("remove", "x"), b"", 1, "There is no connection x in this environment.\n"),
    ],
)
def test_what_cannot_be_kept_is_a_sentence_without_the_secret(
    command: CommandLine, arguments: tuple[str, ...], stdin: bytes, code: int, sentence: str
) -> None:
    command.stdin = stdin

    said = command.ask("connections", *arguments, code=code)

    assert sentence in " ".join(said.stderr.replace("│", " ").split()) + "\n"
    assert TOKEN not in said.stdout + said.stderr


def test_an_environment_is_made_with_a_key_that_works(keeper: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    made = keeper.json("environments", "create", "live", "--project", "shop", "--concurrency-limit", "5")
    shown = keeper.run("environments", "create", "next", "--type", "staging")

    assert (made["type"], made["project"], made["concurrencyLimit"]) == ("PRODUCTION", "shop", 5)
    assert made["key"].startswith("tr_prod_")
    assert "key   tr_stg_" in shown
    assert [each["slug"] for each in keeper.json("environments", "list")] == ["dev", "live", "next"]
    monkeypatch.delenv("RUNFOLD_ADMIN_KEY")
    monkeypatch.setenv("RUNFOLD_SECRET_KEY", made["key"])
    assert keeper.run("environments", "list").splitlines()[1].split()[:2] == ["live", "PRODUCTION"]
    assert keeper.json("keys", "list")[0]["hint"] == made["hint"]


def test_with_the_key_of_an_environment_no_other_is_made(command: CommandLine) -> None:
    said = command.ask("environments", "create", "live", code=1).stderr

    assert said == "Only the admin key makes environments: the engine has it in RUNFOLD_ADMIN_KEY.\n"


def test_keys_are_made_listed_and_revoked(command: CommandLine) -> None:
    key = command.run("keys", "create").strip()
    made = command.json("keys", "create")

    assert key.startswith("tr_dev_")
    assert made["hint"] in command.run("keys", "list")
    assert command.run("keys", "revoke", made["id"]) == f"{made['hint']} is revoked\n"
    assert made["id"] not in [each["id"] for each in command.json("keys", "list")]


def test_a_keeper_of_several_environments_says_which_one(keeper: CommandLine) -> None:
    keeper.run("environments", "create", "one-more")

    said = keeper.ask("keys", "list", code=2).stderr

    assert "--environment says which one: dev, " in " ".join(said.replace("│", " ").split())
    assert len(keeper.json("keys", "list", "--environment", "one-more")) == 1
    assert keeper.run("keys", "create", "--environment", "one-more").startswith("tr_prod_")


def test_deployments_are_listed_and_promoted(command: CommandLine) -> None:
    wait_until(lambda: bool(command.json("deployments", "list")), lambda: "the worker registers")
    (listed,) = command.json("deployments", "list")

    assert listed["tasks"] == ["secrets_of_the_engine"]
    assert command.run("deployments", "list", "--limit", "1").splitlines()[1].split()[:2] == [
        listed["version"],
        "current",
    ]
    promoted = command.run("deployments", "promote", listed["version"])
    assert promoted == f"{listed['version']} is the current version\n"
    assert command.json("deployments", "promote", listed["version"]) == listed
    said = command.ask("deployments", "promote", "20200101.1", code=1).stderr
    assert said == "There is no deployment 20200101.1 in this environment.\n"


def test_tasks_do_not_see_the_keys_of_the_engine(command: CommandLine) -> None:
    run = command.json("runs", "trigger", "secrets_of_the_engine", '"x"', "--wait")

    assert (run["status"], run["output"]) == ("COMPLETED", [])
    runfold.configure()
