"""Which tasks a test means."""

from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from runfold.declaring import tasks_made
from runfold.definition import Task

Source = ModuleType | Task[Any, Any]
"""A module stands for the tasks that are defined in it, and for those of the modules that it has tasks of."""


def tasks_of(sources: Iterable[Source]) -> dict[str, Task[Any, Any]]:
    """The tasks that are meant, by id. Raises ValueError when there are none, or two with the same id."""
    chosen = [*sources]
    found: dict[str, Task[Any, Any]] = {}
    for each in _tasks(chosen):
        if found.setdefault(each.id, each) is not each:
            raise ValueError(f"Two tasks are called {each.id!r}: {found[each.id]!r} and {each!r}.")
        _ = each.body.types  # so that a wrong annotation is known before the first run
    if not found:
        names = ", ".join(each.__name__ for each in chosen if isinstance(each, ModuleType)) or "nothing"
        raise ValueError(
            f"There are no tasks in {names}: import them there, give their modules to runfold_serve(...),"
            " or let the fixture runfold_tasks return them."
        )
    return found


def _tasks(sources: Sequence[Source]) -> Iterator[Task[Any, Any]]:
    yield from (each for each in sources if isinstance(each, Task))
    names = {name for each in sources if isinstance(each, ModuleType) for name in _modules(each)}
    # What a test defines inside of itself is there when the test says so.
    yield from (each for each in tasks_made() if _module(each) in names and not _is_local(each))


def _modules(module: ModuleType) -> Iterator[str]:
    yield module.__name__
    for value in vars(module).values():
        if isinstance(value, Task):
            yield _module(value)  # pyright: ignore[reportUnknownArgumentType] (of which types does not matter)
        elif isinstance(value, ModuleType):
            yield value.__name__


def _module(task: Task[Any, Any]) -> str:
    return str(task.body.function.__module__)


def _is_local(task: Task[Any, Any]) -> bool:
    return "<locals>" in task.body.function.__qualname__
