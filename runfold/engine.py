"""The command `runfold`: what needs the user's code runs right here, everything else is a program of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    match sys.argv[1:]:
        case ["worker" | "deploy" as command, *arguments]:
            from runfold import worker  # noqa: PLC0415 (the engine's commands need none of it, and start sooner)

            # The user's code may import from where it was started, as under `python -m runfold.worker`.
            sys.path.insert(0, str(Path.cwd()))
            sys.exit(worker.main(arguments) if command == "worker" else worker.deploy(arguments))
        case arguments:
            _start_engine(arguments)


def program(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command that starts a program of the engine, and the environment that it needs."""
    # -P keeps the user's folder, which may well have an app/ too, off the engine's path.
    command = [sys.executable, "-P", "-m", module, *arguments]
    # First the rooms; what the user has there is for the workers that the engine's program starts.
    paths = [str(_rooms()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return command, {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _start_engine(arguments: list[str]) -> NoReturn:
    command, environment = program("app", *arguments)
    if os.name == "posix":
        # The engine takes the place of this process, so that signals meant for it arrive.
        os.execve(sys.executable, command, environment)  # noqa: S606 (no shell is what we want)
    sys.exit(subprocess.call(command, env=environment))


def _rooms() -> Path:
    here = Path(__file__).parent
    shipped = here / "_engine"  # in a wheel; a checkout has the rooms beside this package
    return shipped if shipped.is_dir() else here.parent
