"""Any decision and any event, in any order, is obeyed or refused; and the history tells the whole story."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Raw

from domain import annotations, attempts, lifecycle
from domain import events as e
from domain import run as runs
from domain.attempts import HANDOUTS_MAX, Late, Report
from domain.environment import Environment
from domain.errors import InvalidInput, NotAllowed
from domain.events import RUN_EVENTS, AttemptFailed, Entry, Recorded, RunError, RunEvent, TaskSettings
from domain.gates import Verdict
from domain.lifecycle import DEBOUNCING, Deadline, Debounce, NewRun, deadline_of
from domain.retry import Retry
from domain.run import Run
from domain.status import FINAL, Status
from domain.transitions import TRANSITIONS
from tests.domain.stories import ENVIRONMENT, NOW, ONE_TASK, TRIGGERED, VERSION, gates, happened, new, recorded, told

ERROR = RunError("It failed.")
KINDS = ("started", "succeeded", "failed", "crashed", "released")
CHANCES = st.floats(0, 1, exclude_max=True)
POLICIES = (
    None,
    TaskSettings("send-email", retry=Retry(3)),
    TaskSettings("send-email", retry=Retry(2), retry_on_crash=True),
)
TASKS = (
    TaskSettings("send-email"),
    TaskSettings("guarded", auth_resolver=True, connections=("mail",), ttl=40),
    TaskSettings("checked", payload_schema={"type": "number"}, connections=("mail",)),
)
KNOWN = Environment(
    ENVIRONMENT, "prod", "PRODUCTION", 2, versions={VERSION: {task.id: task for task in TASKS}}, promoted=(VERSION,)
)
HELD_RUNS = (new(task="guarded"), new(task="guarded", delay_until=NOW + 10), new(task="checked"), new(task="nobody's"))
NEW_RUNS = (new(), new(ttl_ms=50), new(delay_until=NOW + 10), new(ttl_ms=50, delay_until=NOW + 10), new(max_attempts=2))
EVENTS: tuple[RunEvent, ...] = (
    e.RunTriggered("send-email", "emails", ttl_ms=50),
    e.RunHeldForVersion(),
    e.VersionArrived("1", "emails", 50),
    e.RunHeldForAuth(),
    e.AuthResolved("sealed"),
    e.RunHeldForConnections(("mail",)),
    e.RunDelayed(NOW + 10),
    e.RunRescheduled(NOW + 20),
    e.RunDebounced(NOW + 30),
    e.RunEnqueued("released"),
    e.RunDequeued(2, "worker_1", "1"),
    e.AttemptStarted(1, 2, "worker_1", "1"),
    e.AttemptSucceeded(1, 2),
    e.AttemptFailed(1, 2, ERROR),
    e.RetryScheduled(NOW + 10),
    e.RunFailed(ERROR),
    e.RunCanceled(),
    e.RunExpired(50),
    e.RunTimedOut(50),
    e.RunCrashed(ERROR),
    e.RunInterrupted(ERROR),
    e.RunSystemFailed(ERROR),
    e.PayloadRejected(ERROR),
    e.AuthUnresolved(ERROR),
    e.StepSucceeded(Entry(0, "one")),
    e.StepFailed(Entry(0, "one"), ERROR),
    e.ChildrenTriggered(Entry(0, "mail"), ("run_2",)),
    e.WaitStarted(Entry(0, "wait"), ("waitpoint_1",)),
    e.WaitCompleted(0, ("waitpoint_1",)),
    e.RunBlocked(),
    e.RunLogged((e.LogLine(NOW, "info", "Begun."),)),
    e.RunResumed(),
    e.RunFrozen(),
    e.AttemptResumed(1, 2, "worker_1", "1", NOW),
    e.TagsAdded(("a",)),
    e.MetadataUpdated(Raw(b"{}")),
    e.RunReplayed("run_2"),
    e.LateResultRefused(2, "failed", "worker_1"),
)
Told: TypeAlias = list[RunEvent]


class Decisions(RuleBasedStateMachine):
    """The decisions of the domain in any order, as the engine takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.history: list[Recorded] = []
        self.run = told(TRIGGERED)

    @initialize(asked=st.sampled_from(NEW_RUNS + HELD_RUNS), environment=st.sampled_from([ONE_TASK, KNOWN]))
    def trigger(self, asked: NewRun, environment: Environment) -> None:
        events = lifecycle.trigger(asked, gates(environment, now=self.now), environment)
        self.history = recorded(events, at=self.now)
        self.run = told(*events, at=self.now)

    @rule(milliseconds=st.integers(1, 30))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(kind=st.sampled_from(KINDS), back=st.integers(0, 3), policy=st.sampled_from(POLICIES), chance=CHANCES)
    def a_worker_reports_and_the_same_report_again_is_no_news(
        self, kind: str, back: int, policy: TaskSettings | None, chance: float
    ) -> None:
        tokens = [99, *self._tokens()]
        report = Report("run_1", tokens[max(0, len(tokens) - 1 - back)], kind, self.now)
        decide = partial(attempts.report, said=report, worker="worker_1")
        self._decide(decide, policy, chance)

        assert self._decide(decide, policy, chance) == []

    @rule(policy=st.sampled_from(POLICIES), chance=CHANCES)
    def the_worker_is_lost(self, policy: TaskSettings | None, chance: float) -> None:
        self._decide(partial(attempts.lose, why="Gone."), policy, chance)

    @precondition(lambda self: self.run.status is Status.QUEUED)
    @rule()
    def the_run_is_handed_out(self) -> None:
        self._decide(partial(attempts.dequeue, worker="worker_1", version="1"))

    @rule(error=st.sampled_from([None, ERROR]), ready=st.sampled_from([(), ("mail",)]))
    def something_comes_for_which_a_held_run_may_wait(self, error: RunError | None, ready: tuple[str, ...]) -> None:
        known, status = gates(KNOWN, *ready, now=self.now), self.run.status
        verdict = Verdict(VERSION, error, self.run.version)
        self._decide(partial(known.after_version, verdict=verdict))
        if status is Status.PENDING:
            self._decide(known.without_auth)
            self._decide(partial(known.after_auth, sealed="sealed"))
        if status is Status.WAITING_ON_CONNECTIONS:
            self._decide(known.after_connections)

    @precondition(lambda self: self.run.status in DEBOUNCING)
    @rule(is_trailing=st.booleans(), max_delay=st.sampled_from([None, 20]))
    def a_further_trigger_puts_it_off(self, *, is_trailing: bool, max_delay: int | None) -> None:
        due = self.run.due_at or self.run.delay_until or 0
        asked = new("run_2", self.run.task, debounce=Debounce("key_1", 5, is_trailing, max_delay), tags=("b",))
        self._decide(partial(lifecycle.debounce, new=asked, now=self.now))

        assert (self.run.due_at or self.run.delay_until or 0) >= due, "it never comes sooner for that"

    @rule(tags=st.lists(st.sampled_from("abcdefghijklm"), max_size=4))
    def the_run_gets_tags(self, tags: list[str]) -> None:
        try:
            self._decide(partial(annotations.add_tags, tags=tuple(tags)))
        except InvalidInput:
            assert len({*self.run.tags, *tags}) > annotations.TAGS_MAX

    @rule()
    def the_run_is_canceled(self) -> None:
        self._decide(lifecycle.cancel)

    @rule()
    def the_run_is_given_up(self) -> None:
        self._decide(partial(lifecycle.give_up, message="It cannot go on."))

    @rule(wait=st.integers(-5, 20))
    def the_run_is_rescheduled(self, wait: int) -> None:
        self._decide(partial(lifecycle.reschedule, until=self.now + wait, now=self.now))

    @rule(deadline=st.builds(Deadline, st.integers(NOW, NOW + 99), st.sampled_from(["delay", "backoff", "ttl"])))
    def a_deadline_passes_that_may_be_anothers(self, deadline: Deadline) -> None:
        self._decide(partial(lifecycle.fire, deadline=deadline))

    @rule()
    def the_deadline_of_the_run_passes(self) -> None:
        deadline = deadline_of(self.run)
        if deadline:
            self.now = max(self.now, deadline.at)
            assert self._decide(partial(lifecycle.fire, deadline=deadline))

    @rule()
    def the_attempt_takes_too_long(self) -> None:
        self._decide(partial(attempts.time_out, max_duration_ms=5))

    @invariant()
    def the_history_tells_the_whole_story(self) -> None:
        assert runs.fold(self.history) == self.run

    @invariant()
    def a_run_has_a_token_exactly_while_an_attempt_is_open(self) -> None:
        is_open = self.run.status in {Status.DEQUEUED, Status.EXECUTING}

        assert [self.run.token is not None, self.run.worker is not None] == [is_open, is_open]

    @invariant()
    def something_is_due_exactly_where_time_moves_the_run(self) -> None:
        waits = self.run.status in {Status.DELAYED, Status.REATTEMPTING}
        may_expire = self.run.status is Status.QUEUED and self.run.ttl_ms is not None and self.run.attempts == 0

        assert (deadline_of(self.run) is not None) == (waits or may_expire)

    @invariant()
    def tokens_grow_and_attempts_are_numbered_without_gaps(self) -> None:
        tokens = self._tokens()
        numbers = [each.event.number for each in self.history if isinstance(each.event, e.AttemptStarted)]

        assert tokens == sorted(set(tokens))
        assert numbers == list(range(1, self.run.attempts + 1))

    @invariant()
    def nothing_is_tried_more_often_than_allowed(self) -> None:
        assert self.run.failures <= min(self.run.attempts, self.run.max_attempts or 3)
        assert self.run.handouts <= HANDOUTS_MAX

    @invariant()
    def there_is_one_end_and_only_annotations_follow(self) -> None:
        kinds = [type(event) for event in self._events()]
        ends = [n for n, kind in enumerate(kinds) if TRANSITIONS[kind].target in FINAL]

        assert len(ends) == int(self.run.status in FINAL)
        assert set(kinds[ends[0] + 1 :] if ends else ()) <= {e.LateResultRefused, e.TagsAdded}

    def _decide(self, decide: Callable[[Run], Told], policy: TaskSettings | None = None, chance: float = 0.5) -> Told:
        before = self.run
        try:
            events = decide(before)
        except Late as late:
            events = late.events
        except NotAllowed:
            return []
        self._record(events)
        for failed in events:
            if isinstance(failed, AttemptFailed):
                self._record(attempts.react_to_failure(self.run, failed, policy, now=self.now, chance=chance))
        assert before.status not in FINAL or self.run.status is before.status, "a final status never changes"
        return events

    def _record(self, events: Told) -> None:
        self.history += recorded(events, at=self.now, behind=len(self.history))
        self.run = happened(self.run, *events, at=self.now)

    def _events(self) -> Told:
        return [each.event for each in self.history if isinstance(each.event, RunEvent)]

    def _tokens(self) -> list[int]:
        return [event.token for event in self._events() if isinstance(event, e.RunDequeued)]


class AnyEvents(RuleBasedStateMachine):
    """Every event of the table in any order, also those that no command leads to yet."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[Recorded] = []
        self.run: Run | None = None

    @rule(event=st.sampled_from(EVENTS))
    def an_event_follows_the_table_or_is_refused(self, event: RunEvent) -> None:
        status = self.run.status if self.run else None
        sources, target = TRANSITIONS[type(event)]
        (next_one,) = recorded([event], behind=len(self.history))
        try:
            self.run = runs.evolve(self.run, next_one)
        except NotAllowed:
            assert status not in sources
            return
        self.history.append(next_one)
        assert status in sources
        assert self.run.status is (target or status)
        assert status not in FINAL or self.run.status is status, "a final status never changes"

    @invariant()
    def the_history_tells_the_whole_story(self) -> None:
        assert runs.fold(self.history) == self.run


def test_every_event_of_a_run_is_tried() -> None:
    assert {type(event) for event in EVENTS} == set(RUN_EVENTS)


TestDecisions = Decisions.TestCase
TestDecisions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyEvents = AnyEvents.TestCase
TestAnyEvents.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
