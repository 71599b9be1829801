"""`runfold dev`: everything that one needs to write tasks, in one command."""

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from app import settings
from app.cli.children import Program
from app.cli.devfolder import open_folder
from app.cli.output import AsJson, print_json_line, print_text
from app.cli.supervisor import Supervisor
from app.cli.target import folder_of
from app.settings import Settings, address_of

RELOAD_SECONDS = 3
"""How long runs may go on in a worker whose code has changed, before they are handed back."""
THIS_MACHINE = "127.0.0.0/8,::1/128"
ROOMS = Path(__file__).parents[2]

_OF_THE_ENGINE = frozenset({"PYTHONPATH", "RUNFOLD_ADMIN_KEY", "RUNFOLD_ENCRYPTION_KEY"})

GREETING = """\
Runfold runs your tasks.
  dashboard {address}/sign-in#{key}
  engine    {address}  (its API: {address}/docs)
  key       {key}
  ledger    {database}
  reload    when a .py file in {watched} changes

From another terminal in this folder:
{remark}  runfold runs trigger TASK PAYLOAD --wait
  runfold runs list
Ctrl-C stops everything.
"""


def dev(
    target: Annotated[str, typer.Argument(metavar="FILE_OR_MODULE", help="Your tasks: jobs.py or shop.jobs.")],
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Where to listen; 0 takes a free port.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Runs at once in the worker.")] = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Start an engine and a worker for your tasks; changed code gets a new worker."""
    watched = folder_of(target)
    found = settings.load(port=port)
    key = found.secret_key or open_folder()

    def announce(listening: int) -> Program:
        address = address_of(found.host, listening)
        if as_json:
            print_json_line({"url": address, "secretKey": key, "database": found.database})
        else:
            print_text(_greeting(address, key, found.database, watched, is_given=found.secret_key is not None))
        world = _world_of_the_user() | {"RUNFOLD_API_URL": address, "RUNFOLD_SECRET_KEY": key}
        return Program(_worker(target, concurrency), world)

    engine = Program([sys.executable, "-P", "-m", "app", "serve"], _world_of_the_engine(found, key))
    raise typer.Exit(asyncio.run(Supervisor(engine, watched, announce, _say).run()))


def _worker(target: str, concurrency: int | None) -> list[str]:
    limit = ["--concurrency", str(concurrency)] if concurrency else []
    return [sys.executable, "-m", "runfold.worker", "--grace", str(RELOAD_SECONDS), *limit, "--", target]


def _world_of_the_engine(found: Settings, key: str) -> dict[str, str]:
    given = {
        "PYTHONPATH": str(ROOMS),
        "RUNFOLD_SECRET_KEY": key,
        "RUNFOLD_PORT": str(found.port),
        # On the machine of whoever writes the target, that is where the target is.
        "RUNFOLD_HTTP_ALLOWED_NETWORKS": found.http_allowed_networks or THIS_MACHINE,
        # What goes well is not worth a line between those of the tasks, unless someone asks.
        "RUNFOLD_LOG_LEVEL": found.log_level if "log_level" in found.model_fields_set else "warning",
    }
    return {**os.environ, **given}


def _world_of_the_user() -> dict[str, str]:
    """Without the rooms, as the worker runs code that may have an `app` of its own, and without the engine's keys."""
    folders = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    theirs = os.pathsep.join(each for each in folders if Path(each).resolve() != ROOMS)
    world = {name: value for name, value in os.environ.items() if name not in _OF_THE_ENGINE}
    return world | ({"PYTHONPATH": theirs} if theirs else {})


def _greeting(address: str, key: str, database: str, watched: Path, *, is_given: bool) -> str:
    """A key that is `given` by the environment of this terminal is not in the folder."""
    is_default = address == settings.address_of("127.0.0.1", 7650)
    remark = "" if is_default else f"  export RUNFOLD_API_URL={address}\n"
    if is_given:
        remark += f"  export RUNFOLD_SECRET_KEY={shlex.quote(key)}\n"
    return GREETING.format(address=address, key=key, database=database, watched=watched, remark=remark)


def _say(text: str) -> None:
    typer.echo(text, err=True)
