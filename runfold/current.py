"""The run whose code is running, and where in it that code is."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runfold.journal import Journal


class Place(NamedTuple):
    """Where a branch of the code is: whose branch it is, and the entry of the journal that it made last."""

    owner: object
    entry: int | None = None


_run: ContextVar[str | None] = ContextVar("runfold_current_run", default=None)
_journal: "ContextVar[Journal | None]" = ContextVar("runfold_current_journal", default=None)
_place: ContextVar[Place | None] = ContextVar("runfold_current_place", default=None)
_caller: ContextVar[object] = ContextVar("runfold_caller", default=None)
step: "ContextVar[StepKey | None]" = ContextVar("runfold_current_step", default=None)
"""The step whose body is running."""


class StepKey:
    """The idempotency key of a step, the same in each repeat; each run that its body triggers has one made of it."""

    def __init__(self, journal: "Journal", name: str, number: int) -> None:
        self._journal = journal
        self._place = name, number
        self.triggers = 0

    @property
    def key(self) -> str:
        """Told from the run and the place in its journal."""
        return self._journal.key(*self._place)

    def of_trigger(self) -> str:
        """The key of the next run that the body triggers."""
        self.triggers += 1
        return f"{self.key}:{self.triggers}"


def current_run() -> str | None:
    """The id of the run in whose code this is called; None outside of tasks, and in threads a task has started."""
    return _run.get()


def current_journal() -> "Journal | None":
    """The journal of the run in whose code this is called, None where there is no run."""
    return _journal.get()


@contextmanager
def inside(run: str, journal: "Journal | None" = None) -> Generator[None]:
    """The code of this run runs here."""
    tokens = _run.set(run), _journal.set(journal), _place.set(Place(branch()))
    try:
        yield
    finally:
        _place.reset(tokens[2])
        _journal.reset(tokens[1])
        _run.reset(tokens[0])


def place() -> tuple[int | None, bool]:
    """The entry that the code made before, and whether this is the beginning of another branch."""
    here = _place.get()
    return (None, True) if here is None else (here.entry, here.owner is not branch())


def move(index: int) -> None:
    """The branch made this entry."""
    _place.set(Place(branch(), index))


def standing() -> Place | None:
    """Where the code is, for `stand`."""
    return _place.get()


def stand(where: Place | None) -> None:
    """The code is where others, whom it called, have come to."""
    _place.set(where)


@contextmanager
def on_behalf_of(caller: object, *, hides_journal: bool) -> Generator[None]:
    """What happens here belongs to a branch of the code that waits for it in another thread.

    A branch that holds up its event loop by that has no journal, which could not be written meanwhile.
    """
    token = _caller.set(caller)
    journal = _journal.set(None) if hides_journal else None
    try:
        yield
    finally:
        if journal is not None:
            _journal.reset(journal)
        _caller.reset(token)


def is_awaited() -> bool:
    """Whether this is called on an event loop, which must not be held up."""
    return _running_task() is not None


def branch() -> object:
    """Whatever executes one thing after the other: an asyncio task, or a thread."""
    caller = _caller.get()
    if caller is not None:
        return caller
    return _running_task() or threading.current_thread()


def _running_task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
