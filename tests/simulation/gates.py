"""A simulation of the gates alone: versions, verdicts, resolvers, connections, families and debounce, all from a seed.

Batches fail and engines die in between. Whenever the engine comes to rest, no run may wait for what is there.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from msgspec import Raw, Struct

from app.engine.triggered import asked_of
from domain import commands as c
from domain.attempts import RESOLVER_TOKEN, Report
from domain.commands import Accepted, HandOut, TurnAnswer
from domain.draft import Answer, Ticket
from domain.engine import Now
from domain.errors import RunfoldError
from domain.events import Queue, RunError, TaskSettings
from domain.gates import Verdict
from domain.lifecycle import Debounce, NewRun
from tests.domain.gatestories import connect
from tests.domain.stories import ENVIRONMENT, LEASE_MS, OUTAGE, Room
from tests.simulation.gate_checks import FITS, GateChecks
from tests.simulation.rules import rule

SCHEMA = {"const": 1}
RESOLVED = TaskSettings("guarded", auth_resolver=True)
CODES: tuple[tuple[TaskSettings, ...], ...] = (
    (TaskSettings("plain"), TaskSettings("checked", payload_schema=SCHEMA), RESOLVED),
    (TaskSettings("checked"), TaskSettings("guarded"), TaskSettings("connected", connections=("github",))),
    (TaskSettings("late", auth_resolver=True, connections=("mail",)), RESOLVED, TaskSettings("plain", ttl=60_000)),
    (TaskSettings("checked", payload_schema=SCHEMA, connections=("mail",)), TaskSettings("late", queue=Queue("lates"))),
)
TASKS = ("plain", "checked", "guarded", "connected", "late")
LOCKS = tuple(f"20270115.{number}" for number in range(1, 6))
CONNECTIONS = ("github", "mail")
STEPS = 120
TICK_MS = 3_000
ROUNDS = 200


class Hand(Struct):
    """A worker: what it holds, and what it has to say."""

    session: str
    version: str
    sequence: int = 0
    held: dict[tuple[str, int], HandOut] = {}
    reports: list[Report] = []


class GateSimulation:
    """Everything that follows from one seed. Raises Violation when a rule is broken."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.room = Room(TaskSettings("plain"))
        self.checks = GateChecks(self.room)
        self._numbers = 0
        self._runs: list[str] = []
        self._verdicts: list[dict[str, Verdict]] = []
        self._workers: list[Hand] = []
        self._waiting: dict[Ticket, Callable[[Answer], None]] = {}

    def run(self) -> None:
        """Let anything happen, and then everything that is waited for."""
        actions = [self._trigger] * 6 + [self._judge, self._deliver, self._cancel, self._hire, self._lose_worker]
        actions += [self._work] * 4 + [self._deploy, self._connect]
        for _ in range(STEPS):
            for _ in range(self.chance.randint(1, 3)):
                self.chance.choice(actions)()
            self._settle(risk=0.2)
            if self.chance.random() < 0.3:
                self._pass_time()
        self._bring_everything()

    def _bring_everything(self) -> None:
        for code in range(len(CODES)):
            self._deploy(code)
            self._settle()
        for name in CONNECTIONS:
            connect(self.room, name)
        self._workers = []
        for version in self.checks.environment.versions:
            self._hire(version)
        for _ in range(ROUNDS):
            self._pass_time()
            self._settle()
            self._judge(1.0)
            self._deliver()
            for worker in self._workers:
                self._work(worker)
            self._settle()
        self.checks.check_all()
        stuck = {run: status for run, status in self.checks.unfinished() if not self.checks.waits_for_ever(run)}
        rule(not stuck, "what is waited for is there, and these are not over: %s", stuck)

    def _pass_time(self) -> None:
        wall, mono = self.room.now
        self.room.now = Now(wall + TICK_MS, mono + TICK_MS)
        self.checks.time_passed(mono + TICK_MS - LEASE_MS)

    def _settle(self, risk: float = 0.0) -> None:
        """Commit until the engine is at rest; some batches fail, and some engines die."""
        while True:
            self.room.load()
            batch = self.room.engine.take_batch(self.room.now)
            if batch is None:
                self.checks.at_rest()
                return
            fate = self.chance.random()
            if fate < risk / 2:
                self._answer(self.room.engine.failed(OUTAGE, self.room.now))
                self.checks.begun_anew()
                continue
            if fate < 3 * risk / 4:
                self._restart()
                continue
            self.room.log += batch.records
            self.checks.committed(batch.records)
            if fate < risk:
                self._restart()
            else:
                self._answer(self.room.engine.landed())

    def _restart(self) -> None:
        self._waiting.clear()
        self.room.restart()
        self.checks.begun_anew()
        self.checks.check_all()

    def _answer(self, answers: list[tuple[Ticket, Answer]]) -> None:
        for ticket, answer in answers:
            self._waiting.pop(ticket, lambda _answer: None)(answer)

    def _new_id(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}_{self._numbers:05}"

    def _trigger(self) -> None:
        task, payload = self.chance.choice(TASKS), self.chance.choice([FITS, b"0"])
        lock = self.chance.choice(LOCKS) if self.chance.random() < 0.15 else None
        more: dict[str, Any] = {}
        if self._runs and self.chance.random() < 0.4:
            more["parent"] = self.chance.choice(self._runs[-8:])
        if self.chance.random() < 0.2:
            more["delay_until"] = self.room.now.wall + self.chance.randint(1, 9_000)
        if self.chance.random() < 0.3:
            is_trailing = self.chance.random() < 0.5
            more["debounce"] = Debounce(f"key_{task}", 4_000, is_trailing, 9_000)
            more["delay_until"] = self.room.now.wall + 4_000
        if self.chance.random() < 0.7:
            more["verdict"] = self.checks.verdict_of(task, lock, payload)
        run = NewRun(self._new_id("run"), task, payload=Raw(payload), payload_size=1, lock=lock, **more)
        self._waiting[self.room.submit(c.TriggerRuns, runs=[run])] = self._accepted

    def _accepted(self, answer: Answer) -> None:
        accepted: list[Accepted] = [] if isinstance(answer, RunfoldError) else answer
        self._runs += [each.run for each in accepted]

    def _cancel(self) -> None:
        if self._runs:
            self.room.submit(c.CancelRun, run=self.chance.choice(self._runs))

    def _deploy(self, code: int | None = None) -> None:
        code = self.chance.randrange(len(CODES)) if code is None else code
        self.room.submit(c.RegisterVersion, digest=str(code), tasks=CODES[code], day="20270115")

    def _connect(self) -> None:
        # The connection is put behind what is committed, so nothing may wait for a commit.
        self._settle()
        name = self.chance.choice(CONNECTIONS)
        found = self.room.engine.memory.connection(ENVIRONMENT, name)
        connect(self.room, name, ready=found is None or self.chance.random() < 0.6)

    def _judge(self, share: float = 0.5) -> None:
        """Look at payloads; what is found is told later, or never."""
        found: dict[str, Verdict] = {}
        for run, version in self.room.engine.unjudged().items():
            history = self.room.history(run)
            if self.chance.random() < share:
                fits = bytes(asked_of(history).payload) == FITS
                found[run] = Verdict(version, None if fits else RunError("It is not 1."), history[-1].version)
        self._verdicts.append(found)

    def _deliver(self) -> None:
        if self._verdicts:
            at = self.chance.randrange(len(self._verdicts))
            self.room.submit(c.JudgePayloads, verdicts=self._verdicts.pop(at))

    def _hire(self, version: str | None = None) -> None:
        version = version or self.chance.choice(list(self.checks.environment.versions))
        self._workers.append(Hand(self._new_id("worker"), version))

    def _lose_worker(self) -> None:
        if len(self._workers) > 2:
            self._workers.pop(self.chance.randrange(len(self._workers)))

    def _work(self, worker: Hand | None = None) -> None:
        if worker is None:
            if not self._workers:
                return
            worker = self.chance.choice(self._workers)
        worker.sequence += 1
        reports = tuple(worker.reports)
        if self.chance.random() < 0.8:
            worker.reports.clear()  # Else it says the same again.
        for said in reports:
            worker.held.pop((said.run, said.token), None)
        holds = tuple(worker.held)
        self.checks.heard(worker.session, holds, reports, self.room.now.mono)
        turn = {"session": worker.session, "version": worker.version, "sequence": worker.sequence, "reports": reports}
        told = self.room.submit(c.Turn, **turn, received=worker.sequence - 1, want=3, patient=False, holds=holds)
        self._waiting[told] = lambda answer: self._take(worker, answer)

    def _take(self, worker: Hand, answer: Answer) -> None:
        if not isinstance(answer, TurnAnswer):
            return
        for cancel in answer.cancels:
            worker.held.pop((cancel.run, cancel.token), None)
        for hand in answer.runs:
            if hand.is_for_auth:
                self.checks.asked(hand.run, worker.session)
            worker.held[hand.run, hand.token] = hand
            worker.reports.append(self._report(hand))

    def _report(self, hand: HandOut) -> Report:
        if hand.token != RESOLVER_TOKEN:
            return Report(hand.run, hand.token, "succeeded", self.room.now.wall)
        if self.chance.random() < 0.7:
            return Report(hand.run, hand.token, "authorized", self.room.now.wall, sealed="sealed")
        return Report(hand.run, hand.token, "unauthorized", self.room.now.wall)


def simulate(seed: int) -> GateSimulation:
    """Run one seed to its end. What goes wrong is told with the seed."""
    simulation = GateSimulation(seed)
    try:
        simulation.run()
    except Exception as error:
        error.add_note(f"seed {seed} of the gates, behind event {len(simulation.room.log)}")
        raise
    return simulation
