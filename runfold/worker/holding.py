"""The runs that a worker has, from their hand-out until the engine has acknowledged how they ended."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from runfold.definition import Task
from runfold.entries import Entry, Outcome
from runfold.errors import SuspendedError
from runfold.journal import Journal
from runfold.opening import UnopenedJournal
from runfold.worker.child import STOP_SECONDS
from runfold.worker.children import ChildError, Children
from runfold.worker.failures import describe
from runfold.worker.gathering import LINGER_SECONDS, Gathered, without_secrets
from runfold.worker.handed import Attempt
from runfold.worker.held import Held
from runfold.worker.line import PATIENCE_SECONDS, Line
from runfold.worker.links import Link
from runfold.worker.outcomes import Crashed, Ended, Failed, Frozen, Succeeded, canceled
from runfold.worker.performing import perform
from runfold.worker.redacting import redaction
from runfold.worker.resolving import resolve, resolver_of
from runfold.worker.sparing import instead_of, note_failure, sparing
from runfold.worker.wire import ONGOING, Error, HandOut, Hold, Kind, Report, Waits, Woken

if TYPE_CHECKING:
    from runfold.worker.spans import Spans

log = logging.getLogger("runfold.worker")

RELEASED = "RELEASED"
"""Why a worker that ends stops a run; all other reasons but FROZEN are the engine's."""
FROZEN = "FROZEN"
"""Why a run is stopped that waits: its process is for others."""
FREEZE_SECONDS = 10.0
"""How long code that waits keeps its process."""

