"""The runs that a worker has, from their hand-out until the engine has acknowledged how they ended."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from runfold.definition import Task
from runfold.entries import Outcome
from runfold.worker.attempts import Attempts, Fetch
from runfold.worker.child import STOP_SECONDS
from runfold.worker.children import Children
from runfold.worker.held import Held
from runfold.worker.line import PATIENCE_SECONDS, Line
from runfold.worker.outbox import Outbox
from runfold.worker.outcomes import Crashed, Ended, Failed
from runfold.worker.redacting import described
from runfold.worker.sparing import instead_of, note_failure, sparing
from runfold.worker.wire import ONGOING, HandOut, Hold, Report, Waits, Woken

if TYPE_CHECKING:
    from runfold.worker.spans import Spans

log = logging.getLogger("runfold.worker")

RELEASED = "RELEASED"
"""Why a worker that ends stops a run; all other reasons but FROZEN are the engine's."""
FREEZE_SECONDS = 10.0
"""How long code that waits keeps its process."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Holding:
    """Begins runs as there is room for them, and sees to their end."""

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
        self.has_runaways = False
        """Whether, after closing, there is code that did not let itself be stopped."""
        self._clock = clock
        self._outbox = Outbox(clock, self.news)
        self._attempts = Attempts(
            tasks,
            children,
            self._outbox,
            self._note_blocked,
            clock=clock,
            spans=spans,
            fetch=fetch,
            freeze_seconds=freeze_seconds,
        )
        self._held: dict[Hold, Held] = {}
        self._line = Line(monotonic, capacity)
        self._patience: asyncio.TimerHandle | None = None
        """When it is looked for runs that are in line for too long."""
        self._is_closed = False

    @property
    def version(self) -> str:
        """That of the tasks, of which their code is told."""
        return self._attempts.version

    @version.setter
    def version(self, version: str) -> None:
        self._attempts.version = version

    @property
    def room(self) -> int:
        """How many runs could be taken now."""
        return 0 if self._is_closed else max(0, self._line.limit - len(self._held))

    def take_ahead(self) -> int:
        """How many runs to take over and above the room, to begin as soon as others end."""
        return 0 if self._is_closed else self._line.take_ahead()

    @property
    def is_over(self) -> bool:
        """Nothing is left to do, to report or to wait for, and nothing new is taken."""
        return self._is_closed and not (self._held or self._outbox.has_reports or self._outbox.unacknowledged)

    @property
    def is_leaving(self) -> bool:
        """Nothing new is taken, and all that is left is to hear that the reports taken so far have arrived."""
        return self._is_closed and not (self._held or self._outbox.has_reports)

    def holds(self) -> list[Hold]:
        return [*self._held, *self._outbox.unacknowledged]

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
                self._outbox.unacknowledged.add(held.key)
                self._outbox.report(held, "crashed", {"error": described(held.hand_out, error)})

    def take(self, hand_outs: Iterable[HandOut]) -> None:
        for hand_out in hand_outs:
            held = Held(hand_out)
            if self._is_closed:
                self._outbox.report_end(held, "released")
            elif held.key not in self._held:
                self._held[held.key] = held
                self._line.join(held)
        self._begin_more()

    def _begin_more(self) -> None:
        """Begin what is in line, as far as there is room for it."""
        while (held := self._line.next()) is not None:
            self._begin(held)
        if self._line and self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self.give_back_late)

    def _begin(self, held: Held) -> None:
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
        self._outbox.forget(key)
        held = self._held.get(key)
        if held is not None:
            held.is_unwanted = True
            self._outbox.drop_lines(held)
            if held.link is not None:
                held.link.leave()
            self._stop(held, reason)

    def take_reports(self, bytes_max: int) -> list[Report]:
        """What is to be reported now, in the order in which it happened."""
        return self._outbox.take(bytes_max)

    def acknowledge(self, reports: list[Report]) -> None:
        """The engine has committed these reports, or refused them for good."""
        for report in reports:
            key = (report.run, report.token)
            if report.kind not in ONGOING:
                self._outbox.unacknowledged.discard(key)
            elif report.entry is not None and (held := self._held.get(key)) and held.link:
                held.link.commit(report.entry["index"])

    def narrow(self, reports: list[Report], why: str) -> list[Report]:
        """What to tell first of reports of which one is refused: half of them, as it may be among the others.

        Half of a single one that tells of a start too is that start.
        In place of a single one it is told that its attempt has failed, and nothing else of that attempt.
        """
        half = len(reports) // 2
        if half:
            self._outbox.put_back(reports[half:])
            return reports[:half]
        [refused] = reports
        if refused.began is not None:
            self._outbox.put_back([replace(refused, began=None)])
            return [Report(refused.run, refused.token, "started", refused.began)]
        log.error("a report (%s) is refused: %s", refused.kind, why, extra={"run": refused.run})
        self.forget(refused.run, refused.token, "REFUSED")
        told = instead_of(refused, why, self._clock())
        if told is None:
            return []
        self._outbox.unacknowledged.add((refused.run, refused.token))
        return [told]

    def abandon(self) -> None:
        """The worker ends without having closed this: whatever cancels the code from now on is no end of its own."""
        for held in self._held.values():
            held.stopped = held.stopped or RELEASED

    async def close(self, grace_seconds: float) -> None:
        """Take nothing more, give back what has not started, wait for the rest, at last give that back too."""
        self._is_closed = True
        self._attempts.hurry()
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
            held.leave()
            with sparing(held.hand_out.id):
                held.end_span(None)
            self._outbox.report_end(held, "released")
        self._held.clear()

    async def _ended_within(self, seconds: float) -> None:
        jobs = [held.job for held in self._held.values() if held.job is not None]
        if jobs:
            await asyncio.wait(jobs, timeout=seconds)

    def _stop(self, held: Held, reason: str) -> None:
        if held.is_stopped:
            return
        with sparing(held.hand_out.id):
            held.stop(reason)
            if held.job is None:
                self._line.leave(held)
                self._begin(held)  # only to end

    async def _attend(self, held: Held) -> None:
        self._conclude(held, await self._attempts.make(held))

    def _note_blocked(self, held: Held, is_blocked: bool) -> None:  # noqa: FBT001 (what is noted)
        """A run that only waits is in nobody's way; its code is async, and has no process of its own."""
        if held.key in self._held:
            self._line.limit += 1 if is_blocked else -1
            self._begin_more()
            self.news.set()

    def _conclude(self, held: Held, outcome: Ended | None) -> None:
        self.news.set()
        self._line.note_end(held)
        self._begin_more()
        held.leave()
        is_wanted = self._held.pop(held.key, None) is not None and not held.is_unwanted
        if is_wanted:
            self._outbox.report_outcome(held, outcome)
        if held.span is not None:
            with sparing(held.hand_out.id):
                held.end_span(outcome)
        if is_wanted and not held.is_stopped and isinstance(outcome, Failed | Crashed):
            with sparing(held.hand_out.id):
                held.log_failure(outcome.error)
        held.let_go()
