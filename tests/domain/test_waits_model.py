"""Waits against a naive model: each ends when enough of what it waits for is over, or its time is, and only once."""

from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from domain import commands as c
from domain import events as e
from domain.commands import Command, HandOut, TurnAnswer
from domain.events import Event
from domain.memory import Memory
from domain.run import Run
from domain.states import fold, is_kept
from domain.status import Status
from tests.domain.stories import ENVIRONMENT, Colleague, Room, new, said, started
from tests.domain.waitstories import blocked, frozen, waits

FAR = 10**15
TARGETS_MAX = 9
NOWHERE = "waitpoint_nowhere"
TIMES = st.sampled_from([None, None, 500, 1_500, 3_000])
FAILS = st.integers(0, 3).map(lambda number: number == 0)
"""Whether the ledger does not take a batch."""


class Waiting(NamedTuple):
    """A wait of the model; `until` is a moment."""

    targets: tuple[str, ...]
    is_any: bool
    until: int | None

    def end(self, index: int, over: dict[str, int], now: int) -> e.WaitCompleted | None:
        """How it ended by now; `over` says since when each target is."""
        is_due = self.until is not None and self.until <= now
        # What comes in the very moment in which the time is up comes too late.
        done = tuple(each for each in self.targets if each in over and (not is_due or over[each] < (self.until or 0)))
        if self.targets and len(done) >= (1 if self.is_any else len(self.targets)):
            return e.WaitCompleted(index, done)
        return e.WaitCompleted(index, done, is_timed_out=bool(self.targets)) if is_due else None