Fetch = Callable[[str, int], Awaitable[list[Entry]]]
"""The next entries of a run's journal behind an index."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Holding:
    """Starts and stops runs, and collects what is to be reported of them."""

    def __init__(
        self,
        tasks: Mapping[str, Task[Any, Any]],
        children: Children,
        capacity: int,
        *,
        clock: Callable[[], int] = now_ms,
        monotonic: Callable[[], float] = time.monotonic,
        spans: "Spans | None" = None,
        fetch: Fetch | None = None,
        freeze_seconds: float = FREEZE_SECONDS,
    ) -> None:
        self.news = asyncio.Event()
        """There may be something to report, or room for another run."""
        self.version = ""
        self.has_runaways = False
        """Whether, after closing, there is code that did not let itself be stopped."""
        self._tasks = tasks
        self._children = children
        self._capacity = capacity
        self._clock = clock
        self._spans = spans
        self._fetch = fetch
        self._freeze_seconds = freeze_seconds
        self._blocked = 0
        """How many runs hold no process though they are held: async ones that wait."""
        self._held: dict[Hold, Held] = {}
        self._line = Line(monotonic)
        self._patience: asyncio.TimerHandle | None = None
        """When it is looked for runs that are in line for too long."""
        self._under_way = 0
        """How many runs are not in line."""
        self._unacknowledged: set[Hold] = set()
        self._outbox: list[Report] = []
        self._is_closed = False
        self._logging: dict[Hold, Held] = {}
        """The runs with lines that no report has taken."""
        self._linger: asyncio.TimerHandle | None = None

    @property
    def room(self) -> int:
        """How many runs could be taken now."""
        return 0 if self._is_closed else max(0, self._capacity + self._blocked - len(self._held))

    def take_ahead(self) -> int:
        """How many runs to take over and above the room, to begin as soon as others end."""
        return 0 if self._is_closed else self._line.take_ahead(self._capacity)

    @property
    def is_over(self) -> bool:
        """Nothing is left to do, to report or to wait for, and nothing new is taken."""
        return self._is_closed and not (self._held or self._outbox or self._unacknowledged)

    @property
    def is_leaving(self) -> bool:
        """Nothing new is taken, and all that is left is to hear that the reports taken so far have arrived."""
        return self._is_closed and not (self._held or self._outbox)

    def holds(self) -> list[Hold]:
        return [*self._held, *self._unacknowledged]

    def waits(self) -> list[Waits]:
        """For what the code of each run waits, as far as it was not told that it is over."""
        return [(*held.key, waits) for held in self._held.values() if (waits := held.waits)]

    def wake(self, woken: Woken) -> None:
        """A wait is over."""
        held = self._held.get((woken.run, woken.token))
        if held is not None:
            try:
                held.wake(woken.wait, Outcome(woken.done, woken.timed_out, woken.unknown, woken.results))
            except Exception as error:  # noqa: BLE001 (it is noted)
                note_failure(woken.run, error)
                self.forget(woken.run, woken.token, "BROKEN")
                self._unacknowledged.add(held.key)
                self._report(held, "crashed", self._clock(), error=_describe(held.hand_out, error))

    def take(self, hand_outs: Iterable[HandOut]) -> None:
        for hand_out in hand_outs:
            held = Held(hand_out)
            if self._is_closed:
                self._report_end(held, "released")
            elif held.key not in self._held:
                self._held[held.key] = held
                self._line.join(held)
        self._begin_more()

    def _begin_more(self) -> None:
        """Begin what is in line, as far as there is room for it."""
        while self._line and self._under_way < self._capacity + self._blocked:
            self._begin(self._line.next())
        if self._line and self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self.give_back_late)

    def _begin(self, held: Held) -> None:
        self._under_way += 1
        held.job = asyncio.create_task(self._attend(held))

    def give_back_late(self) -> None:
        """What has been in line for too long may begin elsewhere."""
        self._patience = None
        for held in self._line.late():
            self._stop(held, RELEASED)
        self._begin_more()

    def forget(self, run: str, token: int, reason: str) -> None:
        """Stop a run of which the engine wants no report."""
        key = (run, token)
        self._unacknowledged.discard(key)
        self._outbox = [report for report in self._outbox if (report.run, report.token) != key]
        held = self._held.get(key)
        if held is not None:
            held.is_unwanted = True
            self._stop_hearing(held)
            if held.link is not None:
                held.link.leave()
            self._stop(held, reason)

    def take_reports(self, bytes_max: int) -> list[Report]:
        """What is to be reported now, in the order in which it happened."""
        if self._logging and (self._outbox or self._linger is None):
            for held in list(self._logging.values()):
                self._report_lines(held)
        size = count = 0
        for report in self._outbox:
            size += 0 if report.output is msgspec.UNSET else memoryview(report.output).nbytes
            if report.lines:
                size += sum(len(line.message) for line in report.lines)
            if size > bytes_max and count:
                break
            count += 1
        taken, self._outbox = self._outbox[:count], self._outbox[count:]
        return taken

    def acknowledge(self, reports: list[Report]) -> None:
        """The engine has committed these reports, or refused them for good."""
        for report in reports:
            key = (report.run, report.token)
            if report.kind not in ONGOING:
                self._unacknowledged.discard(key)
            elif report.entry is not None and (held := self._held.get(key)) and held.link:
                held.link.commit(report.entry["index"])

    def narrow(self, reports: list[Report], why: str) -> list[Report]:
        """What to tell first of reports of which one is refused: half of them, as it may be among the others.

        In place of a single one it is told that its attempt has failed, and nothing else of that attempt.
        """
        half = len(reports) // 2
        if half:
            self._outbox[:0] = reports[half:]
            return reports[:half]
        [refused] = reports
        log.error("a report (%s) is refused: %s", refused.kind, why, extra={"run": refused.run})
        self.forget(refused.run, refused.token, "REFUSED")
        told = instead_of(refused, why, self._clock())
        if told is None:
            return []
        self._unacknowledged.add((refused.run, refused.token))
        return [told]

    def abandon(self) -> None:
        """The worker ends without having closed this: whatever cancels the code from now on is no end of its own."""
        for held in self._held.values():
            held.stopped = held.stopped or RELEASED

    async def close(self, grace_seconds: float) -> None:
        """Take nothing more, give back what has not started, wait for the rest, at last give that back too."""
        self._is_closed = True
        for held in list(self._held.values()):
            if not held.is_started:
                self._stop(held, RELEASED)
            elif held.link is not None:
                held.link.hurry()
        self.news.set()
        await self._ended_within(grace_seconds)
        for held in self._held.values():
            self._stop(held, RELEASED)
        await self._ended_within(2 * STOP_SECONDS)
        self.has_runaways = bool(self._held)
        for held in self._held.values():
            self._leave(held)
            with sparing(held.hand_out.id):
                self._end_span(held, None)
            self._report_end(held, "released")
        self._held.clear()

    async def _ended_within(self, seconds: float) -> None:
        jobs = [held.job for held in self._held.values() if held.job is not None]
        if jobs:
            await asyncio.wait(jobs, timeout=seconds)

    def _stop(self, held: Held, reason: str) -> None:
        if held.is_stopped:
            return
        held.stopped = reason
        with sparing(held.hand_out.id):
            self._tell_to_stop(held, reason)

    def _tell_to_stop(self, held: Held, reason: str) -> None:
        held.cancellation.set()
        if held.journal is not None:
            # What the code does when it is told to stop, it does not do when it goes on elsewhere.
            held.journal.stop(_to_stop(reason))
        if held.job is None:
            self._line.leave(held)
            self._begin(held)  # only to end
        if not held.is_begun or held.job is None:
            return
        if held.cancellation.is_watched:
            asyncio.get_running_loop().call_later(STOP_SECONDS, held.job.cancel)
        else:
            held.job.cancel()

    def _freeze(self, held: Held) -> None:
        """Give up the process of code that only waits: the run goes on elsewhere, by its journal."""
        if held.is_stopped or held.link is None or not held.link.waits:
            return
        if held.process is not None:
            # Whether it still waits is known there.
            held.process.freeze()
        elif (
            held.journal is not None
            and held.job is not None
            and held.journal.suspend(SuspendedError("The run waits, and goes on elsewhere."))
        ):
            held.stopped = FROZEN
            held.job.cancel()

    async def _attend(self, held: Held) -> None:
        held.is_begun = True
        outcome: Ended | None = None
        try:
            if not held.is_stopped:
                outcome = await self._attempt(held)
        except asyncio.CancelledError as error:
            if not held.is_stopped:
                outcome = canceled(error, held.hand_out)
        except GeneratorExit:
            raise  # the event loop is gone
        except BaseException as error:  # noqa: BLE001 (nothing at all may leave a run without an end)
            note_failure(held.hand_out.id, error)
            if not held.is_started:
                self._start(held)
            outcome = Crashed(_describe(held.hand_out, error))
        self._conclude(held, outcome)

    async def _attempt(self, held: Held) -> Ended:
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

    def _open_link(self, held: Held, loop: asyncio.AbstractEventLoop, *, is_async: bool) -> Link:
        held.gathered = Gathered(partial(self._hear_lines, loop, held))
        held.link = link = Link(
            partial(self._say, held),
            partial(self._freeze, held),
            0 if self._is_closed else self._freeze_seconds,
            partial(self._note_blocked, held, is_async=is_async),
            held.gathered.add,
        )
        return link

    def _open_journal(self, held: Held, loop: asyncio.AbstractEventLoop) -> Journal:
        """For code that asks for something at last, which may be when its run is to stop, or is over."""
        run, link = held.hand_out, self._open_link(held, loop, is_async=True)
        assert held.gathered is not None, "it came with the link"
        journal = Journal(run.id, run.attempt, run.journal, link, partial(_describe, run), loop=loop)
        journal.log = without_secrets(run, held.gathered.add)
        # First, because the code may be in another thread: what is over from here on is told to the journal itself.
        held.journal = journal
        for wait, outcome in list(held.woken.items()):
            journal.wake(wait, outcome)
        if held.stopped is not None:
            journal.stop(_to_stop(held.stopped))
        if held.is_over or held.is_unwanted:
            held.gathered.close()
            link.leave()
        if held.is_over:
            journal.end()
            held.let_go()
        return journal

    async def _load_journal(self, held: Held) -> None:
        assert self._fetch is not None, "a worker that speaks to an engine can ask it"
        run, entries = held.hand_out, [*held.hand_out.journal]
        while len(entries) < run.journal_size:
            page = await self._fetch(run.id, entries[-1].index if entries else -1)
            assert page, "there are as many entries as the hand-out says"
            entries += page
        held.hand_out = msgspec.structs.replace(run, journal=entries)

    def _say(self, held: Held, kind: Kind, facts: dict[str, Any]) -> None:
        run = held.hand_out
        self._outbox.append(Report(run.id, run.token, kind, self._clock(), **facts))
        self.news.set()

    def _note_blocked(self, held: Held, is_blocked: bool, *, is_async: bool) -> None:  # noqa: FBT001 (what is noted)
        if is_async and held.key in self._held:
            self._blocked += 1 if is_blocked else -1
            self._begin_more()
            self.news.set()

    def _start(self, held: Held) -> Attempt:
        at = self._clock()
        if held.is_auth:
            return Attempt(held.hand_out, self.version, at)
        held.is_started = True
        self._report(held, "started", at)
        if self._spans is not None and held.span is None:
            with sparing(held.hand_out.id):
                held.span = self._spans.begin(held.hand_out)
        return Attempt(held.hand_out, self.version, at, held.span.traceparent if held.span else None)

    def _conclude(self, held: Held, outcome: Ended | None) -> None:
        self.news.set()
        self._under_way -= 1
        self._line.note_end(held)
        self._begin_more()
        self._leave(held)
        is_wanted = self._held.pop(held.key, None) is not None and not held.is_unwanted
        if is_wanted:
            self._report_outcome(held, outcome)
        with sparing(held.hand_out.id):
            self._end_span(held, outcome)
        if is_wanted and not held.is_stopped and isinstance(outcome, Failed | Crashed):
            with sparing(held.hand_out.id):
                held.log_failure(outcome.error)
        held.let_go()

    def _report_outcome(self, held: Held, outcome: Ended | None) -> None:
        match outcome:
            case Succeeded(output=output):
                self._report_end(held, "succeeded", output=output)
            case Frozen():
                self._report_end(held, "frozen")
            case _ if held.is_stopped:
                self._report_end(held, "frozen" if held.stopped == FROZEN else "released")
            case Failed(error=error, retryable=retryable):
                again: dict[str, Any] = {} if held.is_auth else {"retryable": retryable}
                self._report_end(held, "failed", error=error, **again)
            case Crashed(error=error):
                self._report_end(held, "crashed", error=error)
            case None:
                raise AssertionError("only a stopped run has no outcome")

    def _leave(self, held: Held) -> None:
        """Whatever its code has left behind says nothing more, and waits for nothing."""
        held.is_over = True
        if held.link is not None:
            held.link.leave()
        if held.journal is not None:
            held.journal.end()

    def _end_span(self, held: Held, outcome: Ended | None) -> None:
        if held.span is not None:
            is_finished = isinstance(outcome, Succeeded) and not held.is_unwanted
            held.span.end(outcome, None if is_finished else held.stopped)
            held.span = None

    def _hear_lines(self, loop: asyncio.AbstractEventLoop, held: Held) -> None:
        """In whichever thread the code logs, which may outlive the worker."""
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._note_lines, held)

    def _note_lines(self, held: Held) -> None:
        if held.is_unwanted or held.key not in self._held:
            return
        self._logging[held.key] = held
        if self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._end_linger)

    def _end_linger(self) -> None:
        self._linger = None
        self.news.set()

    def _report_lines(self, held: Held) -> None:
        """Put what its code has logged into the outbox."""
        self._logging.pop(held.key, None)
        first, lines = held.gathered.take() if held.gathered else (0, [])
        if lines:
            self._report(held, "logged", self._clock(), lines=lines, first=first)

    def _stop_hearing(self, held: Held) -> None:
        """Its lines are wanted no more."""
        self._logging.pop(held.key, None)
        if held.gathered is not None:
            held.gathered.close()

    def _report_end(self, held: Held, kind: Kind, **facts: Any) -> None:
        self._report_lines(held)
        self._stop_hearing(held)
        self._unacknowledged.add(held.key)
        self._report(held, held.kind(kind), self._clock(), **facts)

    def _report(self, held: Held, kind: Kind, at: int, **facts: Any) -> None:
        self._outbox.append(Report(held.hand_out.id, held.hand_out.token, kind, at, **facts))
        self.news.set()


def _to_stop(reason: str) -> asyncio.CancelledError:
    return asyncio.CancelledError(f"The run is to stop: {reason}.")


def _describe(run: HandOut, error: BaseException) -> Error:
    return describe(error, redaction(run))
