"""The run whose code is running."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_run: ContextVar[str | None] = ContextVar("runfold_current_run", default=None)


def current_run() -> str | None:
    """The id of the run in whose code this is called; None outside of tasks, and in threads a task has started."""
    return _run.get()


@contextmanager
def inside(run: str) -> Generator[None]:
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)
