"""The command `runfold` and its sub-commands; what goes wrong becomes one sentence and an exit code."""

import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

import runfold
from app.cli import api
from app.settings import WrongSetting
from domain.errors import RunfoldError

FAILED, WRONG = 1, 2
VERSION = "--version"
COMMANDS = {
    "dev": "dev",
    "deploy": "deploy",
    "explain": "explain",
    "diff": "diff",
    "prove": "prove",
    "erase": "erase",
    "serve": "serving",
    "executor": "serving",
    "follow": "serving",
    "worker": "deploy",
}
"""The modules of commands, which are functions there."""
GROUPS = {
    "runs": "runs",
    "batches": "batches",
    "tokens": "tokens",
    "queues": "queues",
    "schedules": "schedules",
    "events": "events",
    "jobs": "jobs",
    "secrets": "secrets",
    "alerts": "alerts",
    "deployments": "deployments",
    "connections": "connections",
    "environments": "environments",
    "keys": "keys",
    "projections": "projections",
    "ledger": "ledger",
    "sink": "sinks",
    "retention": "retention",
    "database": "database",
}
"""The modules of commands that have commands of their own."""
_OF_THE_LAUNCHER: dict[str, Any] = {"context_settings": {"ignore_unknown_options": True, "help_option_names": []}}
_SETTINGS: dict[str, dict[str, Any]] = {
    "deploy": _OF_THE_LAUNCHER,
    "worker": _OF_THE_LAUNCHER,
    "follow": {"hidden": True},
}


def commands(called: str = "") -> typer.Typer:
    """All commands, or the one that is called alone: to load all of them takes longer than most need to run."""
    cli = typer.Typer(
        name="runfold",
        help="Background work that survives crashes and remembers everything.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    cli.callback()(_options)
    every = [*COMMANDS, *GROUPS]
    needed = [called] if called in every else [] if called == VERSION else every
    for name in needed:
        if name in GROUPS:
            cli.add_typer(import_module(f"app.cli.{GROUPS[name]}").cli, name=name)
        else:
            cli.command(**_SETTINGS.get(name, {}))(getattr(import_module(f"app.cli.{COMMANDS[name]}"), name))
    return cli


def _tell_version(is_asked: bool) -> None:  # noqa: FBT001 (typer's way)
    if is_asked:
        typer.echo(f"runfold {runfold.__version__}")
        raise typer.Exit


def _options(
    *,
    _is_asked: Annotated[
        bool, typer.Option(VERSION, is_eager=True, callback=_tell_version, help="Tell the version and end.")
    ] = False,
) -> None: ...


def main() -> NoReturn:
    """Run the command line of this process."""
    try:
        commands(*sys.argv[1:2])(prog_name="runfold")
    except WrongSetting as error:
        _end(str(error), WRONG)
    except runfold.AuthenticationError as error:
        _end(f"{error.error} The key is from {api.key_from()}.", FAILED)
    except runfold.ApiConnectionError as error:
        _end(f"{error}; if there is none yet, start one with `runfold dev` or `runfold serve`.", FAILED)
    except runfold.ApiError as error:
        _end(error.error, FAILED)
    except (runfold.RunfoldError, RunfoldError) as error:
        _end(str(error), FAILED)
    except (AttributeError, LookupError, TypeError, ValueError):
        # What was answered has another shape than engines give it, unless this is a fault of the command.
        if (sentence := api.said_of_other_server()) is None:
            raise
        _end(sentence, FAILED)
    raise AssertionError("typer ends the process")


def _end(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(code)
