"""Which test shows what: the statuses that it brings runs into, the options that it uses. The references list them.

@shows(Status.EXPIRED)
@shows_option("ttl", "task.ttl")
async def test_…(engine: Engine) -> None: ...
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from domain.events import Recorded, RunEvent
from domain.status import Status
from domain.transitions import TRANSITIONS

TestT = TypeVar("TestT", bound=Callable[..., Any])

CHECKOUT = Path(__file__).parents[1]
END_TO_END = ("tests/app/", "tests/crash/")
"""Where tests go through the public API of a whole engine."""


def shows(*statuses: Status) -> Callable[[TestT], TestT]:
    """Say that a test, with each of its parameters, brings runs into these statuses; the fixture `engine` checks it."""

    def mark(test: TestT) -> TestT:
        test.__dict__["shown_statuses"] = frozenset(statuses)
        return test

    return mark


def shows_option(*_options: str) -> Callable[[TestT], TestT]:
    """Say that a test shows what these options do: `ttl` of a trigger, `task.ttl` of a task."""
    return lambda test: test


def statuses_of(test: object) -> frozenset[Status]:
    """The statuses that a test says it shows."""
    found: frozenset[Status] = getattr(test, "shown_statuses", frozenset())
    return found


def reached(history: Iterable[Recorded]) -> frozenset[Status]:
    """Every status that the events led to."""
    targets = {TRANSITIONS[type(each.event)].target for each in history if isinstance(each.event, RunEvent)}
    return frozenset(target for target in targets if target is not None)


class Showing(NamedTuple):
    """A test that is marked. `path` is that of its file in the checkout."""

    path: str
    test: str
    statuses: tuple[Status, ...]
    options: tuple[str, ...]


@cache
def showings() -> tuple[Showing, ...]:
    """All marked tests. They are read and not imported: a reference is made without running pytest."""
    files = sorted((CHECKOUT / "tests").rglob("test_*.py"))
    return tuple(showing for file in files for showing in _showings_in(file))


def _showings_in(file: Path) -> Iterator[Showing]:
    text = file.read_text(encoding="utf-8")
    if "@shows" not in text:
        return
    for test in ast.parse(text).body:
        if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
            statuses = tuple(Status[_status_name(each)] for each in _marked(test, shows))
            options = tuple(str(ast.literal_eval(each)) for each in _marked(test, shows_option))
            if statuses or options:
                yield Showing(file.relative_to(CHECKOUT).as_posix(), test.name, statuses, options)


def _marked(test: ast.FunctionDef | ast.AsyncFunctionDef, marker: Callable[..., Any]) -> Iterator[ast.expr]:
    for decorator in test.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id=name), args=arguments) if name == marker.__name__:
                yield from arguments
            case _:
                pass


def _status_name(argument: ast.expr) -> str:
    match argument:
        case ast.Attribute(value=ast.Name(id="Status"), attr=name):
            return name
        case _:
            raise ValueError(f"@shows takes Status.NAME, written out: {ast.unparse(argument)} is read from the text.")
