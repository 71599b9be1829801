"""A run that a worker has: how far it is, and what it is told while its code is under way."""

import asyncio
import logging
from typing import TYPE_CHECKING

from runfold.context import Cancellation
from runfold.entries import Outcome
from runfold.errors import SuspendedError
from runfold.journal import Journal
from runfold.worker.child import STOP_SECONDS
from runfold.worker.gathering import Gathered
from runfold.worker.links import Link
from runfold.worker.outcomes import Ended, Succeeded
from runfold.worker.wire import Error, HandOut, Hold, Kind

if TYPE_CHECKING:
    from runfold.worker.children import Process
    from runfold.worker.spans import AttemptSpan

log = logging.getLogger("runfold.worker")

FROZEN = "FROZEN"
"""Why a run is stopped that waits: its process is for others."""


class Held:
    """One run, while its task's code runs or waits for a child process."""

    __slots__ = (
        "came_at",
        "cancellation",
        "gathered",
        "hand_out",
        "is_begun",
        "is_over",
        "is_started",
        "is_unwanted",
        "job",
        "journal",
        "key",
        "link",
        "process",
        "span",
        "stopped",
        "woken",
    )

    def __init__(self, hand_out: HandOut) -> None:
        self.hand_out = hand_out
        self.key: Hold = (hand_out.id, hand_out.token)
        self.came_at = 0.0
        """When it was handed out, on the clock of its line."""
        self.cancellation = Cancellation()
        self.job: asyncio.Task[None] | None = None
        self.is_begun = False
        """The job has had its first step; before that, cancelling it would skip its last words."""
        self.is_started = False
        self.stopped: str | None = None
        """Why it is to stop."""
        self.is_unwanted = False
        """The engine wants no report of it."""
        self.is_over = False
        """Whatever its code has left behind says nothing more."""
        self.span: AttemptSpan | None = None
        self.link: Link | None = None
        self.gathered: Gathered | None = None
        """What its code has logged."""
        self.journal: Journal | None = None
        """That of async code which has asked for something; other code has its own in its process."""
        self.process: Process | None = None
        self.woken: dict[int, Outcome] = {}
        """The waits that were over before the code could be told."""

    @property
    def is_stopped(self) -> bool:
        return self.stopped is not None

    @property
    def is_auth(self) -> bool:
        """The engine asks only on whose behalf the run acts: no attempt starts."""
        return self.hand_out.kind == "auth"

    def kind(self, of_attempt: Kind) -> Kind:
        """The word for an end; an auth resolver knows only two, however it failed."""
        if not self.is_auth or of_attempt == "released":
            return of_attempt
        return "authorized" if of_attempt == "succeeded" else "unauthorized"

    @property
    def waits(self) -> tuple[int, ...]:
        """For which waits the code waits, as far as is known."""
        return self.journal.open_waits if self.journal else self.link.waits if self.link else ()

    def wake(self, wait: int, outcome: Outcome) -> None:
        """Tell the code that a wait is over."""
        if self.journal is not None:
            self.journal.wake(wait, outcome)
        elif self.process is not None:
            self.process.wake(wait, outcome)
        else:
            self.woken[wait] = outcome

    def keep_journal(self, journal: Journal, link: Link) -> None:
        """The code has asked for something at last, which may be when its run is to stop, or is over."""
        # First, because the code may be in another thread: what is over from here on is told to the journal itself.
        self.journal = journal
        for wait, outcome in list(self.woken.items()):
            journal.wake(wait, outcome)
        if self.stopped is not None:
            journal.stop(_to_stop(self.stopped))
        if self.is_over or self.is_unwanted:
            if self.gathered is not None:
                self.gathered.close()
            link.leave()
        if self.is_over:
            journal.end()
            self.let_go()

    def stop(self, reason: str) -> None:
        """Tell the code to stop, and end it if it does not watch for that, or takes too long."""
        self.stopped = reason
        self.cancellation.set()
        if self.journal is not None:
            # What the code does when it is told to stop, it does not do when it goes on elsewhere.
            self.journal.stop(_to_stop(reason))
        if not self.is_begun or self.job is None:
            return
        if self.cancellation.is_watched:
            asyncio.get_running_loop().call_later(STOP_SECONDS, self.job.cancel)
        else:
            self.job.cancel()

    def freeze(self) -> None:
        """Give up the process of code that only waits: the run goes on elsewhere, by its journal."""
        if self.is_stopped or self.link is None or not self.link.waits:
            return
        if self.process is not None:
            # Whether it still waits is known there.
            self.process.freeze()
        elif (
            self.journal is not None
            and self.job is not None
            and self.journal.suspend(SuspendedError("The run waits, and goes on elsewhere."))
        ):
            self.stopped = FROZEN
            self.job.cancel()

    def leave(self) -> None:
        """Whatever its code has left behind says nothing more, and waits for nothing."""
        self.is_over = True
        if self.link is not None:
            self.link.leave()
        if self.journal is not None:
            self.journal.end()

    def end_span(self, outcome: Ended | None) -> None:
        """The attempt has come to this, or None where it was stopped."""
        if self.span is not None:
            is_finished = isinstance(outcome, Succeeded) and not self.is_unwanted
            self.span.end(outcome, None if is_finished else self.stopped)
            self.span = None

    def let_go(self) -> None:
        """Part from what knows this run in turn, so that all of it goes at once and not at the next collection."""
        self.link = self.gathered = self.journal = None

    def log_failure(self, error: Error) -> None:
        run = self.hand_out
        names = {"run": run.id, "task": run.task, "attempt": run.attempt}
        what = "an auth resolver found nobody" if self.is_auth else "an attempt failed"
        log.warning("%s: %s: %s", what, error.name, error.message.partition("\n")[0], extra=names)


def _to_stop(reason: str) -> asyncio.CancelledError:
    return asyncio.CancelledError(f"The run is to stop: {reason}.")
