"""A worker that executes code step by step, each run in a process of its own that it keeps, gives up and loses."""

from collections.abc import Callable
from functools import partial
from typing import Any

from app.history.journal import JournalEntry
from domain.attempts import Report
from domain.commands import HandOut, TurnAnswer
from domain.draft import Answer
from domain.events import RunError
from tests.simulation.calling_workers import CallingWorker
from tests.simulation.code import Outcome
from tests.simulation.faults import Fault, Faults
from tests.simulation.hosts import Executed, Witness
from tests.simulation.network import Network, is_worth_repeating
from tests.simulation.processes import Process
from tests.simulation.programs import Program
from tests.simulation.rules import rule
from tests.simulation.shelf import Letter, ReadJournal
from tests.simulation.workers import PATIENCE_MS, Code, Worker
from tests.simulation.world import World

IDLE_MS = 4_000
"""How long a worker keeps a process at most whose code does nothing but wait, if it gives up any."""
Attempt = tuple[str, int]


class DurableWorker(CallingWorker):
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
        self._programs = programs
        self._faults = faults
        self._witness = witness
        self._on_death = on_death
        self._letter = Letter(0)
        self._processes: dict[Attempt, Process] = {}
        self._early: dict[Attempt, dict[int, Outcome]] = {}
        """What was heard of waits while their journal was still being read."""
        self.idle_ms_max = None if world.happens(0.4) else IDLE_MS
        super().__init__(world, network, library, environment, code, capacity)

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

    def report(self, process: Executed, kind: str, **more: Any) -> None:
        """Say what happened."""
        if message := more.pop("message", None):
            more["error"] = RunError(message)
        self._outbox.append(Report(process.run.run, process.run.token, kind, self._world.now().wall, **more))

    def send(self) -> None:
        """Let what was reported go on its way. All of one run goes in its order: not behind what is under way."""
        self._pump()

    def is_struck_down(self, process: Executed) -> bool:
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
        if is_over or self._world.happens(0.03):
            self._outbox.append(Report(run.run, run.token, "released", self._world.now().wall))
            return
        program = self._programs[self._letter.programs[run.run]]
        journal = list(self._letter.journals.get(run.run, ()))
        if self._world.happens(0.3):
            # A process is not there at once.
            self._later(self._world.draw(1, 2_000), lambda: self._start(run, program, journal))
        else:
            self._start(run, program, journal)

    def _start(self, run: HandOut, program: Program, journal: list[JournalEntry]) -> None:
        if (run.run, run.token) in self.held:
            self._outbox.append(Report(run.run, run.token, "started", self._world.now().wall))
            self._read_journal(run, program, journal)
            self._pump()

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
