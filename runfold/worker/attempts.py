"""The attempts at the runs that a worker holds: their code, here or in a child process, until it has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from runfold.definition import Task
from runfold.entries import Entry
from runfold.journal import Journal
from runfold.opening import UnopenedJournal
from runfold.worker.children import ChildError, Children
from runfold.worker.gathering import Gathered, without_secrets
from runfold.worker.handed import Attempt
from runfold.worker.held import Held
from runfold.worker.links import Link
from runfold.worker.outbox import Outbox
from runfold.worker.outcomes import Crashed, Ended, canceled
from runfold.worker.performing import perform
from runfold.worker.redacting import described
from runfold.worker.resolving import resolve, resolver_of
from runfold.worker.sparing import note_failure, sparing
from runfold.worker.wire import Error

if TYPE_CHECKING:
    from runfold.worker.spans import Spans

Fetch = Callable[[str, int], Awaitable[list[Entry]]]
"""The next entries of a run's journal behind an index."""


class Attempts:
    """Makes them. `note_blocked` is told when code that awaits does nothing but wait, and when it no longer does."""

    def __init__(
        self,
        tasks: Mapping[str, Task[Any, Any]],
        children: Children,
        outbox: Outbox,
        note_blocked: Callable[[Held, bool], None],
        *,
        clock: Callable[[], int],
        spans: "Spans | None",
        fetch: Fetch | None,
        freeze_seconds: float,
    ) -> None:
        self.version = ""
        """That of the tasks, of which their code is told."""
        self._tasks = tasks
        self._children = children
        self._outbox = outbox
        self._note_blocked = note_blocked
        self._clock = clock
        self._spans = spans
        self._fetch = fetch
        self._freeze_seconds = freeze_seconds

    def hurry(self) -> None:
        """Code that waits from now on keeps no process."""
        self._freeze_seconds = 0

    async def make(self, held: Held) -> Ended | None:
        """Make the attempt; None if it was stopped. Raises nothing, unless the event loop is gone."""
        held.is_begun = True
        try:
            return None if held.is_stopped else await self._perform(held)
        except asyncio.CancelledError as error:
            return None if held.is_stopped else canceled(error, held.hand_out)
        except GeneratorExit:
            raise  # the event loop is gone
        except BaseException as error:  # noqa: BLE001 (nothing at all may leave a run without an end)
            note_failure(held.hand_out.id, error)
            if not held.is_started:
                self._start(held)
            return Crashed(described(held.hand_out, error))

    async def _perform(self, held: Held) -> Ended:
        task = self._tasks[held.hand_out.task]
        if held.is_auth and resolver_of(task).is_async:
            return await resolve(task, self._start(held), held.cancellation)
        if held.hand_out.journal_size > len(held.hand_out.journal):
            await self._load_journal(held)
        if task.body.is_async and not held.is_auth:
            make = partial(self._open_journal, held, asyncio.get_running_loop())
            journal = UnopenedJournal(make, is_new=not held.hand_out.journal)
            return await perform(task, self._start(held), held.cancellation, journal)
        link = self._open_link(held, asyncio.get_running_loop(), is_async=task.body.is_async)
        try:
            async with self._children.one() as process:
                held.process = process
                return await process.perform(self._start(held), link, held.woken)
        except (ChildError, OSError) as error:
            self._start(held)
            return Crashed(Error(type(error).__name__, str(error)))

    def _start(self, held: Held) -> Attempt:
        at = self._clock()
        if held.is_auth:
            return Attempt(held.hand_out, self.version, at)
        held.is_started = True
        self._outbox.report(held, "started", {}, at)
        if self._spans is not None and held.span is None:
            with sparing(held.hand_out.id):
                held.span = self._spans.begin(held.hand_out)
        return Attempt(held.hand_out, self.version, at, held.span.traceparent if held.span else None)

    async def _load_journal(self, held: Held) -> None:
        assert self._fetch is not None, "a worker that speaks to an engine can ask it"
        run, entries = held.hand_out, [*held.hand_out.journal]
        while len(entries) < run.journal_size:
            page = await self._fetch(run.id, entries[-1].index if entries else -1)
            assert page, "there are as many entries as the hand-out says"
            entries += page
        held.hand_out = msgspec.structs.replace(run, journal=entries)

    def _open_journal(self, held: Held, loop: asyncio.AbstractEventLoop) -> Journal:
        """For code that asks for something at last, which may be when its run is to stop, or is over."""
        run, link = held.hand_out, self._open_link(held, loop, is_async=True)
        assert held.gathered is not None, "it came with the link"
        journal = Journal(run.id, run.attempt, run.journal, link, partial(described, run), loop=loop)
        journal.log = without_secrets(run, held.gathered.add)
        held.keep_journal(journal, link)
        return journal

    def _open_link(self, held: Held, loop: asyncio.AbstractEventLoop, *, is_async: bool) -> Link:
        held.gathered = Gathered(partial(self._outbox.hear_lines, loop, held))
        held.link = link = Link(
            partial(self._outbox.report, held),
            held.freeze,
            self._freeze_seconds,
            partial(self._note_blocked, held) if is_async else _ignore,
            held.gathered.add,
        )
        return link


def _ignore(_is_blocked: bool) -> None:  # noqa: FBT001 (what is noted)
    """A process that waits is as many as one that works."""
