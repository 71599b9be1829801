"""A worker that executes code step by step, each run in a process of its own that it keeps, gives up and loses."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Raw, json

from app.journal import JournalEntry
from domain import commands as c
from domain.attempts import Report
from domain.commands import HandOut, TurnAnswer
from domain.draft import Answer
from domain.events import RunError
from domain.lifecycle import NewRun
from tests.simulation.code import Outcome, StepAsk, TriggerAsk
from tests.simulation.faults import Fault, Faults
from tests.simulation.network import Network, is_worth_repeating
from tests.simulation.processes import Process, Witness
from tests.simulation.programs import Program, fold
from tests.simulation.rules import rule
from tests.simulation.shelf import Letter, ReadJournal, ReadResults
from tests.simulation.workers import PATIENCE_MS, Code, Worker
from tests.simulation.world import World

FOR_EVER = 2**53
IDLE_MS = 4_000
Attempt = tuple[str, int]


def task_of(program: str, tasks: Sequence[str]) -> str:
    """The task that executes a program, always the same."""
    return tasks[fold(0, program) % len(tasks)]


class DurableWorker(Worker):
    """One life of one worker process, and of the processes that it has for its runs."""

    def __init__(
        self,
        world: World,
        network: Network,
        library: Network,
        environment: str,
        code: Code,
        capacity: int,
        *,
        programs: dict[str, Program],
        faults: Faults,
        witness: Witness,
        on_death: Callable[[Worker], None],
    ) -> None:
        self._library = library
        self._programs = programs
        self._faults = faults
        self._witness = witness
        self._on_death = on_death
        self._letter = Letter(0)
        self._processes: dict[Attempt, Process] = {}
        self._early: dict[Attempt, dict[int, Outcome]] = {}
        """What was heard of waits while their journal was still being read."""
        self.idle_ms_max = None if world.happens(0.25) else IDLE_MS
        super().__init__(world, network, environment, code, capacity)

    def crash(self) -> None:
        """The worker is gone, with all its processes."""
        super().crash()
        for process in self._processes.values():
            process.die()
        self._processes.clear()

    def has_process(self, run: str, token: int) -> bool:
        """Whether code of that attempt may still go on here."""
        process = self._processes.get((run, token))
        return process is not None and process.is_alive

    @property
    def has_processes(self) -> bool:
        """Whether code goes on here."""
        return any(process.is_alive for process in self._processes.values())

    def later(self, delay: int, action: Callable[[], None]) -> None:
        """Do something later, if the worker lives."""
        self._later(delay, action)

    def report(self, process: Process, kind: str, **more: Any) -> None:
        """Say what happened."""
        if message := more.pop("message", None):
            more["error"] = RunError(message)
        self._outbox.append(Report(process.run.run, process.run.token, kind, self._world.now().wall, **more))

    def send(self) -> None:
        """Let what was reported go on its way. All of one run goes in its order: not behind what is under way."""
        self._pump()

    def make_token(self, process: Process, ask: StepAsk, done: Callable[[str], None]) -> None:
        """Ask for a token, by the key of the step."""
        key = _key_of(process, ask)
        now = self._world.now().wall
        timeout = None if ask.timeout_ms is None else now + ask.timeout_ms
        more = {"timeout_at": timeout, "idempotency_key": key, "key": f"key_token_{key}", "key_until": FOR_EVER}
        self._ask(process, c.CreateWaitpoint, lambda: {"waitpoint": self._world.new_id("waitpoint")}, more, done)

    def trigger(self, process: Process, ask: TriggerAsk, done: Callable[[tuple[str, ...], str | None], None]) -> None:
        """Ask for children, each by a key of its own."""
        batch = self._world.new_id("batch") if ask.is_batch else None
        children = [self._child(process, ask, place, batch) for place in range(len(ask.programs))]
        if batch is None:
            self._trigger_next(process, children, (), lambda runs: done(runs, None))
        else:
            self._trigger(process, children, batch, lambda runs: done(runs, batch))

    def read(self, streams: Sequence[str], done: Callable[[Any], None]) -> None:
        """Ask what became of runs and batches."""
        make = partial(ReadResults, streams=streams, **self._origin("read"))
        self._library.call(make, lambda answer: self._wake(lambda: heard(answer)), patience=PATIENCE_MS)

        def heard(answer: Answer) -> None:
            if is_worth_repeating(answer):
                self._later(self._world.draw(20, 300), lambda: self.read(streams, done))
            else:
                done(answer)

    def is_struck_down(self, process: Process) -> bool:
        """Whether the process, or all of the worker, dies here and now."""
        if not self._faults.strikes(Fault.CODE_DIES):
            return False
        if self._world.happens(0.5):
            self.crash()
            self._on_death(self)
        else:
            self._world.tell("%s: the process of %s dies", self.session, process.run.run)
            process.die()
            self.report(process, "crashed", message="It crashed.")
            self.send()
        return True

    def _ask(
        self,
        process: Process,
        kind: type[c.Command],
        ids: Callable[[], dict[str, Any]],
        more: dict[str, Any],
        done: Callable[[Any], None],
    ) -> None:
        """Ask until there is an answer, as long as the process lives."""
        if not process.is_alive:
            return
        self._world.tell("%s: %s %s", self.session, kind.__name__, more)

        def make() -> c.Command:
            return kind(**self._origin("code"), **ids(), **more)

        def heard(answer: Answer) -> None:
            if is_worth_repeating(answer):
                self._later(self._world.draw(20, 300), lambda: self._ask(process, kind, ids, more, done))
            else:
                rule(not isinstance(answer, Exception), "%s is refused: %s", more, answer)
                done(answer.waitpoint if isinstance(answer, c.CreatedWaitpoint) else answer)

        self._network.call(make, lambda answer: self._wake(lambda: heard(answer)), patience=PATIENCE_MS)

    def _child(self, process: Process, ask: TriggerAsk, place: int, batch: str | None) -> dict[str, Any]:
        program = ask.programs[place]
        key = f"{_key_of(process, ask)}_{place}"
        return {
            "task": task_of(program, [task.id for task in self._code.tasks]),
            "payload": Raw(json.encode(program)),
            "payload_size": 20,
            "parent": process.run.run,
            "batch": batch,
            "key": f"key_child_{key}",
            "key_until": FOR_EVER,
            "idempotency_key": key,
            "keeps_failed": True,
        }

    def _trigger_next(
        self,
        process: Process,
        children: list[dict[str, Any]],
        runs: tuple[str, ...],
        done: Callable[[tuple[str, ...]], None],
    ) -> None:
        """One after the other."""
        if not children:
            done(runs)
            return
        first, *others = children
        self._trigger(process, [first], None, lambda more: self._trigger_next(process, others, (*runs, *more), done))

    def _trigger(
        self,
        process: Process,
        children: list[dict[str, Any]],
        batch: str | None,
        done: Callable[[tuple[str, ...]], None],
    ) -> None:
        def ids() -> dict[str, Any]:
            return {"runs": [NewRun(id=self._world.new_id("run"), **child) for child in children]}

        def accepted(answer: list[c.Accepted]) -> None:
            done(tuple(each.run for each in answer))

        more = {"batch": batch, "request": self._world.new_id("key_request"), "request_until": FOR_EVER}
        self._ask(process, c.TriggerRuns, ids, more, accepted)

    def _origin(self, cause: str) -> dict[str, Any]:
        return {
            "environment": self._environment,
            "actor": self.session,
            "cause": cause,
            "at": self._world.now().wall,
        }

    def _take_reports(self) -> tuple[Report, ...]:
        under_way = {said.run for reports in self._under_way.values() for said in reports}
        reports = tuple(said for said in self._outbox if said.run not in under_way)
        self._outbox = [said for said in self._outbox if said.run in under_way]
        return reports

    def _wanted(self) -> int:
        idle = sum(process.is_idle for attempt, process in self._processes.items() if attempt in self.held)
        return max(0, self._capacity - len(self.held) + idle)

    def _open_waits(self) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
        open_waits = ((*attempt, process.open_waits) for attempt, process in self._processes.items())
        return tuple((run, token, waits) for run, token, waits in open_waits if waits)

    def _take(self, sequence: int, answer: TurnAnswer) -> None:
        self._letter = answer if isinstance(answer, Letter) else Letter(sequence)
        super()._take(sequence, answer)
        for attempt, process in list(self._processes.items()):
            if attempt not in self.held:
                process.die()
                del self._processes[attempt]
        self._early = {attempt: heard for attempt, heard in self._early.items() if attempt in self.held}

    def _committed(self, said: Report) -> None:
        process = self._processes.get((said.run, said.token))
        if process and said.journaled and said.journaled.entry:
            process.commit(said.journaled.entry)

    def _hear_woken(self, answer: TurnAnswer) -> None:
        for each in answer.woken:
            completed = each.completed
            outcome = Outcome(completed.done, completed.is_timed_out, completed.unknown)
            if process := self._processes.get((each.run, each.token)):
                process.wake(completed.wait, outcome)
            elif (each.run, each.token) in self.held:
                self._early.setdefault((each.run, each.token), {})[completed.wait] = outcome

    def _begin(self, run: HandOut) -> None:
        if not self.is_alive:
            return
        is_over = self._wanted() <= 0
        self.held[run.run, run.token] = run
        at = self._world.now().wall
        if is_over or self._world.happens(0.03):
            self._outbox.append(Report(run.run, run.token, "released", at))
            return
        self._outbox.append(Report(run.run, run.token, "started", at))
        program = self._programs[self._letter.programs[run.run]]
        self._read_journal(run, program, list(self._letter.journals.get(run.run, ())))

    def _read_journal(self, run: HandOut, program: Program, journal: list[JournalEntry]) -> None:
        """Read the journal page by page, and then execute the code."""
        del journal[run.journal :]
        rule([each.index for each in journal] == list(range(len(journal))), "%s: entries are %s", run.run, journal)
        if (run.run, run.token) not in self.held:
            return
        if len(journal) == run.journal:
            process = self._processes[run.run, run.token] = Process(run, journal, self, self._witness, self._world)
            for wait, outcome in self._early.pop((run.run, run.token), {}).items():
                process.hear_early(wait, outcome)
            process.begin(program)
            return

        def heard(answer: Answer) -> None:
            if is_worth_repeating(answer):
                self._later(self._world.draw(20, 300), lambda: self._read_journal(run, program, journal))
                return
            rule(bool(answer), "%s has %d entries, and there are none behind %d", run.run, run.journal, len(journal))
            self._read_journal(run, program, journal + answer)

        make = partial(ReadJournal, run=run.run, after=len(journal) - 1, **self._origin("journal"))
        self._library.call(make, lambda answer: self._wake(lambda: heard(answer)), patience=PATIENCE_MS)


def _key_of(process: Process, ask: StepAsk | TriggerAsk) -> str:
    """The same whichever process does it."""
    return f"{process.run.run}_{ask.name}_{ask.number}"
