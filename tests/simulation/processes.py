"""The process in which a worker executes the code of one attempt, by the journal of its run."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Raw, Struct, json

from app.history.journal import JournalEntry
from domain.commands import HandOut
from domain.events import Entry
from domain.journal import Journaled
from tests.simulation.code import (
    Ask,
    AttemptFails,
    Code,
    Fork,
    Outcome,
    ReadAsk,
    Script,
    StepAsk,
    StepFails,
    TriggerAsk,
    WaitAsk,
)
from tests.simulation.hosts import Host, Witness
from tests.simulation.programs import Program
from tests.simulation.rules import rule
from tests.simulation.world import World

SLOWNESS_MS = (5, 50, 2_000)
"""How long the bodies of steps take at most."""


class Branch(Struct):
    """A branch of the code, and the entry that it made last (None: it begins, or began behind its parent's)."""

    code: Code
    then: Callable[[int], None]
    after: int | None
    is_forked: bool = True


class Process:
    """Executes code. It is told what is committed and which waits are over, and that it is to die."""

    def __init__(
        self, run: HandOut, journal: Sequence[JournalEntry], host: Host, witness: Witness, world: World
    ) -> None:
        self.run = run
        self.is_alive = True
        self._host = host
        self._witness = witness
        self._world = world
        # Of several with one name and number, the later one is that of the later attempt.
        self._known = {(each.name, each.number): each for each in journal if each.kind != "tried"}
        self._tries: dict[tuple[str, int], list[JournalEntry]] = {}
        """The tries that failed in this attempt, when the journal was handed out."""
        for each in journal:
            if each.kind == "tried" and each.attempt == run.attempt:
                self._tries.setdefault((each.name, each.number), []).append(each)
        self._size = len(journal)
        self._waits: dict[int, Callable[[Outcome], None]] = {}
        """What goes on when they are over."""
        self._early: dict[int, Outcome] = {}
        self._commits: dict[int, Callable[[], None]] = {}
        self._busy = 0
        self._moves = 0
        self._blocked_on: tuple[int, ...] = ()
        rule(self._size == run.journal, "%s has %d entries, and %d came", run.run, run.journal, self._size)

    @property
    def open_waits(self) -> tuple[int, ...]:
        """The waits of which the code has not heard the end."""
        return tuple(self._waits) if self.is_alive else ()

    @property
    def is_idle(self) -> bool:
        """Whether nothing goes on in it."""
        return not self.is_alive or bool(self._blocked_on)

    def begin(self, program: Program) -> None:
        """Execute the code, from its beginning or from where its journal ends."""
        self._go_on(Branch(Script(self.run.attempt).begin(program), self._succeed, None), None)

    def commit(self, entry: Entry) -> None:
        """The entry is in the journal."""
        if self.is_alive and entry.index in self._commits:
            self._commits.pop(entry.index)()

    def hear_early(self, wait: int, outcome: Outcome) -> None:
        """A wait is over, which the journal did not say yet."""
        self._early[wait] = outcome

    def wake(self, wait: int, outcome: Outcome) -> None:
        """A wait is over. Safe to repeat."""
        go_on = self._waits.pop(wait, None) if self.is_alive else None
        if go_on is not None:
            self._witness.code_goes_on(self.run, wait, outcome)
            go_on(outcome)

    def die(self) -> None:
        """Nothing of it goes on."""
        self.is_alive = False

    def _go_on(self, branch: Branch, value: Any) -> None:
        self._move(branch, partial(branch.code.send, value))

    def _move(self, branch: Branch, advance: Callable[[], Ask]) -> None:
        if not self.is_alive:
            return
        self._moves += 1
        try:
            ask = advance()
        except StopIteration as end:
            branch.then(end.value)
        except AttemptFails as failure:
            self._end("failed", message=str(failure), retryable=failure.is_retryable)
        else:
            self._take_up(branch, ask)
        self._moves -= 1
        if not self._moves:
            # Only then is it known what the other branches do.
            self._look()
            self._host.send()

    def _take_up(self, branch: Branch, ask: Ask) -> None:
        match ask:
            case Fork(branches=branches):
                self._fork(branch, branches)
            case StepAsk():
                self._step(branch, ask)
            case TriggerAsk():
                self._trigger(branch, ask)
            case WaitAsk():
                self._wait(branch, ask)
            case ReadAsk(streams=streams):
                self._busy += 1
                self._host.read(streams, partial(self._finish, branch))

    def _fork(self, branch: Branch, branches: tuple[Code, ...]) -> None:
        results: dict[int, int] = {}

        def join(place: int, result: int) -> None:
            results[place] = result
            if len(results) == len(branches):
                self._go_on(branch, tuple(results[place] for place in range(len(branches))))

        for place, code in enumerate(branches):
            self._go_on(Branch(code, partial(join, place), branch.after), None)

    def _step(self, branch: Branch, ask: StepAsk) -> None:
        known = self._find(branch, ask, "step")
        if known is not None and known.kind == "failed":
            self._move(branch, partial(branch.code.throw, StepFails()))
        elif known is not None:
            self._go_on(branch, json.decode(known.result))
        else:
            tries = self._tries.get((ask.name, ask.number), [])
            if tries and tries[-1].completed is None:
                self._wait_for(tries[-1].index, partial(self._try_again, branch, ask, len(tries)))
            else:
                self._try(branch, ask, len(tries))

    def _try(self, branch: Branch, ask: StepAsk, failed: int) -> None:
        if not self._begin_body(ask):
            return
        if ask.makes_token:
            self._host.make_token(self, ask, partial(self._end_body, branch, ask))
        else:
            slowness = SLOWNESS_MS[self._world.draw(0, len(SLOWNESS_MS) - 1)]
            end = partial(self._end_body, branch, ask, ask.value)
            self._host.later(
                self._world.draw(0, slowness),
                partial(self._fail_try, branch, ask, failed + 1) if failed < ask.tries else end,
            )

    def _fail_try(self, branch: Branch, ask: StepAsk, failed: int) -> None:
        if not self.is_alive or self._host.is_struck_down(self):
            return
        index, until = self._size, self._world.now().wall + ask.pause_ms
        self._size += 1
        journaled = Journaled(Entry(index, ask.name, ask.number, branch.after, branch.is_forked), until=until)
        self._host.report(self, "step_tried", message=ask.name, journaled=journaled)
        self._busy -= 1
        self._wait_for(index, partial(self._try_again, branch, ask, failed))
        self._look()
        self._host.send()
        self._host.is_struck_down(self)

    def _try_again(self, branch: Branch, ask: StepAsk, failed: int, _over: Outcome) -> None:
        self._try(branch, ask, failed)
        self._look()
        self._host.send()

    def _begin_body(self, ask: StepAsk | TriggerAsk) -> bool:
        self._busy += 1
        if self._host.is_struck_down(self):
            return False
        self._witness.body_begins(self.run, ask)
        return True

    def _end_body(self, branch: Branch, ask: StepAsk, result: object) -> None:
        if not self.is_alive or self._host.is_struck_down(self):
            return
        if ask.fails:
            fail = partial(self._move, branch, partial(branch.code.throw, StepFails()))
            self._record(branch, ask, "step_failed", fail, message=ask.name)
        else:
            done = partial(self._go_on, branch, result)
            self._record(branch, ask, "step_succeeded", done, output=Raw(json.encode(result)))

    def _trigger(self, branch: Branch, ask: TriggerAsk) -> None:
        known = self._find(branch, ask, "triggered")
        if known is not None:
            self._go_on(branch, (known.batch,) if known.batch else known.runs)
        elif self._begin_body(ask):
            self._host.trigger(self, ask, partial(self._end_trigger, branch, ask))

    def _end_trigger(self, branch: Branch, ask: TriggerAsk, runs: tuple[str, ...], batch: str | None) -> None:
        if self.is_alive and not self._host.is_struck_down(self):
            done = partial(self._go_on, branch, (batch,) if batch else runs)
            self._record(branch, ask, "triggered", done, journaled={"runs": runs, "batch": batch})

    def _wait(self, branch: Branch, ask: WaitAsk) -> None:
        known = self._find(branch, ask, "waiting")
        if known is None:
            index = self._size
            until = None if ask.timeout_ms is None else self._world.now().wall + ask.timeout_ms
            facts = {"targets": ask.targets, "is_any": ask.is_any, "until": until}
            self._report_entry(branch, ask, "waiting", journaled=facts)
        else:
            index, completed = known.index, known.completed
            if completed is not None:
                self._early[index] = Outcome(completed.done, completed.timed_out, completed.unknown)
        self._wait_for(index, partial(self._go_on, branch))

    def _wait_for(self, index: int, go_on: Callable[[Outcome], None]) -> None:
        self._waits[index] = go_on
        if index in self._early:
            self.wake(index, self._early[index])

    def _record(
        self, branch: Branch, ask: StepAsk | TriggerAsk, kind: str, then: Callable[[], None], **more: Any
    ) -> None:
        """Put it into the journal; once that is committed the code goes on."""

        def committed() -> None:
            self._busy -= 1
            then()

        self._commits[self._size] = committed
        self._report_entry(branch, ask, kind, **more)
        self._host.send()
        self._host.is_struck_down(self)

    def _report_entry(self, branch: Branch, ask: StepAsk | TriggerAsk | WaitAsk, kind: str, **more: Any) -> None:
        index, self._size = self._size, self._size + 1
        entry = Entry(index, ask.name, ask.number, branch.after, branch.is_forked)
        branch.after, branch.is_forked = index, False
        journaled = Journaled(entry, **more.pop("journaled", {}))
        self._host.report(self, kind, journaled=journaled, **more)

    def _finish(self, branch: Branch, result: object) -> None:
        self._busy -= 1
        self._go_on(branch, result)

    def _find(self, branch: Branch, ask: StepAsk | TriggerAsk | WaitAsk, kind: str) -> JournalEntry | None:
        """What the journal has of it. A later attempt tries again what failed, and waits anew."""
        known = self._known.get((ask.name, ask.number))
        if known is None:
            return None
        was = "step" if known.kind in {"succeeded", "failed"} else known.kind
        rule(was == kind, "%s: %s is in the journal as %s", self.run.run, ask, known)
        if known.attempt == self.run.attempt:
            place = branch.after, branch.is_forked
            rule((known.after, known.forked) == place, "%s: %s comes after %s, not %s", self.run.run, ask, place, known)
        elif known.kind not in {"succeeded", "triggered"} and known.completed is None:
            return None
        branch.after, branch.is_forked = known.index, False
        return known

    def _look(self) -> None:
        """Say so when nothing goes on but waits; after a while of that the process is given up."""
        waits = () if self._busy else self.open_waits
        if waits and waits != self._blocked_on:
            self._host.report(self, "blocked", journaled=Journaled(waits=waits))
            if self._host.idle_ms_max is not None:
                self._host.later(self._world.draw(1, self._host.idle_ms_max), partial(self._freeze, waits))
        self._blocked_on = waits

    def _freeze(self, waits: tuple[int, ...]) -> None:
        if self.is_alive and self._blocked_on == waits:
            self._end("frozen")
            self._host.send()

    def _succeed(self, result: int) -> None:
        self._end("succeeded", output=Raw(json.encode(result)))

    def _end(self, kind: str, **more: Any) -> None:
        self.die()
        self._host.report(self, kind, **more)