class Waits(RuleBasedStateMachine):
    """An engine with one worker, whose ledger fails now and then, beside a model that knows only what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room()
        self.worker = Colleague(self.room)
        self.hands: dict[str, HandOut] = {}
        self.over: dict[str, int] = {}
        """Since when each target is over."""
        self.members: dict[str, list[str]] = {}
        """The runs of each batch."""
        self.timeouts: dict[str, int] = {}
        self.targets: list[str] = []
        self.open: dict[tuple[str, int], Waiting] = {}
        self.ended: dict[tuple[str, int], e.WaitCompleted] = {}

    @initialize(data=st.data(), number=st.integers(1, 4))
    def begin(self, data: st.DataObject, number: int) -> None:
        for kind, timeout in (("run", None), ("run", None), ("batch", None), ("waitpoint", None), ("waitpoint", 900)):
            self._make(kind, timeout)
        self.room.trigger(new("run_parent_a"), new("run_parent_b"))
        self._take()
        for _ in range(number):
            self._wait(data, data.draw(TIMES), is_any=data.draw(st.booleans()))
        self._check()

    @precondition(lambda self: len(self.targets) < TARGETS_MAX)
    @rule(kind=st.sampled_from(["run", "batch", "waitpoint"]), timeout=TIMES)
    def something_comes_for_which_one_can_wait(self, kind: str, timeout: int | None) -> None:
        self._make(kind, timeout)
        self._check()

    @rule(data=st.data(), fails=FAILS)
    def something_is_over(self, data: st.DataObject, *, fails: bool) -> None:
        name = data.draw(st.sampled_from(self.targets))
        run = data.draw(st.sampled_from(self.members[name])) if name in self.members else name
        is_token = name.startswith("waitpoint")
        asked: dict[str, Any] = {"waitpoint": name} if is_token else {"run": run}
        if self._ask(c.CompleteWaitpoint if is_token else c.CancelRun, fails=fails, **asked):
            self.over.setdefault(run, self._now)
        self._check()

    @precondition(lambda self: not self.hands)
    @rule()
    def a_run_begins(self) -> None:
        self.room.trigger(new(f"run_parent_{len(self.room.log)}"))
        self._take()
        self._check()

    @precondition(lambda self: bool(self.hands))
    @rule(data=st.data(), is_any=st.booleans(), lasts=TIMES, knows=st.integers(0, 9).map(bool), fails=FAILS)
    def its_code_waits(self, data: st.DataObject, *, is_any: bool, lasts: int | None, knows: bool, fails: bool) -> None:
        self._wait(data, lasts, is_any=is_any, knows=knows, fails=fails)
        self._check()

    @precondition(lambda self: bool(self.hands))
    @rule(data=st.data(), fails=FAILS)
    def nothing_goes_on_but_waits(self, data: st.DataObject, *, fails: bool) -> None:
        hand = self._hand(data)
        self._turn(blocked(hand, *(wait.index for wait in self.room.run(hand.run).waits)), fails=fails)
        self._check()

    @precondition(lambda self: bool(self.hands))
    @rule(data=st.data(), fails=FAILS)
    def a_process_is_given_up(self, data: st.DataObject, *, fails: bool) -> None:
        hand = self._hand(data)
        if self._turn(frozen(hand), fails=fails):
            del self.hands[hand.run]
        self._check()

    @rule()
    def the_worker_takes_what_is_ready(self) -> None:
        self._take()
        self._check()

    @precondition(lambda self: bool(self.hands))
    @rule(data=st.data(), fails=FAILS, is_canceled=st.booleans())
    def a_run_ends(self, data: st.DataObject, *, fails: bool, is_canceled: bool) -> None:
        hand = self._hand(data)
        report = said(hand, "succeeded")
        if self._ask(c.CancelRun, fails=fails, run=hand.run) if is_canceled else self._turn(report, fails=fails):
            del self.hands[hand.run]
            self.open = {key: wait for key, wait in self.open.items() if key[0] != hand.run}
        self._check()

    @rule(milliseconds=st.integers(1, 2_000), is_late=st.booleans())
    def time_passes(self, milliseconds: int, *, is_late: bool) -> None:
        if is_late:
            self.room.now = self.room.now._replace(wall=self.room.now.wall + milliseconds)
            self.room.restart()
        self.room.pass_time(milliseconds)
        self._let_time_pass()
        self.worker.turn(patient=False)
        self._check()

    @rule()
    def another_engine_takes_over(self) -> None:
        self.room.restart()
        self.worker.turn(patient=False)
        self._check()

    @property
    def _now(self) -> int:
        return self.room.now.wall

    def _make(self, kind: str, timeout: int | None) -> None:
        name = f"{kind}_{len(self.targets)}"
        self.targets.append(name)
        match kind:
            case "run":
                self.room.trigger(new(name, delay_until=FAR))
            case "batch":
                self.members[name] = runs = [f"run_of_{name}_{number}" for number in range(2)]
                self.room.trigger(*(new(run, delay_until=FAR) for run in runs), batch=name)
            case _:
                at = None if timeout is None else self._now + timeout
                self.room.ask(c.CreateWaitpoint, waitpoint=name, timeout_at=at)
                self.timeouts |= {} if at is None else {name: at}

    def _wait(
        self, data: st.DataObject, lasts: int | None, *, is_any: bool, knows: bool = True, fails: bool = False
    ) -> None:
        hand = self._hand(data)
        targets = tuple(data.draw(st.lists(st.sampled_from(self.targets), max_size=3, unique=True)))
        targets = targets if knows else (*targets, NOWHERE)
        until = self._now + (lasts or 1_000) if lasts or not targets else None
        index = self.room.run(hand.run).journal
        if not self._turn(waits(hand, index, *targets, until=until, is_any=is_any), fails=fails):
            return
        if knows:
            self.open[hand.run, index] = Waiting(targets, is_any, until)
        else:
            self.ended[hand.run, index] = e.WaitCompleted(index, unknown=(NOWHERE,))

    def _hand(self, data: st.DataObject) -> HandOut:
        return self.hands[data.draw(st.sampled_from(sorted(self.hands)))]

    def _take(self) -> None:
        for hand in self.worker.take(want=5):
            self.hands[hand.run] = hand
            self.worker.turn(started(hand))

    def _ask(self, kind: type[Command], *, fails: bool, **asked: Any) -> bool:
        """Whether the ledger took it."""
        self.room.submit(kind, **asked)
        (self.room.fail if fails else self.room.commit)()
        return not fails

    def _turn(self, *reports: Any, fails: bool) -> bool:
        ticket = self.worker.submit(*reports)
        answer = (self.room.fail if fails else self.room.commit)().get(ticket)
        if fails:
            # Its worker sends the turn again; here it thinks better of it.
            return False
        assert isinstance(answer, TurnAnswer)
        assert answer.refused == ()
        return True

    def _let_time_pass(self) -> None:
        for token, at in self.timeouts.items():
            if at <= self._now:
                self.over.setdefault(token, at)

    def _check(self) -> None:
        """The model goes on, and the engine has done the same."""
        for batch, runs in self.members.items():
            if all(run in self.over for run in runs):
                self.over.setdefault(batch, self._now)
        for key, wait in list(self.open.items()):
            if completed := wait.end(key[1], self.over, self._now):
                self.ended[key] = completed
                del self.open[key]

        told = [(each.stream, each.event) for each in self.room.log if isinstance(each.event, e.WaitCompleted)]
        expected = [(run, completed) for (run, _), completed in self.ended.items()]
        assert sorted(told, key=_by_place) == sorted(expected, key=_by_place)
        kept = [state for state in self.room.engine.memory.states.values() if isinstance(state, Run)]
        assert {(run.id, wait.index) for run in kept for wait in run.waits} == self.open.keys()
        assert all(run.waits for run in kept if run.status is Status.FROZEN)
        self._compare_with_the_ledger()

    def _compare_with_the_ledger(self) -> None:
        memory, rebuilt = self.room.engine.memory, Memory()
        for stream in {recorded.stream: None for recorded in self.room.log}:
            state = fold(self.room.history(stream))
            if state is not None and is_kept(state):
                rebuilt.replace(stream, state)
        assert memory.states == rebuilt.states
        assert _read_off(memory) == _read_off(rebuilt)
        assert set(memory.waiters.targets()) == {target for wait in self.open.values() for target in wait.targets}


def _by_place(told: tuple[str, Event]) -> tuple[str, int]:
    run, completed = told
    assert isinstance(completed, e.WaitCompleted)
    return run, completed.wait


def _read_off(memory: Memory) -> Any:
    """What is read off the states, apart from the order in which they came."""
    waiters = {target: sorted(memory.waiters.of(target)) for target in memory.waiters.targets()}
    running = memory.ready.running(ENVIRONMENT), memory.ready.depth(ENVIRONMENT, "task/send-email")
    return waiters, running, memory.worker_runs, memory.members.unfinished


TestWaits = Waits.TestCase
TestWaits.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
