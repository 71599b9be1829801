"""What must be true of one run's events, told without the engine's own state machine."""

from msgspec.structs import replace

from domain import events as e
from domain.environment import Environment
from domain.events import Recorded, RunEvent
from domain.retry import ONCE, Retry
from tests.simulation.journal_facts import IsOver, JournalFacts
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
REPORTS = {"succeeded", "failed", "crashed", "released", "frozen"}
HOLDS: dict[type[RunEvent], str] = {
    e.RunHeldForVersion: "version",
    e.RunHeldForAuth: "auth",
    e.RunHeldForConnections: "connections",
}
"""What a run that is held waits for."""
BY_WORKER = (
    *(e.StepSucceeded, e.StepFailed, e.StepTryFailed, e.ChildrenTriggered, e.WaitStarted),
    *(e.RunBlocked, e.AttemptResumed),
)
"""What only the worker of the open attempt can say."""
CODES = {e.WORKER_LOST: "lost", e.PROCESS_DIED: "crashed", e.OUT_OF_MEMORY: "crashed"}
"""What a failure with this code is called."""


class RunFacts:
    """What the log tells of one run, and what may come next."""

    def __init__(self, run: str, triggered: e.RunTriggered, is_over: IsOver) -> None:
        self.run = run
        self.journal = JournalFacts(run, is_over)
        self.triggered = triggered
        self.attempt: e.RunDequeued | None = None
        """The open attempt."""
        self.ended: RunEvent | None = None
        self.handed: dict[int, str] = {}
        """Which worker each token was given to."""
        self.reported: set[tuple[int, str]] = set()
        """The reports that counted, by token and kind."""
        self.closed: dict[int, str] = {}
        """What closed each attempt."""
        self.number = 0
        """How many attempts have started."""
        self.is_blocked = False
        """Whether nothing goes on in it but waits."""
        self._is_suspended = False
        """Whether the attempt is to go on, though it is not open."""
        self._is_frozen = False
        self._held_for: str | None = None
        """The gate that holds it."""
        self._started = False
        self._token = 0
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

    @property
    def takes_slot(self) -> bool:
        """Whether its attempt is open and does not wait."""
        return self.attempt is not None and not self.is_blocked

    @property
    def goes_on(self) -> bool:
        """Whether what the open attempt does is no start, but goes on where it was."""
        return self._is_suspended or self._started

    def follow(self, recorded: Recorded, event: RunEvent, environment: Environment) -> None:
        """Check the next event."""
        rule(not self.ended or isinstance(event, ANNOTATIONS), "%s: %s follows %s", self.run, event, self.ended)
        self._follow_journal(recorded, event)
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
                rule(not self.number and not self.attempt, "%s: expired after its start", self.run)
            case e.LateResultRefused():
                self._follow_refusal(event)
            case _:
                self._follow_wait(recorded, event)
                self._follow_gate(event)
        if type(event) in ENDS:
            self.ended = event
            self._close(ENDS[type(event)])

    def _follow_journal(self, recorded: Recorded, event: RunEvent) -> None:
        self.journal.follow(recorded, event, self.number)
        if isinstance(event, BY_WORKER):
            by = f"worker:{self.attempt.worker}" if self.attempt else None
            rule(recorded.actor == by, "%s: %s by %s, but %s is open", self.run, event, recorded.actor, self.attempt)

    def _follow_report(
        self, recorded: Recorded, event: e.AttemptStarted | e.AttemptSucceeded | e.AttemptFailed
    ) -> None:
        attempt = self.attempt
        assert attempt is None or attempt.token == self._token
        rule(attempt is not None and event.token == self._token, "%s: %s, but %s is open", self.run, event, attempt)
        by = {"timer", f"worker:{attempt.worker}"} if attempt else set[str]()
        rule(recorded.actor in by, "%s: %s by %s, but %s is open", self.run, event, recorded.actor, attempt)
        is_start = isinstance(event, e.AttemptStarted)
        rule(not (is_start and self._is_suspended), "%s: %s, but the last one is to go on", self.run, event)
        rule(self._started != is_start, "%s: %s out of turn", self.run, event)
        self._started = True
        self.number += is_start
        if is_start:
            self.reported.add((event.token, "started"))
        rule(event.number == self.number, "%s: %s is attempt %d", self.run, event, self.number)
        if isinstance(event, e.AttemptFailed):
            self._failures += 1
            self._failed = event
            self._close(CODES.get(event.error.code or "", "failed"))
            self._is_suspended = False

    def _follow_wait(self, recorded: Recorded, event: RunEvent) -> None:
        if not isinstance(event, e.RunBlocked | e.RunResumed | e.RunFrozen | e.AttemptResumed):
            return
        attempt, is_resumed = self.attempt, isinstance(event, e.AttemptResumed)
        rule(attempt is not None, "%s: %s, but no attempt is open", self.run, event)
        rule(self._started != is_resumed, "%s: %s out of turn", self.run, event)
        match event:
            case e.AttemptResumed():
                is_same = self._is_suspended and event.number == self.number and event.token == self._token
                rule(is_same, "%s: %s, but attempt %d is not to go on", self.run, event, self.number)
                self._started, self._is_suspended = True, False
                self.reported.add((event.token, "started"))
            case e.RunFrozen():
                assert attempt is not None
                by = {"timer", f"worker:{attempt.worker}"}
                rule(recorded.actor in by, "%s: %s by %s, but %s is open", self.run, event, recorded.actor, attempt)
                self._close("frozen")
                self._is_frozen = True
            case _:
                blocks = isinstance(event, e.RunBlocked)
                rule(self.is_blocked != blocks, "%s: %s, and it is blocked: %s", self.run, event, self.is_blocked)
                self.is_blocked = blocks

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
        if event.reason == "resumed":
            rule(self._is_frozen, "%s: %s, and it is not frozen", self.run, event)
            self._is_frozen = False
            return
        rule(self.attempt is not None, "%s: %s without an open attempt", self.run, event)
        goes_on = event.reason == "released" or bool(self.journal.entries)
        rule(goes_on or not self._started, "%s: lost after its start without a failure", self.run)
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
            self.closed[self.attempt.token] = closed_by
            if closed_by in REPORTS:
                self._closed_by_report.add(self.attempt.token)
            self._is_suspended = self._is_suspended or (self._started and bool(self.journal.entries))
            self.attempt, self.is_blocked = None, False
