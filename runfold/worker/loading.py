"""From what stands on the command line to the tasks that are in it."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from runfold.declaring import tasks_made
from runfold.definition import Task
from runfold.worker.failures import traceback_of


class TargetError(Exception):
    """The target names no code with tasks; the message is for the person at the command line."""


def find(target: str) -> None:
    """Raises TargetError for a target that is not there; nothing of it is run."""
    if target.endswith(".py") or "/" in target:
        if not Path(target).is_file():
            raise TargetError(f"There is no file {target}.")
        return
    _look_in(Path.cwd())
    if importlib.util.find_spec(target.partition(".")[0]) is None:
        raise TargetError(
            f"There is no module {target!r} in {Path.cwd()} or on Python's path, and no file of that name."
        )


def load(target: str) -> dict[str, Task[Any, Any]]:
    """Import a file (`jobs.py`) or a module (`shop.jobs`); every task that this defines, by id."""
    _import(target)
    tasks: dict[str, Task[Any, Any]] = {}
    for each in tasks_made():
        if each.id in tasks:
            raise TargetError(
                f"Two tasks are called {each.id!r}: {tasks[each.id]!r} and {each!r}. Give one of them another id; "
                "if it is one function, it was imported under two module names."
            )
        _ = each.body.types  # so that a wrong annotation is known before the first run
        tasks[each.id] = each
    if not tasks:
        raise TargetError(f"{target} defines no tasks: decorate a function with @task.")
    return tasks


def load_or_explain(target: str) -> dict[str, Task[Any, Any]]:
    """The same for a command: what the code of the tasks raises is told by TargetError, from that code on."""
    try:
        return load(target)
    except TargetError:
        raise
    except Exception as error:
        told = traceback_of(error).rstrip()
        raise TargetError(f"{target} cannot be imported.\n{told}") from error


def _import(target: str) -> ModuleType:
    find(target)
    if target.endswith(".py") or "/" in target:
        return _import_file(Path(target))
    return importlib.import_module(target)


def _import_file(file: Path) -> ModuleType:
    _look_in(file.resolve().parent)
    name = file.stem
    known = importlib.util.find_spec(name) if name.isidentifier() else None
    if known is None or known.origin is None or not Path(known.origin).samefile(file):
        raise TargetError(
            f"{file} cannot be imported as {name!r}, which is no name or another module's. Rename the file."
        )
    return importlib.import_module(name)


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
