"""The code of a task, led along the journal of a run that was recorded before: it does nothing anew."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

import msgspec

from runfold import current, transport
from runfold.answers import read
from runfold.blocking import blocking
from runfold.context import Cancellation, Context, SyncContext
from runfold.definition import Task
from runfold.entries import TRIED, Call, Entry
from runfold.errors import SuspendedError
from runfold.handles import RunHandle, id_of
from runfold.journal import Journal
from runfold.metadata import Metadata, Operation, SyncMetadata
from runfold.worker.failures import describe
from runfold.worker.handed import Attempt
from runfold.worker.performing import arguments_of
from runfold.worker.wire import Environment, HandOut, JournalPage

TIMEOUT_SECONDS = 10.0
PATIENCE_SECONDS = 0.1
"""How long what the journal has is held back for what was over before it: changed code may never ask for that."""


@dataclass(frozen=True)
class Followed:
    """How far code came along a journal with which it agrees."""

    met: tuple[str, ...]
    """What it asked for and found, by name, in its order."""
    left: tuple[str, ...]
    """What it did not ask for, though it is there and did not fail."""
    next: str | None = None
    """What it asked for and is not there, or waits for still. None: it came to its end."""
    output: Any = None
    error: Exception | None = None
    """What its end was, if it came there."""


def follow_journal(
    task: Task[Any, Any], run: str | RunHandle[Any, Any], *, timeout: float = TIMEOUT_SECONDS
) -> Followed:
    """Run the code of the task with what the journal of the run has, up to the first thing that is not there.

    No step is done, nothing is triggered, and metadata stays as it is; results of children and tokens are read from
    the engine that the package is configured for. What the code does outside of steps it does. Raises
    JournalMismatchError where the code asks for something else, NotFoundError, and TimeoutError after so many seconds.
    """
    # On an event loop of its own: async code may also call what blocks.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _follow(task, id_of(run), timeout)).result()


async def _follow(task: Task[Any, Any], run: str, timeout: float) -> Followed:  # noqa: ASYNC109 (the caller's)
    told = read(await transport.default.call("GET", f"/api/v1/runs/{quote(run, safe='')}"), _Told)
    entries = await _entries(run)
    hand_out = _hand_out(told, entries)
    journal = _Recorded(hand_out, entries)
    attempt = Attempt(hand_out, told.version or "", hand_out.created_at)
    code = asyncio.ensure_future(_play(task, attempt, journal))
    try:
        await asyncio.wait({code, journal.over}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if journal.broken is not None and journal.next is None:
            raise journal.broken
        if not code.done() and journal.next is None:
            raise TimeoutError(f"The code of {task.id!r} has not come to its end within {timeout:g} s.")
        return _followed(journal, entries, code)
    finally:
        journal.end()
        code.cancel()
        await asyncio.wait({code})


def _followed(journal: "_Recorded", entries: Sequence[Entry], code: "asyncio.Future[Any]") -> Followed:
    met = tuple(called(entries[index]) for index in journal.met)
    # What was tried again is met, or left, as the step that came of it.
    left = tuple(
        called(each) for each in entries if each.index not in journal.met and each.kind not in {"failed", TRIED}
    )
    if journal.next is not None:
        return Followed(met, left, journal.next)
    error = code.exception()
    if isinstance(error, Exception):
        return Followed(met, left, error=error)
    return Followed(met, left, output=code.result())


def called(at: Entry | Call) -> str:
    """Its name; the second of a name is `name#2`."""
    return at.name if at.number == 1 else f"{at.name}#{at.number}"


class _Told(msgspec.Struct, rename="camel"):
    """What is asked of the run."""

    id: str
    task_identifier: str
    created_at: datetime
    payload: msgspec.Raw = msgspec.Raw(b"null")
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    version: str | None = None


async def _entries(run: str) -> list[Entry]:
    entries: list[Entry] = []
    while True:
        content = await transport.default.call(
            "GET", f"/worker/v1/runs/{quote(run, safe='')}/journal", query={"after": str(len(entries) - 1)}
        )
        page = read(content, JournalPage).entries
        if not page:
            return entries
        entries += page


def _hand_out(told: _Told, entries: Sequence[Entry]) -> HandOut:
    # What failed in its last attempt fails again; what failed before that was tried again, and counts no more.
    attempt = max((each.attempt for each in entries), default=1)
    return HandOut(
        id=told.id,
        token=0,
        task=told.task_identifier,
        created_at=int(told.created_at.timestamp() * 1000),
        environment=Environment("", "", ""),
        attempt=max(attempt, 1),
        payload=told.payload,
        tags=tuple(told.tags),
        metadata=told.metadata,
    )


async def _play(task: Task[Any, Any], attempt: Attempt, journal: "_Recorded") -> Any:
    body = task.body
    arguments = arguments_of(task, attempt, Cancellation(), journal, _Context if body.is_async else _SyncContext)
    with current.inside(attempt.run.id, journal):
        if body.is_async:
            result = await body.function(*arguments)
            await journal.settle()
            return result
    return await _in_thread(task, arguments, attempt.run.id, journal)


def _in_thread(
    task: Task[Any, Any], arguments: tuple[Any, ...], run: str, journal: "_Recorded"
) -> "asyncio.Future[Any]":
    """In one that keeps nobody from ending: code that waits for what is not over cannot be ended from outside."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()

    def tell(outcome: Any, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(outcome)
        else:
            ended.set_exception(error)

    def code() -> None:
        outcome = error = None
        try:
            with current.inside(run, journal):
                outcome = task.body.function(*arguments)
                blocking(journal.settle)()
        except BaseException as raised:  # noqa: BLE001 (it is told)
            error = raised
        with suppress(RuntimeError):  # nobody waits for it any more, and the loop has ended
            loop.call_soon_threadsafe(tell, outcome, error)

    threading.Thread(target=code, name=f"following {run}", daemon=True).start()
    return ended


class _Recorded(Journal):
    """One to which nothing is added; it is its own way to an engine."""

    def __init__(self, run: HandOut, entries: Sequence[Entry]) -> None:
        super().__init__(run.id, run.attempt, entries, self, describe, patience_seconds=PATIENCE_SECONDS)
        self.entries = entries
        self.met: dict[int, None] = {}
        self.next: str | None = None
        self.over: asyncio.Future[None] = self.loop.create_future()

    def begin(self, name: str, kind: str, digest: str | None = None) -> Call:
        try:
            call = super().begin(name, kind, digest)
        except Exception:
            self._end()
            raise
        if call.known is not None:
            self.met[call.known.index] = None
        return call

    @property
    def is_owed(self) -> bool:
        """Always: whatever is new is not to begin."""
        return True

    async def admit(self, call: Call) -> None:
        try:
            await super().admit(call)
        except Exception:
            self._end()
            raise
        self.next = called(call)
        self._end()
        raise SuspendedError(f"{self.next} is not in the journal.")

    def report(self, kind: Any, facts: dict[str, Any], landed: Callable[[bool], object]) -> None:  # noqa: ARG002
        raise AssertionError(f"nothing is done that could be reported: {kind} {facts}")

    def block(self, waits: tuple[int, ...]) -> None:
        """What it waits for was not over when the journal was read."""
        if waits and self.next is None:
            self.next = ", ".join(called(self.entries[index]) for index in waits)
            self._end()

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


class _Metadata(Metadata):
    @cached_property
    def parent(self) -> Metadata:
        return self

    @cached_property
    def root(self) -> Metadata:
        return self

    async def _change(self, operation: Operation) -> None:
        """The run has been told, when its code was run for the first time."""


class _Context(Context):
    @cached_property
    def metadata(self) -> Metadata:
        return _Metadata(self.run.id)


class _SyncContext(SyncContext):
    @cached_property
    def metadata(self) -> SyncMetadata:
        return SyncMetadata(_Metadata(self.run.id))
