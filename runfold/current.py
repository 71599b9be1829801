"""The run whose code is running, and where in it that code is."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from runfold.errors import RunfoldError

if TYPE_CHECKING:
    from runfold.branches import Branch
    from runfold.entries import Call
    from runfold.journal import Journal
    from runfold.opening import Openable


class Place(NamedTuple):
    """Where in a run code is: who executes it, the branch (None: that in which it began), and its last entry."""

    executor: object
    branch: "Branch | None" = None
    entry: int | None = None


_run: ContextVar[str | None] = ContextVar("runfold_current_run", default=None)
_journal: "ContextVar[Openable | None]" = ContextVar("runfold_current_journal", default=None)
_place: ContextVar[Place | None] = ContextVar("runfold_current_place", default=None)
_caller: ContextVar[object] = ContextVar("runfold_caller", default=None)
_held_up_by: ContextVar[str | None] = ContextVar("runfold_held_up_by", default=None)
step: "ContextVar[StepKey | None]" = ContextVar("runfold_current_step", default=None)
"""The step whose body is running."""


class StepKey:
    """The idempotency key of a step, the same in each repeat; each run that its body triggers has one made of it."""

    def __init__(self, call: "Call") -> None:
        self._call = call
        self.triggers = 0

    @property
    def key(self) -> str:
        """Told from the run and the place in its code."""
        return self._call.key

    def of_trigger(self) -> str:
        """The key of the next run that the body triggers."""
        self.triggers += 1
        return f"{self.key}:{self.triggers}"


def current_run() -> str | None:
    """The id of the run in whose code this is called; None outside of tasks, and in threads a task has started."""
    return _run.get()


def current_journal() -> "Journal | None":
    """The journal of the run in whose code this is called, None where there is no run."""
    journal = _journal.get()
    return None if journal is None else journal.open()


def current_writing() -> "tuple[StepKey | None, Journal | None]":
    """Where that what is made here is written down: by the key of its step, or in the journal; None, None: nowhere.

    Raises RunfoldError in async code that holds up its event loop, on which the journal would be written: what it
    made would be made again whenever the code is run again.
    """
    here = step.get()
    if here is not None:
        return here, None
    awaitable = to_await()
    if awaitable is not None:
        raise RunfoldError(
            "In an async task a call that blocks cannot be kept in the journal, and would be made again whenever the"
            f" code is run again: `await {awaitable}(...)`."
        )
    return None, current_journal()


def to_await() -> str | None:
    """What async code would have to await instead of the call that holds up its event loop; None: none does."""
    return _held_up_by.get()


class inside:  # noqa: N801 (used like a function; one of generators takes three times as long, for each run)
    """The code of this run runs here."""

    __slots__ = ("_journal", "_run", "_tokens")

    def __init__(self, run: str, journal: "Openable | None" = None) -> None:
        self._run = run
        self._journal = journal

    def __enter__(self) -> None:
        self._tokens = _run.set(self._run), _journal.set(self._journal), _place.set(Place(executor()))

    def __exit__(self, *_: object) -> None:
        run, journal, place = self._tokens
        _place.reset(place)
        _journal.reset(journal)
        _run.reset(run)


def standing() -> Place | None:
    """Where the code is, as far as is known; its executor is another where a branch begins."""
    return _place.get()


def stand(where: Place | None) -> None:
    """The code has come to this place."""
    _place.set(where)


@contextmanager
def on_behalf_of(caller: object, *, instead_of: str | None) -> Generator[None]:
    """What happens here belongs to a branch of the code that waits for it in another thread.

    A branch that holds up its event loop by that, `instead_of` awaiting what is named, has no journal, which could
    not be written meanwhile.
    """
    caller_before = _caller.set(caller)
    held_up = _held_up_by.set(instead_of)
    journal = None if instead_of is None else _journal.set(None)
    try:
        yield
    finally:
        if journal is not None:
            _journal.reset(journal)
        _held_up_by.reset(held_up)
        _caller.reset(caller_before)


def is_awaited() -> bool:
    """Whether this is called on an event loop, which must not be held up."""
    return _loop() is not None


def is_awaited_on(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this is called on that event loop."""
    return _loop() is loop


def _loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def is_being_cancelled() -> bool:
    """Whether it is the asyncio task here that is to end, and not something that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def thread_served() -> object:
    """What waits in another thread for what happens here; None where only this code does."""
    return _caller.get()


def executor() -> object:
    """Whatever executes one thing after the other: an asyncio task, or a thread."""
    caller = _caller.get()
    if caller is not None:
        return caller
    try:
        return asyncio.current_task() or threading.current_thread()
    except RuntimeError:
        return threading.current_thread()
