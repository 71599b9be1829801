"""The command line loads what the command that is called needs."""

import subprocess
import sys

import pytest
import typer
from typer.core import TyperGroup

from app.cli.program import COMMANDS, GROUPS, commands

LOADED = """\
import sys
from app.cli.program import commands

commands(*sys.argv[1:])
print(*sys.modules)
"""
HEAVY = {"psycopg", "eventsourcing", "structlog", "watchfiles", "fastapi", "uvicorn"}


def _loaded(*called: str) -> set[str]:
    command = [sys.executable, "-c", LOADED, *called]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("called", ["--version", "runs", "jobs", "explain"])
def test_what_only_other_commands_need_is_not_loaded(called: str) -> None:
    loaded = _loaded(called)

    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith(("app.engine", "app.server", "app.cli.ledger"))} == set()


@pytest.mark.parametrize("called", ["--help", "unknown"])
def test_help_and_what_is_misspelled_need_all_commands(called: str) -> None:
    assert _names(called) == {*COMMANDS, *GROUPS}


@pytest.mark.parametrize("called", [*COMMANDS, *GROUPS])
def test_the_command_that_is_called_is_there_alone(called: str) -> None:
    assert _names(called) == {called}


def _names(called: str) -> set[str]:
    group = typer.main.get_command(commands(called))
    assert isinstance(group, TyperGroup)
    return set(group.commands)
