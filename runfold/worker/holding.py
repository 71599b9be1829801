"""The runs that a worker has, from their hand-out until the engine has acknowledged how they ended."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from runfold.definition import Task
from runfold.worker.child import STOP_SECONDS
from runfold.worker.children import ChildError, Children
from runfold.worker.failures import describe
from runfold.worker.handed import Attempt
from runfold.worker.held import Held
from runfold.worker.outcomes import Crashed, Failed, Outcome, Succeeded
from runfold.worker.performing import perform
from runfold.worker.resolving import resolve, resolver_of
from runfold.worker.wire import Error, HandOut, Hold, Kind, Report

if TYPE_CHECKING:
    from runfold.worker.spans import Spans

log = logging.getLogger("runfold.worker")

RELEASED = "RELEASED"
"""Why a worker that ends stops a run; all other reasons are the engine's."""


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
        spans: "Spans | None" = None,
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
        self._held: dict[Hold, Held] = {}
        self._unacknowledged: set[Hold] = set()
        self._outbox: list[Report] = []
        self._is_closed = False

    @property
    def room(self) -> int:
        """How many runs could be taken now."""
        return 0 if self._is_closed else max(0, self._capacity - len(self._held))

    @property
    def is_over(self) -> bool:
        """Nothing is left to do, to report or to wait for, and nothing new is taken."""
        return self._is_closed and not (self._held or self._outbox or self._unacknowledged)

    def holds(self) -> list[Hold]:
        return [*self._held, *self._unacknowledged]

    def take(self, hand_outs: Iterable[HandOut]) -> None:
        for hand_out in hand_outs:
            held = Held(hand_out)
            if self._is_closed:
                self._report_end(held, "released")
            elif held.key not in self._held:
                self._held[held.key] = held
                held.job = asyncio.create_task(self._attend(held))

    def forget(self, run: str, token: int, reason: str) -> None:
        """Stop a run of which the engine wants no report."""
        key = (run, token)
        self._unacknowledged.discard(key)
        self._outbox = [report for report in self._outbox if (report.run, report.token) != key]
        held = self._held.get(key)
        if held is not None:
            held.is_unwanted = True
            self._stop(held, reason)

    def take_reports(self, bytes_max: int) -> list[Report]:
        """What is to be reported now, in the order in which it happened."""
        size = count = 0
        for report in self._outbox:
            size += 0 if report.output is msgspec.UNSET else memoryview(report.output).nbytes
            if size > bytes_max and count:
                break
            count += 1
        taken, self._outbox = self._outbox[:count], self._outbox[count:]
        return taken

    def acknowledge(self, reports: list[Report]) -> None:
        """The engine has committed these reports, or refused them for good."""
        self._unacknowledged.difference_update(
            (report.run, report.token) for report in reports if report.kind != "started"
        )

    async def close(self, grace_seconds: float) -> None:
        """Take nothing more, give back what has not started, wait for the rest, at last give that back too."""
        self._is_closed = True
        for held in list(self._held.values()):
            if not held.is_started:
                self._stop(held, RELEASED)
        self.news.set()
        await self._ended_within(grace_seconds)
        for held in self._held.values():
            self._stop(held, RELEASED)
        await self._ended_within(2 * STOP_SECONDS)
        self.has_runaways = bool(self._held)
        for held in self._held.values():
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
        held.cancellation.set()
        if not held.is_begun or held.job is None:
            return
        if held.cancellation.is_watched:
            asyncio.get_running_loop().call_later(STOP_SECONDS, held.job.cancel)
        else:
            held.job.cancel()

    async def _attend(self, held: Held) -> None:
        held.is_begun = True
        outcome: Outcome | None = None
        try:
            if not held.is_stopped:
                outcome = await self._attempt(held)
        except asyncio.CancelledError:
            if not held.is_stopped:
                raise
        except Exception as error:
            log.exception("the worker failed at the run %s", held.hand_out.id)
            if not held.is_started:
                self._start(held)
            outcome = Crashed(describe(error))
        self._conclude(held, outcome)

    async def _attempt(self, held: Held) -> Outcome:
        task = self._tasks[held.hand_out.task]
        if held.is_auth and resolver_of(task).is_async:
            return await resolve(task, self._start(held), held.cancellation)
        if task.body.is_async and not held.is_auth:
            return await perform(task, self._start(held), held.cancellation)
        try:
            async with self._children.one() as process:
                return await process.perform(self._start(held))
        except (ChildError, OSError) as error:
            self._start(held)
            return Crashed(Error(type(error).__name__, str(error)))

    def _start(self, held: Held) -> Attempt:
        at = self._clock()
        if held.is_auth:
            return Attempt(held.hand_out, self.version, at)
        held.is_started = True
        self._report(held, "started", at)
        if self._spans is None:
            return Attempt(held.hand_out, self.version, at)
        held.span = held.span or self._spans.begin(held.hand_out)
        return Attempt(held.hand_out, self.version, at, held.span.traceparent)

    def _conclude(self, held: Held, outcome: Outcome | None) -> None:
        self.news.set()
        self._end_span(held, outcome)
        if self._held.pop(held.key, None) is None or held.is_unwanted:
            return
        match outcome:
            case Succeeded(output=output):
                self._report_end(held, "succeeded", output=output)
            case _ if held.is_stopped:
                self._report_end(held, "released")
            case Failed(error=error, retryable=retryable):
                held.log_failure(error)
                again: dict[str, Any] = {} if held.is_auth else {"retryable": retryable}
                self._report_end(held, "failed", error=error, **again)
            case Crashed(error=error):
                held.log_failure(error)
                self._report_end(held, "crashed", error=error)
            case None:
                raise AssertionError("only a stopped run has no outcome")

    def _end_span(self, held: Held, outcome: Outcome | None) -> None:
        if held.span is not None:
            is_finished = isinstance(outcome, Succeeded) and not held.is_unwanted
            held.span.end(outcome, None if is_finished else held.stopped)
            held.span = None

    def _report_end(self, held: Held, kind: Kind, **facts: Any) -> None:
        self._unacknowledged.add(held.key)
        self._report(held, held.kind(kind), self._clock(), **facts)

    def _report(self, held: Held, kind: Kind, at: int, **facts: Any) -> None:
        self._outbox.append(Report(held.hand_out.id, held.hand_out.token, kind, at, **facts))
        self.news.set()
