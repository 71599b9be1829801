"""What must be true of the journal of a run and of its waits, told without the engine's own state machine."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from domain import events as e
from domain.events import Recorded, RunEvent
from tests.simulation.rules import rule

Journaled: TypeAlias = e.StepSucceeded | e.StepFailed | e.StepTryFailed | e.ChildrenTriggered | e.WaitStarted
IsOver: TypeAlias = Callable[[str], bool | None]
"""Whether a run, a batch or a token is over by now; None if there is no such thing."""


class Made(Struct):
    """An entry, the attempt that made it, and how it ended if it is a wait."""

    event: Journaled
    attempt: int
    completed: e.WaitCompleted | None = None


class JournalFacts:
    """What the log tells of the journal of one run, and what may come next."""

    def __init__(self, run: str, is_over: IsOver) -> None:
        self.entries: list[Made] = []
        self.waits: dict[int, e.WaitStarted] = {}
        """Those that are not over, and that no failure cleared."""
        self.woken: list[int] = []
        """Those that are over since it last said that nothing goes on."""
        self._run = run
        self._is_over = is_over
        self._by_name: dict[tuple[str, int], Made] = {}
        self._tries: dict[tuple[str, int, int], list[Made]] = {}
        self._children: dict[str, str] = {}

    def of(self, name: str, number: int) -> Made | None:
        """The entry with this name and number, the later one if there are two."""
        return self._by_name.get((name, number))

    def tries_of(self, name: str, number: int, attempt: int) -> list[Made]:
        """The tries of a step that failed in an attempt and were followed by another, or will be."""
        return self._tries.get((name, number, attempt), [])

    def is_done(self, name: str, number: int) -> bool:
        """Whether such a step has succeeded, or such children were triggered."""
        made = self.of(name, number)
        return made is not None and isinstance(made.event, e.StepSucceeded | e.ChildrenTriggered)

    def follow(self, recorded: Recorded, event: RunEvent, attempt: int) -> None:
        """Check the next event, if it is about the journal."""
        match event:
            case e.StepTryFailed():
                self._enter_try(event, attempt)
            case e.StepSucceeded() | e.StepFailed() | e.ChildrenTriggered() | e.WaitStarted():
                self._enter(event, attempt)
            case e.WaitCompleted():
                self._end_wait(recorded, event)
            case e.AttemptFailed():
                self.waits, self.woken = {}, []
            case e.RunBlocked():
                rule(bool(self.waits), "%s: is blocked, and waits for nothing", self._run)
                self.woken = []
            case e.RunResumed() | e.RunEnqueued(reason="resumed"):
                rule(bool(self.woken), "%s: goes on, and no wait is over: %s", self._run, self.waits)
            case _:
                pass

    def add_child(self, key: str, child: str) -> None:
        """The run triggered a child, whose key is that of its place in the journal."""
        first = self._children.setdefault(key, child)
        rule(first == child, "%s: %s is triggered by %s, and %s was before", self._run, child, key, first)

    def check_commit(self) -> None:
        """After a commit: nobody goes on waiting for what is over."""
        for index, wait in self.waits.items():
            over = [target for target in wait.targets if self._is_over(target)]
            rule(not _suffices(wait, over), "%s: wait %d is for %s, and %s is over", self._run, index, wait, over)

    def check_time(self, now: int) -> None:
        """The engine found nothing to do: no time is over."""
        for index, wait in self.waits.items():
            is_due = wait.until is not None and wait.until <= now
            rule(not is_due, "%s: wait %d is until %s, which has passed", self._run, index, wait.until)

    def _enter(self, event: Journaled, attempt: int) -> None:
        entry, made = event.entry, Made(event, attempt)
        rule(entry.index == len(self.entries), "%s: %s is entry %d", self._run, event, len(self.entries))
        before = self._by_name.get((entry.name, entry.number))
        if before is not None:
            is_anew = before.attempt < attempt and not self.is_done(entry.name, entry.number)
            rule(is_anew and before.completed is None, "%s: %s is there already as %s", self._run, event, before)
            rule(type(before.event) is type(event) or _is_step(before), "%s: %s was %s", self._run, event, before)
        self._check_tries(event, attempt)
        self.entries.append(made)
        self._by_name[entry.name, entry.number] = made
        if isinstance(event, e.WaitStarted):
            self.waits[entry.index] = event
        elif isinstance(event, e.ChildrenTriggered):
            others = [run for run in event.runs if run not in self._children.values()]
            rule(not others, "%s: %s are said to be its children", self._run, others)

    def _enter_try(self, event: e.StepTryFailed, attempt: int) -> None:
        entry, made = event.entry, Made(event, attempt)
        rule(entry.index == len(self.entries), "%s: %s is entry %d", self._run, event, len(self.entries))
        before = self.of(entry.name, entry.number)
        rule(before is None or before.attempt < attempt, "%s: %s is tried behind its end", self._run, event)
        rule(not self.is_done(entry.name, entry.number), "%s: %s is tried, and is done", self._run, event)
        self._check_tries(event, attempt)
        self.entries.append(made)
        self._tries.setdefault((entry.name, entry.number, attempt), []).append(made)
        self.waits[entry.index] = e.WaitStarted(entry, until=event.until)

    def _check_tries(self, event: Journaled, attempt: int) -> None:
        early = [made for made in self.tries_of(event.entry.name, event.entry.number, attempt) if not made.completed]
        rule(not early, "%s: %s before the pause of its last try is over: %s", self._run, event, early)

    def _end_wait(self, recorded: Recorded, event: e.WaitCompleted) -> None:
        wait = self.waits.pop(event.wait, None)
        rule(wait is not None, "%s: wait %d ends, and it is not open", self._run, event.wait)
        assert wait is not None
        self.entries[event.wait].completed = event
        self.woken.append(event.wait)
        missing = tuple(target for target in wait.targets if self._is_over(target) is None)
        rule(missing == event.unknown, "%s: %s, and %s are not there", self._run, event, missing)
        if missing:
            return
        over = tuple(target for target in wait.targets if self._is_over(target))
        rule(set(event.done) <= set(over), "%s: %s, and of these only %s are over", self._run, event, over)
        suffices = _suffices(wait, list(event.done))
        is_time = wait.until is not None and wait.until <= recorded.recorded_at
        rule(suffices or is_time, "%s: %s, and neither that nor its time is enough for %s", self._run, event, wait)
        is_late = bool(wait.targets) and not suffices
        rule(event.is_timed_out == is_late, "%s: %s of %s, and it is late: %s", self._run, event, wait, is_late)


def _suffices(wait: e.WaitStarted, over: list[str]) -> bool:
    """Whether the wait is over as soon as these are."""
    return bool(wait.targets) and len(over) >= (1 if wait.is_any else len(wait.targets))


def _is_step(made: Made) -> bool:
    return isinstance(made.event, e.StepSucceeded | e.StepFailed)
