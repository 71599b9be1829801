"""The engine's process: the loop around the core, on a ledger that fails and a process that dies."""

from collections.abc import Callable

from app.engine.start import LOOK_BACK, claim, start_engine
from domain.commands import Command, EndTurn, Turn
from domain.draft import Answer, Draft, Ticket
from domain.engine import Engine, deaf_after
from domain.errors import Busy, Deposed, LedgerUnavailable
from domain.events import Recorded
from domain.ports import START, Head
from domain.states import State, fold
from tests.simulation.checks import Checks
from tests.simulation.faults import OF_A_COMMIT, Fault, Faults
from tests.simulation.network import LOST, Reply
from tests.simulation.rules import rule
from tests.simulation.world import ModelLedger, World

NOTHING: tuple[list[State], Head] = [], START
"""The checkpoint before the first event."""
LEASE_MS = 7_000
WAIT_MS = 4_000
LOOK_MS = deaf_after(LEASE_MS) // 2
"""The engine looks around at least this often."""
UNAVAILABLE = LedgerUnavailable("The database did not take the batch.")


class Server:
    """Takes requests, drives one engine after the other, and answers what is committed."""

    def __init__(self, world: World, faults: Faults, ledger: ModelLedger, checks: Checks) -> None:
        self._world = world
        self._faults = faults
        self._ledger = ledger
        self._checks = checks
        self._checkpoint = NOTHING
        self._waiting: dict[Ticket, tuple[Command, Reply, int]] = {}
        self._alarm: int | None = None
        self._deaf_until = 0
        self._committing = False
        self.engine: Engine | None = None
        self.start()

    def start(self) -> None:
        """Begin with the whole log, or with a checkpoint and what came behind it."""
        checkpoint = self._checkpoint if self._world.happens(0.5) else NOTHING
        self._let_go()
        look_back = self._world.draw(1, 50) if self._world.happens(0.5) else LOOK_BACK
        self.engine, self._head = start_engine(
            self._ledger,
            checkpoint,
            self._world,
            lease_ms=LEASE_MS,
            chance=self._world.chance.random,
            look_back=look_back,
        )
        self._committing = False
        self._checks.started(self.engine, self._world.mono)
        self._world.tell("engine: started at %d with the checkpoint at %d", self._head.position, checkpoint[1].position)
        self._wake(0)

    def stop(self) -> None:
        """End in good order; another engine, made from the ledger alone, has the same in memory."""
        rule(self.is_idle, "the engine does not come to rest")
        assert self.engine is not None
        forgotten = [turn for turn, _, since in self._waiting.values() if self._world.mono - since > 2 * WAIT_MS]
        rule(not forgotten, "nobody answers %s", forgotten)
        self._checks.ended(self.engine)
        self.start()

    def crash(self) -> None:
        """The process is gone; another one comes after a while."""
        if self.engine is None:
            return
        self._world.tell("engine: dies")
        self.engine = None
        self._let_go()
        self._world.after(self._world.draw(1, 20_000 if self._world.happens(0.3) else 500), self.start)

    def be_deaf(self, pause: int) -> None:
        """The process stands still, and its sockets take what comes."""
        self._world.tell("engine: deaf for %d ms", pause)
        self._deaf_until = self._world.mono + pause

    def save_checkpoint(self) -> None:
        """Keep the states of this position for a later start."""
        self._checkpoint = self._checks.kept_states(), self._ledger.head()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight, and nobody waits but workers that wait for work."""
        busy = self.engine is None or self._committing
        return not busy and all(isinstance(command, Turn) for command, _, _ in self._waiting.values())

    def receive(self, make: Callable[[], Command], reply: Reply) -> None:
        """Take a request into the engine's inbox."""
        if self.engine is None:
            reply(LOST)
            return
        command = make()
        try:
            ticket = self.engine.submit(command)
        except Busy as busy:
            reply(busy)
            return
        self._waiting[ticket] = command, reply, self._world.mono
        self._checks.submitted(command, self._world.mono)
        if isinstance(command, Turn) and command.patient:
            self._world.after(WAIT_MS, lambda: self._end_turn(command, ticket))
        self._wake(0)

    def _end_turn(self, turn: Turn, ticket: Ticket) -> None:
        waiting = self._waiting.get(ticket)
        if waiting and waiting[0] is turn:
            origin = {"environment": turn.environment, "actor": "engine", "cause": "wait"}
            end = EndTurn(**origin, at=self._world.now().wall, session=turn.session, sequence=turn.sequence)
            self.receive(lambda: end, lambda _answer: None)

    def _wake(self, delay: int) -> None:
        at = max(self._world.mono + delay, self._deaf_until)
        if self._alarm is None or at < self._alarm:
            self._alarm = at
            self._world.after(at - self._world.mono, lambda: self._ring(at))

    def _ring(self, at: int) -> None:
        if self._alarm == at:
            self._alarm = None
            self._look()

    def _look(self) -> None:
        engine = self.engine
        if engine is None or self._committing:
            return
        if self._world.mono < self._deaf_until:
            self._wake(0)
            return
        while missing := engine.missing():
            histories = self._ledger.read_streams(missing)
            engine.provide({stream: fold(histories.get(stream, ())) for stream in missing})
        now = self._world.now()
        batch = engine.take_batch(now)
        self._checks.decided(engine, batch, now)
        if batch is None:
            wait = engine.wait_ms(now)
            self._wake(LOOK_MS if wait is None else min(LOOK_MS, max(1, wait)))
        elif batch.records:
            self._begin_commit(engine, batch)
        else:
            self._answer(engine.landed())
            self._wake(0)

    def _begin_commit(self, engine: Engine, batch: Draft) -> None:
        self._committing = True
        before = self._head
        slow = self._faults.strikes(Fault.COMMIT_SLOW)
        self._world.after(
            self._world.draw(100, 7_000) if slow else self._world.draw(1, 4),
            lambda: self._end_commit(engine, batch, before),
        )

    def _end_commit(self, engine: Engine, batch: Draft, before: Head) -> None:
        if self.engine is not engine:
            self._append_late(batch, before)
            return
        if self._world.mono < self._deaf_until:
            self._world.after(self._deaf_until - self._world.mono, lambda: self._end_commit(engine, batch, before))
            return
        fault = self._faults.one_of(OF_A_COMMIT)
        if fault:
            self._world.tell("engine: %s", fault)
        if fault in {None, Fault.COMMIT_UNSEEN, Fault.CRASH_AFTER}:
            self._head = self._append(batch, before)
        match fault:
            case None:
                self._landed(engine, batch)
            case Fault.COMMIT_REFUSED:
                self._failed(engine)
            case Fault.CRASH_BEFORE | Fault.CRASH_AFTER:
                self.crash()
            case _:
                self._recover(engine, batch, before)
        self._committing = False
        self._wake(0)

    def _append(self, batch: Draft, before: Head) -> Head:
        return self._ledger.append(batch.records, batch.blobs, after=before)

    def _append_late(self, batch: Draft, before: Head) -> None:
        """A transaction that its engine no longer waits for: it lands if nobody has claimed the head since."""
        try:
            self._append(batch, before)
            self._world.tell("engine: the batch of an engine that died has landed all the same")
        except Deposed:
            self._world.tell("engine: a batch comes too late, the head was claimed")

    def _recover(self, engine: Engine, batch: Draft, before: Head) -> None:
        """Whether the batch landed is not known: claim the head, which settles it."""
        try:
            claimed, self._head = claim(self._ledger, before, self._world.now().wall)
        except Deposed:
            self._landed(engine, batch)
        else:
            self._failed(engine, claimed)
            self._append_late(batch, before)
        if self._world.happens(0.5):
            self.start()

    def _landed(self, engine: Engine, batch: Draft) -> None:
        answers = engine.landed()
        self._checks.landed(engine, batch.records)
        self._answer(answers)

    def _failed(self, engine: Engine, claimed: Recorded | None = None) -> None:
        answers = engine.failed(UNAVAILABLE, self._world.now())
        if claimed:
            engine.note(claimed)
        self._checks.failed(engine, self._world.mono)
        self._answer(answers)

    def _answer(self, answers: list[tuple[Ticket, Answer]]) -> None:
        for ticket, answer in answers:
            command, reply, _ = self._waiting.pop(ticket)
            self._checks.answered(command, answer)
            reply(answer)

    def _let_go(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for _, reply, _ in waiting.values():
            reply(LOST)
