"""What must be true of one run's events, told without the engine's own state machine."""

from msgspec.structs import replace

from domain import events as e
from domain.environment import Environment
from domain.events import Recorded, RunEvent
from domain.retry import ONCE, Retry
from tests.simulation.rules import rule

ANNOTATIONS = (e.LateResultRefused, e.TagsAdded, e.MetadataUpdated)
ENDS: dict[type[RunEvent], str] = {
    e.AttemptSucceeded: "succeeded",
    e.RunFailed: "failed",
    e.RunCrashed: "crashed",
    e.RunCanceled: "canceled",
    e.RunExpired: "expired",
    e.RunTimedOut: "timed out",
    e.RunInterrupted: "interrupted",
    e.RunSystemFailed: "system failed",
    e.PayloadRejected: "rejected",
    e.AuthUnresolved: "unresolved",
}
REPORTS = {"succeeded", "failed", "crashed", "released"}
HOLDS: dict[type[RunEvent], str] = {
    e.RunHeldForVersion: "version",
    e.RunHeldForAuth: "auth",
    e.RunHeldForConnections: "connections",
}
"""What a run that is held waits for."""
CODES = {e.WORKER_LOST: "lost", e.PROCESS_DIED: "crashed", e.OUT_OF_MEMORY: "crashed"}
"""What a failure with this code is called."""


