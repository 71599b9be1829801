"""A worker as docs/reference/worker-protocol.md describes it, with code that succeeds, fails, hangs and dies."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Raw, Struct

from domain.attempts import Report
from domain.commands import HandOut, Registered, RegisterVersion, Turn, TurnAnswer
from domain.draft import Answer
from domain.errors import UnknownVersion
from domain.events import RunError, TaskSettings
from tests.simulation.network import Network, is_worth_repeating
from tests.simulation.world import World

PATIENCE_MS = 6_000
"""After so long without an answer a call counts as failed; the engine holds a turn for less."""
SLOWNESS_MS = (5, 50, 3_000, 15_000)
"""How long tasks take at most."""
FINAL = {"succeeded", "failed", "crashed", "released", "frozen"}


class Code(Struct, frozen=True):
    """One version of the tasks."""

    digest: str
    tasks: tuple[TaskSettings, ...]


class Worker:
    """One life of one worker process."""

    def __init__(self, world: World, network: Network, environment: str, code: Code, capacity: int) -> None:
        self.session = world.new_id("worker")
        self.held: dict[tuple[str, int], HandOut] = {}
        """The runs it has and whose final report is not acknowledged."""
        self.is_alive = True
        self._world = world
        self._network = network
        self._environment = environment
        self._code = code
        self._capacity = capacity
        self._version = ""
        self._sequence = 0
        self._received = 0
        self._answered: set[int] = set()
        self._under_way: dict[int, tuple[Report, ...]] = {}
        self._outbox: list[Report] = []
        self._paused_until = 0
        self._register(self._pump)

    def crash(self) -> None:
        """The process is gone, and its runs with it."""
        self._world.tell("%s: dies with %s", self.session, list(self.held))
        self.is_alive = False
        self.held.clear()

    def pause(self, pause: int) -> None:
        """The process stands still: nothing is sent, heard or finished."""
        self._world.tell("%s: pauses for %d ms", self.session, pause)
        self._paused_until = self._world.mono + pause

    def _later(self, delay: int, action: Callable[[], None]) -> None:
        self._world.after(delay, lambda: self._wake(action))

    def _wake(self, action: Callable[[], None]) -> None:
        if self.is_alive and self._world.mono < self._paused_until:
            self._later(self._paused_until - self._world.mono, action)
        elif self.is_alive:
            action()

    def _register(self, then: Callable[[], None]) -> None:
        def make() -> RegisterVersion:
            wall = self._world.now().wall
            origin: dict[str, Any] = {"environment": self._environment, "actor": self.session, "cause": "register"}
            return RegisterVersion(**origin, at=wall, digest=self._code.digest, tasks=self._code.tasks, day="20270115")

        def done(answer: Answer) -> None:
            if is_worth_repeating(answer):
                self._later(self._world.draw(50, 500), lambda: self._register(then))
                return
            assert isinstance(answer, Registered), answer
            self._version = answer.version
            then()

        self._network.call(make, lambda answer: self._wake(lambda: done(answer)), patience=PATIENCE_MS)

    def _pump(self) -> None:
        """Keep one turn waiting for work, and send what there is to report beside it."""
        while self.is_alive and len(self._under_way) < 2:
            reports = self._take_reports()
            if not reports and self._under_way:
                return
            is_idle = not reports and not self._under_way
            self._sequence += 1
            self._under_way[self._sequence] = reports
            self._send(self._sequence, holds=is_idle)

    def _take_reports(self) -> tuple[Report, ...]:
        """What can be said now."""
        reports, self._outbox = tuple(self._outbox), []
        return reports

    def _wanted(self) -> int:
        """How many runs it could take."""
        return max(0, self._capacity - len(self.held))

    def _open_waits(self) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
        """For what the code of its runs waits."""
        return ()

    def _send(self, sequence: int, *, holds: bool) -> None:
        wall = self._world.now().wall
        turn = Turn(
            environment=self._environment,
            actor=self.session,
            cause=f"turn:{sequence}",
            at=wall,
            session=self.session,
            version=self._version,
            sequence=sequence,
            received=self._received,
            want=self._wanted(),
            holds=tuple(self.held) if holds else None,
            waits=self._open_waits() if holds else (),
            reports=self._under_way[sequence],
        )
        self._world.tell("%s: turn %d %s holds %s", self.session, sequence, _brief(turn.reports), turn.holds)
        self._network.call(
            lambda: turn, lambda answer: self._wake(lambda: self._hear(sequence, answer)), patience=PATIENCE_MS
        )

    def _hear(self, sequence: int, answer: Answer) -> None:
        if isinstance(answer, UnknownVersion):
            self._register(lambda: self._send(sequence, holds=True))
        elif is_worth_repeating(answer):
            self._later(self._world.draw(20, 300), lambda: self._send(sequence, holds=True))
        else:
            assert isinstance(answer, TurnAnswer), answer
            self._take(sequence, answer)
            self._pump()

    def _take(self, sequence: int, answer: TurnAnswer) -> None:
        self._world.tell("%s: %s", self.session, answer)
        refused = {(said.run, said.token) for said in answer.refused}
        for said in self._under_way.pop(sequence):
            if said.kind in FINAL or (said.run, said.token) in refused:
                self.held.pop((said.run, said.token), None)
            else:
                self._committed(said)
        self._forget(refused | {(cancel.run, cancel.token) for cancel in answer.cancels})
        self._answered.add(sequence)
        while self._received + 1 in self._answered:
            self._received += 1
            self._answered.remove(self._received)
        for run in answer.runs:
            self._begin(run)
        self._hear_woken(answer)

    def _committed(self, said: Report) -> None:
        """Something was said that leaves the attempt open, and it is committed."""

    def _hear_woken(self, answer: TurnAnswer) -> None:
        """Some waits are over."""

    def _forget(self, attempts: Iterable[tuple[str, int]]) -> None:
        for attempt in attempts:
            self.held.pop(attempt, None)
            self._outbox = [said for said in self._outbox if (said.run, said.token) != attempt]

    def _begin(self, run: HandOut) -> None:
        is_over = len(self.held) >= self._capacity
        self.held[run.run, run.token] = run
        if is_over or self._world.happens(0.04):
            self._report(run, "released")
            return
        self._report(run, "started")
        if run.max_duration_ms is not None and self._world.happens(0.2):
            return  # It hangs until its max duration is over.
        took = self._world.draw(0, SLOWNESS_MS[self._world.draw(0, len(SLOWNESS_MS) - 1)])
        chance = self._world.chance.random()
        kind = "succeeded" if chance < 0.7 else "failed" if chance < 0.9 else "crashed" if chance < 0.95 else "released"
        self._later(took, lambda: self._finish(run, kind))

    def _finish(self, run: HandOut, kind: str) -> None:
        if (run.run, run.token) in self.held:
            self._report(run, kind)
            self._pump()

    def _report(self, run: HandOut, kind: str) -> None:
        error = RunError(f"It {kind}.") if kind in {"failed", "crashed"} else None
        output = Raw(b'"done"') if kind == "succeeded" else Raw()
        retryable = kind != "failed" or not self._world.happens(0.1)
        at = self._world.now().wall
        self._outbox.append(Report(run.run, run.token, kind, at, output=output, error=error, retryable=retryable))


def _brief(reports: Iterable[Report]) -> str:
    return ", ".join(f"{said.kind} {said.run}/{said.token}" for said in reports)
