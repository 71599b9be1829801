"""One simulation: clients, workers and an engine in a world of faults, and then the proof that nothing was lost."""

from collections.abc import Callable, Sequence

from domain.events import Queue, RateLimit, Recorded, TaskSettings
from domain.retry import Retry
from tests.simulation.checks import Checks
from tests.simulation.clients import Client
from tests.simulation.faults import OF_A_MACHINE, Fault, Faults
from tests.simulation.network import Network
from tests.simulation.rules import rule
from tests.simulation.server import LEASE_MS, Server
from tests.simulation.workers import Code, Worker
from tests.simulation.world import ModelLedger, World

FAULTS_MS = 30_000
"""How long clients ask and faults strike."""
REST_MS = 300_000
"""How long after that it may take until all is over."""
QUIET_MS = 3 * LEASE_MS
"""How long it may take then until workers know that nothing is theirs any more."""
ENVIRONMENT = "env_1"
NARROW = "narrow"
RATE = RateLimit(2, 2_000)
QUEUES = (NARROW, "hasty", "rated", "task/plain", "task/steady")
REOPEN_MS = 5_000
"""How often everything is opened again when nobody closes anything any more."""


def _tasks(retry: Retry, limit: int) -> tuple[TaskSettings, ...]:
    return (
        TaskSettings("plain", retry=retry),
        TaskSettings("steady", retry=Retry(2, 500, 500, 1.0, randomize=False), retry_on_crash=True),
        TaskSettings("narrow", queue=Queue(NARROW, limit), max_duration=3_000),
        TaskSettings("narrow-too", queue=Queue(NARROW), retry=retry, max_duration=2_000),
        TaskSettings("hasty", queue=Queue("hasty", 2), retry=retry, ttl=4_000),
        TaskSettings("rated", queue=Queue("rated", rate_limit=RATE), retry=retry),
    )


CODES = (
    Code("one", _tasks(Retry(3, 200, 2_000), 1)),
    Code("two", _tasks(Retry(5, 100, 3_000, 3.0), 2)),
)


class Simulation:
    """Everything that follows from one seed. Raises Violation when a rule is broken."""

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.world = World(seed, tell)
        self._faults = Faults(self.world)
        self._workers: list[Worker] = []
        self._checks = Checks(self._held_by, LEASE_MS)
        self.ledger = ModelLedger(self._committed)
        self._server = Server(self.world, self._faults, self.ledger, self._checks)
        self._network = Network(self.world, self._faults, self._server)
        self._codes = CODES[: self.world.draw(1, len(CODES))]
        tasks = tuple(task.id for task in CODES[0].tasks)
        self._clients = [
            Client(self.world, self._network, ENVIRONMENT, tasks, QUEUES) for _ in range(self.world.draw(1, 3))
        ]

    def run(self) -> None:
        """Live through the faults, and past them."""
        self._clients[0].create_environment(self._begin)
        self._run_until(FAULTS_MS)
        self._faults.end()
        for code in self._codes:
            # Runs wait for a worker of their own version, and none may have lived.
            self._hire(code)
        self._reopen()
        self._run_until(FAULTS_MS + REST_MS, lambda: self._is_over)
        rule(self._is_over, "not over: %s", sorted(self._checks.log.unfinished | self._checks.log.batches.open))
        self._run_until(self.world.mono + QUIET_MS)
        held = {worker.session: list(worker.held) for worker in self._workers if worker.held}
        rule(not held, "workers still hold %s", held)
        self._run_until(self.world.mono + QUIET_MS, lambda: self._server.is_idle)
        self._server.stop()

    def _reopen(self) -> None:
        # A request to close something may still be on its way.
        if not self._is_over:
            self._clients[0].open_everything()
            self.world.after(REOPEN_MS, self._reopen)

    def _begin(self) -> None:
        for _ in range(self.world.draw(1, 4)):
            self._hire()
        left = max(0, FAULTS_MS - self.world.mono)
        for client in self._clients:
            for _ in range(self.world.draw(4, 24)):
                client.plan(self.world.draw(0, left))
        self.world.after(1_000, self._suffer)

    @property
    def _is_over(self) -> bool:
        return (
            not self._checks.log.unfinished
            and not self._checks.log.batches.open
            and self._server.is_idle
            and not any(client.waiting for client in self._clients)
        )

    def _committed(self, batch: Sequence[Recorded]) -> None:
        self.world.tell_events(batch)
        self._checks.committed(batch)

    def _run_until(self, mono: int, is_enough: Callable[[], bool] = lambda: False) -> None:
        while self.world.mono < mono and not is_enough():
            self.world.step()

    def _held_by(self, session: str) -> frozenset[tuple[str, int]]:
        return frozenset(attempt for worker in self._workers if worker.session == session for attempt in worker.held)

    def _new_client(self, tasks: tuple[str, ...]) -> Client:
        return Client(self.world, self._network, ENVIRONMENT, tasks, QUEUES)

    def _hire(self, code: Code | None = None) -> None:
        code = code or self._codes[self.world.draw(0, len(self._codes) - 1)]
        self._workers.append(Worker(self.world, self._network, ENVIRONMENT, code, capacity=self.world.draw(1, 4)))

    def _busiest(self) -> Worker:
        """Where trouble does most harm."""
        return max(self._workers, key=lambda worker: len(worker.held))

    def _suffer(self) -> None:
        for fault in OF_A_MACHINE:
            if self._faults.strikes(fault):
                self._befall(fault)
        if self.world.happens(0.2):
            self._server.save_checkpoint()
        if self.world.mono < FAULTS_MS:
            self.world.after(1_000, self._suffer)

    def _befall(self, fault: Fault) -> None:
        is_long = self.world.happens(0.5)
        pause = self.world.draw(LEASE_MS, 2 * LEASE_MS) if is_long else self.world.draw(100, LEASE_MS)
        match fault:
            case Fault.ENGINE_CRASH:
                self._server.crash()
            case Fault.ENGINE_DEAF:
                self._server.be_deaf(pause)
            case Fault.WORKER_PAUSE if self._workers:
                self._busiest().pause(pause)
            case Fault.WORKER_CRASH if self._workers:
                self._busiest().crash()
                self._workers = [worker for worker in self._workers if worker.is_alive]
                self.world.after(self.world.draw(10, 3_000), self._hire)
            case Fault.CLOCK_STEP:
                by = self.world.draw(-20_000, 20_000)
                self.world.tell("wall clock: set by %d ms", by)
                self.world.step_wall_clock(by)
            case _:
                pass


def simulate(seed: int, tell: Callable[[str], None] | None = None) -> Simulation:
    """Run one seed to its end. What goes wrong is told with the seed and the way to see it again."""
    try:
        simulation = Simulation(seed, tell)
        simulation.run()
    except Exception as error:
        error.add_note(f"seed {seed}; to see it step by step: python -m tests.simulation.replay {seed}")
        raise
    return simulation