class RunFacts:
    """What the log tells of one run, and what may come next."""

    def __init__(self, run: str, triggered: e.RunTriggered) -> None:
        self.run = run
        self.triggered = triggered
        self.attempt: e.RunDequeued | None = None
        """The open attempt."""
        self.ended: RunEvent | None = None
        self.handed: dict[int, str] = {}
        """Which worker each token was given to."""
        self.reported: set[tuple[int, str]] = set()
        """The reports that counted, by token and kind."""
        self._held_for: str | None = None
        """The gate that holds it."""
        self._started = False
        self._token = 0
        self._number = 0
        self._version: str | None = None
        self._failures = 0
        self._failed: e.AttemptFailed | None = None
        self.dues: set[int] = set()
        """The times for which it was ever put off."""
        self._due = 0
        self._closed_by_report: set[int] = set()
        self._refused: set[int] = set()

    @property
    def is_settled(self) -> bool:
        """Whether it is decided what follows the last failure."""
        return self._failed is None

    def follow(self, recorded: Recorded, event: RunEvent, environment: Environment) -> None:
        """Check the next event."""
        rule(not self.ended or isinstance(event, ANNOTATIONS), "%s: %s follows %s", self.run, event, self.ended)
        match event:
            case e.RunDequeued():
                rule(self.attempt is None, "%s: %s while %s is open", self.run, event, self.attempt)
                rule(event.token > self._token, "%s: token %d follows %d", self.run, event.token, self._token)
                self.attempt, self._token, self._version, self._started = event, event.token, event.version, False
                self.handed[event.token] = event.worker
            case e.AttemptStarted() | e.AttemptSucceeded() | e.AttemptFailed():
                self._follow_report(recorded, event)
            case e.RetryScheduled():
                self._follow_retry(recorded, event, environment)
            case e.RunFailed() | e.RunCrashed():
                rule(self._has_no_attempt_left(environment), "%s: %s with attempts left", self.run, event)
                self._failed = None
            case e.RunDelayed() | e.RunRescheduled():
                self._due = event.until
                self.dues.add(event.until)
            case e.RunEnqueued():
                self._follow_enqueued(recorded, event)
            case e.RunExpired():
                rule(not self._number and not self.attempt, "%s: expired after its start", self.run)
            case e.LateResultRefused():
                self._follow_refusal(event)
            case _:
                self._follow_gate(event)
        if type(event) in ENDS:
            self.ended = event
            self._close(ENDS[type(event)])

    def _follow_report(
        self, recorded: Recorded, event: e.AttemptStarted | e.AttemptSucceeded | e.AttemptFailed
    ) -> None:
        attempt = self.attempt
        assert attempt is None or attempt.token == self._token
        rule(attempt is not None and event.token == self._token, "%s: %s, but %s is open", self.run, event, attempt)
        by = {"timer", f"worker:{attempt.worker}"} if attempt else set[str]()
        rule(recorded.actor in by, "%s: %s by %s, but %s is open", self.run, event, recorded.actor, attempt)
        is_start = isinstance(event, e.AttemptStarted)
        rule(self._started != is_start, "%s: %s out of turn", self.run, event)
        self._started = True
        self._number += is_start
        if is_start:
            self.reported.add((event.token, "started"))
        rule(event.number == self._number, "%s: %s is attempt %d", self.run, event, self._number)
        if isinstance(event, e.AttemptFailed):
            self._failures += 1
            self._failed = event
            self._close(CODES.get(event.error.code or "", "failed"))

    def _follow_retry(self, recorded: Recorded, event: e.RetryScheduled, environment: Environment) -> None:
        rule(self._failed is not None and self._failed.retryable, "%s: %s without a failure", self.run, event)
        retry, most = self._policy(environment)
        rule(self._failures < most, "%s: retry after failure %d of %d", self.run, self._failures, most)
        least = retry.min_timeout_in_ms * retry.factor ** (self._failures - 1)
        low, high = (round(min(retry.max_timeout_in_ms, least * r)) for r in (1, 2 if retry.randomize else 1))
        wait = event.at - recorded.recorded_at
        rule(low <= wait <= high, "%s: back-off %d is not in %d…%d", self.run, wait, low, high)
        self._failed, self._due = None, event.at

    def _follow_enqueued(self, recorded: Recorded, event: e.RunEnqueued) -> None:
        if event.reason in HOLDS.values():
            rule(self._held_for == event.reason, "%s: %s while it waits for %s", self.run, event, self._held_for)
            self._held_for = None
            return
        if event.reason in {"delay", "backoff"}:
            early = self._due - recorded.recorded_at
            rule(early <= 0, "%s: enqueued %d ms early", self.run, early)
            return
        rule(self.attempt is not None, "%s: %s without an open attempt", self.run, event)
        rule(event.reason == "released" or not self._started, "%s: lost after its start without a failure", self.run)
        self._close(event.reason)

    def _follow_gate(self, event: RunEvent) -> None:
        if type(event) in HOLDS:
            self._held_for = HOLDS[type(event)]
        elif isinstance(event, e.VersionArrived):
            rule(self._held_for == "version", "%s: %s while it waits for %s", self.run, event, self._held_for)
            self.triggered = replace(self.triggered, queue=event.queue or self.triggered.queue)

    def _follow_refusal(self, event: e.LateResultRefused) -> None:
        is_open = self.attempt is not None and self._token == event.token
        rule(not is_open, "%s: %s, but it is open", self.run, event)
        rule(event.token not in self._refused, "%s: %s is recorded twice", self.run, event)
        # The start of an attempt that somebody else ended is refused, so that the worker forgets the run.
        is_again = (event.token, event.kind) in self.reported and event.token in self._closed_by_report
        rule(not is_again, "%s: %s, but it counted before", self.run, event)
        self._refused.add(event.token)

    def _has_no_attempt_left(self, environment: Environment) -> bool:
        failed = self._failed
        if failed is None:
            return False
        settings = environment.settings(self.triggered.task, self._version)
        is_final_crash = failed.error.code == e.PROCESS_DIED and not (settings and settings.retry_on_crash)
        return not failed.retryable or is_final_crash or self._failures >= self._policy(environment)[1]

    def _policy(self, environment: Environment) -> tuple[Retry, int]:
        settings = environment.settings(self.triggered.task, self._version)
        retry = (settings and settings.retry) or ONCE
        return retry, self.triggered.max_attempts or retry.max_attempts

    def _close(self, closed_by: str) -> None:
        if self.attempt:
            self.reported.add((self.attempt.token, closed_by))
            if closed_by in REPORTS:
                self._closed_by_report.add(self.attempt.token)
            self.attempt = None
