"""Any decision and any event, in any order, is obeyed or refused; and the history tells the whole story."""

from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Raw

from domain import annotations, attempts, lifecycle
from domain import events as e
from domain import run as runs
from domain.attempts import Report
from domain.environment import Environment
from domain.errors import InvalidInput, NotAllowed
from domain.events import RUN_EVENTS, Entry, Recorded, RunError, RunEvent
from domain.gates import Verdict
from domain.journal import Journaled
from domain.lifecycle import DEBOUNCING, Deadline, Debounce, NewRun
from domain.run import Run
from domain.status import FINAL, Status
from domain.transitions import TRANSITIONS
from tests.domain.run_machine import ERROR, KNOWN, RunMachine
from tests.domain.stories import NOW, ONE_TASK, VERSION, gates, new, recorded

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
    e.StepTryFailed(Entry(0, "one"), ERROR, NOW + 10),
    e.ChildrenTriggered(Entry(0, "mail"), ("run_2",)),
    e.WaitStarted(Entry(0, "wait"), ("waitpoint_1",)),
    e.WaitCompleted(0, ("waitpoint_1",)),
    e.RunBlocked(),
    e.RunLogged((e.LogLine(NOW, "info", "Begun."),)),
    e.RunResumed(),
    e.RunFrozen(),
    e.AttemptResumed(1, 2, "worker_1", "1", NOW),
    e.RunLogged((e.LogLine(NOW, "info", "hello"),)),
    e.TagsAdded(("a",)),
    e.MetadataUpdated(Raw(b"{}")),
    e.RunReplayed("run_2"),
    e.LateResultRefused(2, "failed", "worker_1"),
    e.RunErased("erasure_1"),
    e.RunArchived("erasure_1", "segment"),
)


class Decisions(RunMachine):
    """The decisions of the domain in any order, most of which end a run soon."""

    @initialize(asked=st.sampled_from(NEW_RUNS + HELD_RUNS), environment=st.sampled_from([ONE_TASK, KNOWN]))
    def trigger(self, asked: NewRun, environment: Environment) -> None:
        self.start(asked, environment)

    @rule(error=st.sampled_from([None, ERROR]), ready=st.sampled_from([(), ("mail",)]))
    def something_comes_for_which_a_held_run_may_wait(self, error: RunError | None, ready: tuple[str, ...]) -> None:
        known, status = gates(KNOWN, *ready, now=self.now), self.run.status
        verdict = Verdict(VERSION, error, self.run.version)
        self.decide(partial(known.after_version, verdict=verdict))
        if status is Status.PENDING:
            self.decide(known.without_auth)
            self.decide(partial(known.after_auth, sealed="sealed"))
        if status is Status.WAITING_ON_CONNECTIONS:
            self.decide(known.after_connections)

    @precondition(lambda self: self.run.status in DEBOUNCING)
    @rule(is_trailing=st.booleans(), max_delay=st.sampled_from([None, 20]))
    def a_further_trigger_puts_it_off(self, *, is_trailing: bool, max_delay: int | None) -> None:
        due = self.run.due_at or self.run.delay_until or 0
        asked = new("run_2", self.run.task, debounce=Debounce("key_1", 5, is_trailing, max_delay), tags=("b",))
        self.decide(partial(lifecycle.debounce, new=asked, now=self.now))

        assert (self.run.due_at or self.run.delay_until or 0) >= due, "it never comes sooner for that"

    @rule(tags=st.lists(st.sampled_from("abcdefghijklm"), max_size=4))
    def the_run_gets_tags(self, tags: list[str]) -> None:
        try:
            self.decide(partial(annotations.add_tags, tags=tuple(tags)))
        except InvalidInput:
            assert len({*self.run.tags, *tags}) > annotations.TAGS_MAX

    @rule()
    def the_run_is_canceled(self) -> None:
        self.decide(lifecycle.cancel)

    @rule()
    def the_worker_of_a_development_is_lost(self) -> None:
        self.decide(partial(attempts.lose, why="Gone.", is_development=True))

    @rule()
    def the_run_is_given_up(self) -> None:
        self.decide(partial(lifecycle.give_up, message="It cannot go on."))

    @rule(wait=st.integers(-5, 20))
    def the_run_is_rescheduled(self, wait: int) -> None:
        self.decide(partial(lifecycle.reschedule, until=self.now + wait, now=self.now))

    @rule(deadline=st.builds(Deadline, st.integers(NOW, NOW + 99), st.sampled_from(["delay", "backoff", "ttl"])))
    def a_deadline_passes_that_may_be_anothers(self, deadline: Deadline) -> None:
        self.decide(partial(lifecycle.fire, deadline=deadline))

    @rule()
    def the_attempt_takes_too_long(self) -> None:
        self.decide(partial(attempts.time_out, max_duration_ms=5))


class Journals(RunMachine):
    """Runs that are begun, whose code takes steps and waits, and that are ended by nothing but their worker."""

    @initialize(max_attempts=st.sampled_from([2, 250, 250]))
    def begin(self, max_attempts: int) -> None:
        self.start(new(max_attempts=max_attempts), ONE_TASK)
        self.record(attempts.dequeue(self.run, "worker_1", "1"))

    @precondition(lambda self: self.run.status is Status.QUEUED)
    @rule()
    def it_is_handed_out_again(self) -> None:
        self.decide(partial(attempts.dequeue, worker="worker_1", version="1"))

    @precondition(lambda self: self.run.status is Status.DEQUEUED)
    @rule()
    def it_starts(self) -> None:
        report = Report("run_1", self.tokens()[-1], "started", self.now)

        assert self.decide(partial(attempts.report, said=report, worker="worker_1"))

    @precondition(lambda self: self.run.status is Status.EXECUTING)
    @rule(until=st.sampled_from([None, 20]), others=st.sampled_from([("run_2",), ("run_2", "batch_1")]))
    def its_code_waits(self, until: int | None, others: tuple[str, ...]) -> None:
        said = Journaled(Entry(self.run.journal, "wait"), targets=others, until=until and self.now + until)
        report = Report("run_1", self.tokens()[-1], "waiting", self.now, journaled=said)

        assert self.decide(partial(attempts.report, said=report, worker="worker_1"))

    @precondition(lambda self: self.run.status is Status.EXECUTING and self.run.waits)
    @rule()
    def nothing_goes_on_but_waits(self) -> None:
        said = Journaled(waits=tuple(wait.index for wait in self.run.waits))
        report = Report("run_1", self.tokens()[-1], "blocked", self.now, journaled=said)

        assert self.decide(partial(attempts.report, said=report, worker="worker_1")) == [e.RunBlocked()]


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
TestDecisions.settings = settings(max_examples=35, stateful_step_count=40, deadline=None)
TestAnyEvents = AnyEvents.TestCase
TestAnyEvents.settings = settings(max_examples=35, stateful_step_count=40, deadline=None)
TestJournals = Journals.TestCase
TestJournals.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
