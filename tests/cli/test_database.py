"""`runfold database migrate`, and what commands say of a PostgreSQL that is not ready for them."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.cli.commandline import CommandLine
from tests.postgres import database_url, schema_of_its_own


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with schema_of_its_own() as schema:
        monkeypatch.setenv("RUNFOLD_DATABASE_URL", database_url())
        monkeypatch.setenv("RUNFOLD_DATABASE_SCHEMA", schema)
        yield schema


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Without an engine."""
    return CommandLine(monkeypatch, capsys)


def is_there(schema: str) -> bool:
    with psycopg.connect(database_url()) as connection:
        return bool(connection.execute("select from pg_namespace where nspname = %s", (schema,)).fetchall())


def test_a_dry_run_shows_the_sql_and_changes_nothing(command: CommandLine, schema: str) -> None:
    shown = command.run("database", "migrate", "--dry-run")

    assert shown.startswith("-- 0001_ledger.sql\n")
    assert "create table events (" in shown
    assert not is_there(schema)


def test_what_was_applied_once_is_not_applied_again(command: CommandLine, schema: str) -> None:
    first = command.run("database", "migrate")
    again = command.run("database", "migrate")

    assert first.startswith("Applied 0001_ledger.sql.\n")
    assert again == "The schema is up to date.\n"
    assert command.json("database", "migrate", "--dry-run") == {"applied": False, "migrations": []}
    assert is_there(schema)


@pytest.mark.parametrize(
    "arguments", [("projections", "verify"), ("projections", "rebuild"), ("ledger", "export", "-")]
)
def test_a_ledger_that_is_not_there_is_not_made(command: CommandLine, schema: str, arguments: tuple[str, ...]) -> None:
    answer = command.ask(*arguments, code=2)

    assert answer.stderr.startswith(f"There is no ledger of this version in schema {schema} of postgresql://")
    assert answer.stderr.endswith("start a node, or run `runfold database migrate`.\n")
    assert not is_there(schema)


def test_a_file_needs_no_migrations(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", "sqlite:///ledger.db")

    answer = command.ask("database", "migrate", code=2)

    assert answer.stderr == "The setting RUNFOLD_DATABASE_URL names a SQLite file, which needs no migrations.\n"


def test_a_server_that_is_not_there_is_one_sentence(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNFOLD_DATABASE_URL", "postgresql://me:hush@127.0.0.1:1/nowhere")

    answer = command.ask("database", "migrate", code=1)

    assert answer.stderr.startswith("The database cannot be migrated: ")
    assert answer.stderr.count("\n") == 1
    assert "hush" not in answer.stderr
