"""A run as any decisions leave it: what the machines that take these in any order have in common."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from domain import attempts, journal, lifecycle
from domain import events as e
from domain import run as runs
from domain.attempts import HANDOUTS_MAX, Late, Report
from domain.environment import Environment
from domain.errors import NotAllowed
from domain.events import AttemptFailed, Entry, Recorded, RunError, RunEvent, TaskSettings
from domain.journal import JOURNAL_REPORTS, Journaled
from domain.lifecycle import WAIT, NewRun, deadline_of
from domain.memory import Memory
from domain.retry import Retry
from domain.run import Run
from domain.slots import slots_of
from domain.status import FINAL, Status
from domain.transitions import TRANSITIONS
from tests.domain.stories import ENVIRONMENT, NOW, TRIGGERED, VERSION, gates, happened, recorded, told

ERROR = RunError("It failed.")
KINDS = ("started", "succeeded", "failed", "crashed", "released", "frozen")
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
Told: TypeAlias = list[RunEvent]
SHIFTS = (0, 0, 0, 0, -1, 1)
"""How far the index of an entry is from the next one."""
JOURNALED = st.builds(
    Journaled,
    runs=st.just(("run_2",)),
    targets=st.sampled_from([(), ("run_2",), ("run_2", "batch_1"), ("run_2", "batch_1", "waitpoint_0")]),
    is_any=st.booleans(),
    until=st.sampled_from([None, 5, 50]),
    waits=st.lists(st.integers(0, 3), max_size=2).map(tuple),
)
"""What code says; the time is from now on, and of three targets the last one is unknown."""


class RunMachine(RuleBasedStateMachine):
    """One run, and the decisions about its attempts and its journal in any order, as the engine takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.history: list[Recorded] = []
        self.run = told(TRIGGERED)
        self.memory = Memory()
        self.memory.replace(ENVIRONMENT, KNOWN)

    @rule(milliseconds=st.integers(1, 30))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @precondition(lambda self: self.run.status is Status.QUEUED)
    @rule()
    def the_run_is_handed_out(self) -> None:
        self.decide(partial(attempts.dequeue, worker="worker_1", version="1"))

    @rule(kind=st.sampled_from(KINDS), back=st.integers(0, 3), policy=st.sampled_from(POLICIES), chance=CHANCES)
    def a_worker_reports_and_the_same_report_again_is_no_news(
        self, kind: str, back: int, policy: TaskSettings | None, chance: float
    ) -> None:
        tokens = [99, *self.tokens()]
        report = Report("run_1", tokens[max(0, len(tokens) - 1 - back)], kind, self.now)
        decide = partial(attempts.report, said=report, worker="worker_1")
        self.decide(decide, policy, chance)

        assert self.decide(decide, policy, chance) == []

    @rule(kind=st.sampled_from(sorted(JOURNAL_REPORTS)), shift=st.sampled_from(SHIFTS), journaled=JOURNALED)
    def the_code_of_the_run_goes_on_and_the_same_report_again_is_no_news(
        self, kind: str, shift: int, journaled: Journaled
    ) -> None:
        before, until = self.run, journaled.until and self.now + journaled.until
        journaled = replace(journaled, entry=Entry(max(0, before.journal + shift), kind), until=until)
        if kind == "blocked" and not shift:
            journaled = replace(journaled, waits=tuple(wait.index for wait in before.waits))
        report = Report("run_1", ([99, *self.tokens()])[-1], kind, self.now, journaled=journaled)
        decide = partial(attempts.report, said=report, worker="worker_1", unknown=journaled.targets[2:])
        self.decide(decide)

        assert self.decide(decide) == []
        assert self.run.journal <= before.journal + (max(0, before.journal + shift) == before.journal)

    @precondition(lambda self: bool(self.run.waits))
    @rule(data=st.data(), over=st.booleans())
    def waits_end_and_end_once(self, data: st.DataObject, *, over: bool) -> None:
        ended = data.draw(st.lists(st.sampled_from(self.run.waits), min_size=1, unique=True))
        completed = [e.WaitCompleted(each.index, each.targets if over else (), is_timed_out=not over) for each in ended]
        assert self.decide(partial(journal.complete, completed=completed))

        assert self.decide(partial(journal.complete, completed=completed)) == []

    @precondition(lambda self: self.run.is_awake)
    @rule()
    def there_is_a_slot_for_a_run_that_is_awake(self) -> None:
        self.record([e.RunResumed()])

    @precondition(lambda self: self.run.token is not None)
    @rule(policy=st.sampled_from(POLICIES), chance=CHANCES)
    def the_worker_is_lost(self, policy: TaskSettings | None, chance: float) -> None:
        self.decide(partial(attempts.lose, why="Gone."), policy, chance)

    @precondition(lambda self: deadline_of(self.run) is not None)
    @rule()
    def the_deadline_of_the_run_passes(self) -> None:
        deadline = deadline_of(self.run)
        assert deadline is not None
        self.now = max(self.now, deadline.at)
        due = [e.WaitCompleted(wait.index) for wait in self.run.waits if wait.until and wait.until <= self.now]
        fire = partial(lifecycle.fire, deadline=deadline)
        assert self.decide(partial(journal.complete, completed=due) if deadline.kind == WAIT else fire)

    @invariant()
    def the_history_tells_the_whole_story(self) -> None:
        assert runs.fold(self.history) == self.run

    @invariant()
    def a_run_has_a_token_exactly_while_an_attempt_is_open(self) -> None:
        is_open = self.run.status in {Status.DEQUEUED, Status.EXECUTING, Status.WAITING}

        assert [self.run.token is not None, self.run.worker is not None] == [is_open, is_open]

    @invariant()
    def it_takes_a_slot_exactly_while_an_attempt_is_open_and_does_not_wait(self) -> None:
        takes = self.run.status in {Status.DEQUEUED, Status.EXECUTING}

        assert self.memory.ready.holders(slots_of(self.run)) == (["run_1"] if takes else [])

    @invariant()
    def each_wait_ends_once_and_what_is_waited_for_is_known_by_its_name(self) -> None:
        events = self.events()
        started = [event.entry.index for event in events if isinstance(event, e.WaitStarted | e.StepTryFailed)]
        ended = [event.wait for event in events if isinstance(event, e.WaitCompleted)]
        still = [wait.index for wait in self.run.waits]

        assert len(ended) == len(set(ended)), "no wait ends twice"
        assert set(ended) <= set(started)
        assert set(still) <= set(started) - set(ended)
        assert set(self.memory.waiters.targets()) == {target for wait in self.run.waits for target in wait.targets}
        assert not (self.run.is_final and self.run.waits)

    @invariant()
    def entries_are_numbered_without_gaps(self) -> None:
        entries = [entry.index for event in self.events() if isinstance(entry := getattr(event, "entry", None), Entry)]

        assert entries == list(range(self.run.journal))

    @invariant()
    def a_run_that_waits_has_something_to_wait_for_or_was_woken(self) -> None:
        status = self.run.status

        assert status is not Status.WAITING or self.run.waits or self.run.woken
        assert status is not Status.FROZEN or (self.run.waits and not self.run.is_awake)

    @invariant()
    def something_is_due_exactly_where_time_moves_the_run(self) -> None:
        waits = self.run.status in {Status.DELAYED, Status.REATTEMPTING}
        waits = waits or any(wait.until is not None for wait in self.run.waits)
        may_expire = self.run.status is Status.QUEUED and self.run.ttl_ms is not None and self.run.attempts == 0

        assert (deadline_of(self.run) is not None) == (waits or may_expire)

    @invariant()
    def tokens_grow_and_attempts_are_numbered_without_gaps(self) -> None:
        tokens = self.tokens()
        numbers = [each.event.number for each in self.history if isinstance(each.event, e.AttemptStarted)]

        assert tokens == sorted(set(tokens))
        assert numbers == list(range(1, self.run.attempts + 1))

    @invariant()
    def nothing_is_tried_more_often_than_allowed(self) -> None:
        assert self.run.failures <= min(self.run.attempts, self.run.max_attempts or 3)
        assert self.run.handouts <= HANDOUTS_MAX

    @invariant()
    def there_is_one_end_and_only_annotations_follow(self) -> None:
        kinds = [type(event) for event in self.events()]
        ends = [n for n, kind in enumerate(kinds) if TRANSITIONS[kind].target in FINAL]

        assert len(ends) == int(self.run.status in FINAL)
        assert set(kinds[ends[0] + 1 :] if ends else ()) <= {e.LateResultRefused, e.TagsAdded}

    def start(self, asked: NewRun, environment: Environment) -> None:
        """Trigger the run."""
        events = lifecycle.trigger(asked, gates(environment, now=self.now), environment)
        self.history = recorded(events, at=self.now)
        self.run = told(*events, at=self.now)
        self.memory.replace(self.run.id, self.run)

    def decide(self, decide: Callable[[Run], Told], policy: TaskSettings | None = None, chance: float = 0.5) -> Told:
        """Let a decision be obeyed or refused; returns what it wrote."""
        before = self.run
        try:
            events = decide(before)
        except Late as late:
            events = late.events
        except NotAllowed:
            return []
        self.record(events)
        for failed in events:
            if isinstance(failed, AttemptFailed):
                self.record(attempts.react_to_failure(self.run, failed, policy, now=self.now, chance=chance))
        assert before.status not in FINAL or self.run.status is before.status, "a final status never changes"
        return events

    def record(self, events: Told) -> None:
        """Let these events happen."""
        self.history += recorded(events, at=self.now, behind=len(self.history))
        self.run = happened(self.run, *events, at=self.now)
        self.memory.replace(self.run.id, self.run)

    def events(self) -> Told:
        """The history so far."""
        return [each.event for each in self.history if isinstance(each.event, RunEvent)]

    def tokens(self) -> list[int]:
        """The fencing tokens of all attempts."""
        return [event.token for event in self.events() if isinstance(event, e.RunDequeued)]
