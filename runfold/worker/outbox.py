"""What a worker has to tell the engine of its runs, and of which ends it has not heard yet that the engine knows."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from runfold.worker.gathering import LINGER_SECONDS
from runfold.worker.held import FROZEN, Held
from runfold.worker.outcomes import Crashed, Ended, Failed, Frozen, Succeeded
from runfold.worker.wire import Hold, Kind, Report

ALSO_STARTED = frozenset({"succeeded", "failed", "crashed"})
"""The reports of an end that can tell of the start along with it."""


class Outbox:
    """Reports, in the order in which it happened. `news` is set whenever there may be some."""

    def __init__(self, clock: Callable[[], int], news: asyncio.Event) -> None:
        self.unacknowledged: set[Hold] = set()
        """The runs of whose end the engine has not said that it knows."""
        self._clock = clock
        self._news = news
        self._reports: list[Report] = []
        self._logging: dict[Hold, Held] = {}
        """The runs with lines that no report has taken."""
        self._linger: asyncio.TimerHandle | None = None

    @property
    def has_reports(self) -> bool:
        """Whether there is more to tell than lines."""
        return bool(self._reports)

    def report(self, held: Held, kind: Kind, facts: Mapping[str, Any], at: int | None = None) -> None:
        """Tell this of a run, as of now if there is no other time."""
        run = held.hand_out
        self._reports.append(Report(run.id, run.token, kind, self._clock() if at is None else at, **facts))
        self._news.set()

    def report_end(self, held: Held, kind: Kind, **facts: Any) -> None:
        """Tell how a run ended for this worker, and nothing more of it."""
        self._report_lines(held)
        self.drop_lines(held)
        self.unacknowledged.add(held.key)
        last = self._reports[-1] if self._reports and kind in ALSO_STARTED else None
        if last is not None and last.kind == "started" and (last.run, last.token) == held.key:
            # As of most quick runs: one report is half the work of two, here and in the engine.
            facts["began"] = self._reports.pop().at
        self.report(held, held.kind(kind), facts)

    def report_outcome(self, held: Held, outcome: Ended | None) -> None:
        """Tell what came of the attempt, None only where it was stopped before."""
        match outcome:
            case Succeeded(output=output):
                self.report_end(held, "succeeded", output=output)
            case Frozen():
                self.report_end(held, "frozen")
            case _ if held.is_stopped:
                self.report_end(held, "frozen" if held.stopped == FROZEN else "released")
            case Failed(error=error, retryable=retryable):
                again: dict[str, Any] = {} if held.is_auth else {"retryable": retryable}
                self.report_end(held, "failed", error=error, **again)
            case Crashed(error=error):
                self.report_end(held, "crashed", error=error)
            case None:
                raise AssertionError("only a stopped run has no outcome")

    def take(self, bytes_max: int) -> list[Report]:
        """What is to be reported now, of about so many bytes."""
        if self._logging and (self._reports or self._linger is None):
            for held in list(self._logging.values()):
                self._report_lines(held)
        size = count = 0
        for report in self._reports:
            size += 0 if report.output is msgspec.UNSET else memoryview(report.output).nbytes
            if report.lines:
                size += sum(len(line.message) for line in report.lines)
            if size > bytes_max and count:
                break
            count += 1
        taken, self._reports = self._reports[:count], self._reports[count:]
        return taken

    def put_back(self, reports: list[Report]) -> None:
        """What was taken is to be told later, and before all else."""
        self._reports[:0] = reports

    def forget(self, key: Hold) -> None:
        """The engine wants to hear nothing of this run, nor waits it to hear that it did."""
        self.unacknowledged.discard(key)
        self._reports = [report for report in self._reports if (report.run, report.token) != key]

    def hear_lines(self, loop: asyncio.AbstractEventLoop, held: Held) -> None:
        """The code of this run has logged something: in whichever thread, which may outlive the worker on this loop."""
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._note_lines, held)

    def drop_lines(self, held: Held) -> None:
        """Its lines are wanted no more."""
        self._logging.pop(held.key, None)
        if held.gathered is not None:
            held.gathered.close()

    def _note_lines(self, held: Held) -> None:
        if held.is_unwanted or held.is_over:
            return
        self._logging[held.key] = held
        if self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._end_linger)

    def _end_linger(self) -> None:
        self._linger = None
        self._news.set()

    def _report_lines(self, held: Held) -> None:
        self._logging.pop(held.key, None)
        first, lines = held.gathered.take() if held.gathered else (0, [])
        if lines:
            self.report(held, "logged", {"lines": lines, "first": first})
