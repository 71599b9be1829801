"""`runfold serve`, and the parts of an engine that may have processes of their own."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from app import logs, settings
from app.cli.devfolder import make_folder
from app.settings import WrongSetting
from app.unknown_settings import warn_of_unknown_settings


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


def follow() -> None:
    """Keep the read models behind the ledger, for the engine that started this process and writes to its input."""
    found = settings.load()
    logs.set_up(found.log_level, found.log_format)
    from app.engine.following import follow as run_follower  # noqa: PLC0415 (as above)

    run_follower(found)


def _end_well(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _check_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise WrongSetting(f"The setting RUNFOLD_DATABASE_URL names a file in {folder}: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise WrongSetting(f"The setting RUNFOLD_DATABASE_URL names a file in {folder}, where nothing may be written.")
