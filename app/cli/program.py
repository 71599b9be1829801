"""The command `runfold` and its sub-commands; what goes wrong becomes one sentence and an exit code."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

import runfold
from app import logs, settings
from app.cli import (
    alerts,
    api,
    batches,
    connections,
    database,
    deployments,
    environments,
    events,
    jobs,
    keys,
    ledger,
    projections,
    queues,
    retention,
    runs,
    schedules,
    secrets,
    sinks,
    tokens,
)
from app.cli.deploy import deploy
from app.cli.dev import dev
from app.cli.devfolder import make_folder
from app.cli.diff import diff
from app.cli.erase import erase
from app.cli.explain import explain
from app.cli.prove import prove
from app.settings import WrongSetting
from app.unknown_settings import warn_of_unknown_settings
from domain.errors import RunfoldError

FAILED, WRONG = 1, 2

cli = typer.Typer(
    name="runfold",
    help="Background work that survives crashes and remembers everything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.command()(dev)
cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})(deploy)
cli.add_typer(runs.cli, name="runs")
cli.command()(explain)
cli.command()(diff)
cli.command()(prove)
cli.command()(erase)
cli.add_typer(batches.cli, name="batches")
cli.add_typer(tokens.cli, name="tokens")
cli.add_typer(queues.cli, name="queues")
cli.add_typer(schedules.cli, name="schedules")
cli.add_typer(events.cli, name="events")
cli.add_typer(jobs.cli, name="jobs")
cli.add_typer(secrets.cli, name="secrets")
cli.add_typer(alerts.cli, name="alerts")
cli.add_typer(deployments.cli, name="deployments")
cli.add_typer(connections.cli, name="connections")
cli.add_typer(environments.cli, name="environments")
cli.add_typer(keys.cli, name="keys")
cli.add_typer(projections.cli, name="projections")
cli.add_typer(ledger.cli, name="ledger")
cli.add_typer(sinks.cli, name="sink")
cli.add_typer(retention.cli, name="retention")
cli.add_typer(database.cli, name="database")


def _tell_version(is_asked: bool) -> None:  # noqa: FBT001 (typer's way)
    if is_asked:
        typer.echo(f"runfold {runfold.__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    *,
    _is_asked: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Tell the version and end.")
    ] = False,
) -> None: ...


@cli.command()
def serve() -> None:
    """Start an engine, as the RUNFOLD_ variables of the environment say."""
    found = settings.load()
    logs.set_up(found.log_level, found.log_format)
    warn_of_unknown_settings(os.environ)
    if not found.is_postgres:
        _check_folder(found.database_path.parent)
    # The web server raises the signal that stopped it once more, when everything is in order: that is no failure.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _end_well)
    from app.server import serve as run_engine  # noqa: PLC0415 (half a second that no other command should take)

    run_engine(found)


@cli.command()
def executor(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=1_000, help="How many calls at once; RUNFOLD_HTTP_CONCURRENCY if left out.")
    ] = None,
) -> None:
    """Make the calls of HTTP jobs, and send alerts, for an engine that runs elsewhere."""
    found = settings.load()
    logs.set_up(found.log_level, found.log_format)
    warn_of_unknown_settings(os.environ)
    from app.executor.remote import execute  # noqa: PLC0415 (as above)

    execute(found, concurrency)


@cli.command(hidden=True)
def follow() -> None:
    """Keep the read models behind the ledger, for the engine that started this process and writes to its input."""
    found = settings.load()
    logs.set_up(found.log_level, found.log_format)
    from app.engine.following import follow as run_follower  # noqa: PLC0415 (as above)

    run_follower(found)


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def worker(_arguments: Annotated[list[str] | None, typer.Argument(metavar="FILE_OR_MODULE")] = None) -> NoReturn:
    """Run the tasks that a file or a module defines, for an engine that runs elsewhere."""
    # The launcher never sends `worker` here; `python -m app worker` does.
    raise typer.BadParameter("The engine runs no code of yours: use `runfold worker` or `python -m runfold.worker`.")


def main() -> NoReturn:
    """Run the command line of this process."""
    try:
        cli(prog_name="runfold")
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
    raise AssertionError("typer ends the process")


def _end_well(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _check_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise WrongSetting(f"The setting RUNFOLD_DATABASE_URL names a file in {folder}: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise WrongSetting(f"The setting RUNFOLD_DATABASE_URL names a file in {folder}, where nothing may be written.")


def _end(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(code)
