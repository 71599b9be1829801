"""A simulation of durable execution: runs of many steps and waits, in a world that takes everything away from them.

Workers and engines die, messages and commits are lost or late, runs are canceled, queues are closed; in the end each
run has come to what its code comes to without all that.
"""

from collections.abc import Callable, Sequence

from domain.events import Queue, Recorded, RunFrozen, TaskSettings
from domain.retry import Retry
from tests.simulation.checks import Checks
from tests.simulation.durable_checks import DurableChecks
from tests.simulation.durable_clients import DurableClient
from tests.simulation.durable_workers import DurableWorker
from tests.simulation.faults import MOST_OF_CODE, OF_A_MACHINE, Fault, Faults
from tests.simulation.network import Network
from tests.simulation.programs import Author
from tests.simulation.rules import rule
from tests.simulation.server import LEASE_MS, Server
from tests.simulation.shelf import Front, Shelf
from tests.simulation.simulation import ENVIRONMENT, QUIET_MS, REOPEN_MS, REST_MS
from tests.simulation.workers import Code, Worker
from tests.simulation.world import ModelLedger, World

FAULTS_MS = 20_000
"""How long clients ask and faults strike."""
QUEUES = ("narrow", "task/plain", "task/steady")


def _tasks(retry: Retry) -> tuple[TaskSettings, ...]:
    return (
        TaskSettings("plain", retry=retry),
        TaskSettings("steady", retry=retry, retry_on_crash=True),
        TaskSettings("narrow", queue=Queue("narrow", 1), retry=retry, retry_on_crash=True),
        TaskSettings("narrow-too", queue=Queue("narrow"), retry=retry),
    )


CODES = (
    Code("one", _tasks(Retry(6, 100, 1_000))),
    Code("two", _tasks(Retry(9, 50, 500))),
)


class DurableSimulation:
    """Everything that follows from one seed. Raises Violation when a rule is broken."""

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.world = World(seed, tell)
        self._faults = Faults(self.world, MOST_OF_CODE)
        self._workers: list[DurableWorker] = []
        self._checks = Checks(self._held_by, LEASE_MS)
        self._log = self._checks.log
        self.ledger = ModelLedger(self._committed)
        self._server = Server(self.world, self._faults, self.ledger, self._checks)
        self._author = Author(self.world)
        self._durable = DurableChecks(self._log, self._author.programs)
        shelf = Shelf(self._server, self.ledger, self._durable.results_of)
        self._network = Network(self.world, self._faults, Front(self._server, shelf))
        self._library = Network(self.world, self._faults, shelf)
        self._codes = CODES[: self.world.draw(1, len(CODES))]
        self._clients = [self._new_client() for _ in range(self.world.draw(1, 2))]

    def run(self) -> None:
        """Live through the faults, and past them."""
        self._clients[0].create_environment(self._begin)
        self._run_until(FAULTS_MS)
        self._faults.end()
        for code in self._codes:
            self._hire(code)
        self._let_go_on()
        self._run_until(FAULTS_MS + REST_MS, lambda: self._is_over)
        rule(self._is_over, "not over: %s", self._unfinished())
        self._run_until(self.world.mono + QUIET_MS, lambda: not any(worker.held for worker in self._workers))
        held = {worker.session: list(worker.held) for worker in self._workers if worker.held}
        rule(not held, "workers still hold %s", held)
        alive = [worker.session for worker in self._workers if worker.has_processes]
        rule(not alive, "all is over, and code goes on in %s", alive)
        self._run_until(self.world.mono + QUIET_MS, lambda: self._server.is_idle)
        self._check_memory()
        self._server.stop()
        self._durable.ended()

    def _begin(self) -> None:
        for _ in range(self.world.draw(1, 3)):
            self._hire()
        left = max(0, FAULTS_MS - self.world.mono)
        for client in self._clients:
            client.begin()
            for _ in range(self.world.draw(2, 5)):
                client.plan(self.world.draw(0, left))
        self.world.after(1_000, self._suffer)

    def _let_go_on(self) -> None:
        """Open what is closed, and complete what is waited for, until all is over."""
        if not self._is_over:
            self._clients[0].open_everything()
            self._clients[0].complete_everything()
            self.world.after(REOPEN_MS, self._let_go_on)

    @property
    def _is_over(self) -> bool:
        # Asked at every step: what is most often false comes first.
        return (
            not self._log.unfinished
            and not self._log.batches.open
            and not self._open_tokens()
            and self._server.is_idle
            and not any(client.waiting for client in self._clients)
        )

    def _unfinished(self) -> list[str]:
        runs = [f"{run} ({self._log.states[run]})" for run in sorted(self._log.unfinished)]
        return [*runs, *sorted(self._log.batches.open), *self._open_tokens()]

    def _check_memory(self) -> None:
        """Nothing is left of what is over."""
        assert self._server.engine is not None
        memory = self._server.engine.memory
        kinds = [kind for environment in memory.environments() for kind in memory.ready.kinds(environment.id)]
        left = [*kinds, *memory.worker_runs, *memory.children, *memory.waiters.touched()]
        rule(not left, "all is over, and there is left %s", left)

    def _open_tokens(self) -> list[str]:
        return [token for token, is_over in self._log.tokens.items() if not is_over]

    def _live_runs(self) -> list[str]:
        return sorted(self._log.unfinished)

    def _committed(self, batch: Sequence[Recorded]) -> None:
        self.world.tell_events(batch)
        self._checks.committed(batch)
        for recorded in batch:
            if isinstance(recorded.event, RunFrozen):
                self._check_frozen(recorded)

    def _check_frozen(self, frozen: Recorded) -> None:
        """A frozen run has no process, but where its worker was lost and does not know it yet."""
        run, token = frozen.stream, max(self._log.runs[frozen.stream].closed)
        if frozen.cause != "lease" and self._checks.leases.saw_handing(run, token):
            alive = [worker.session for worker in self._workers if worker.has_process(run, token)]
            rule(not alive, "%s is frozen, and goes on in %s", run, alive)

    def _run_until(self, mono: int, is_enough: Callable[[], bool] = lambda: False) -> None:
        while self.world.mono < mono and not is_enough():
            self.world.step()

    def _held_by(self, session: str) -> frozenset[tuple[str, int]]:
        return frozenset(attempt for worker in self._workers if worker.session == session for attempt in worker.held)

    def _new_client(self) -> DurableClient:
        tasks = tuple(task.id for task in CODES[0].tasks)
        return DurableClient(
            self.world,
            self._network,
            ENVIRONMENT,
            tasks,
            QUEUES,
            author=self._author,
            open_tokens=self._open_tokens,
            live_runs=self._live_runs,
        )

    def _hire(self, code: Code | None = None) -> None:
        worker = DurableWorker(
            self.world,
            self._network,
            self._library,
            ENVIRONMENT,
            code or self._codes[self.world.draw(0, len(self._codes) - 1)],
            self.world.draw(1, 4),
            programs=self._author.programs,
            faults=self._faults,
            witness=self._durable,
            on_death=self._replace,
        )
        self._workers.append(worker)

    def _replace(self, dead: Worker) -> None:
        self._workers = [worker for worker in self._workers if worker is not dead]
        self.world.after(self.world.draw(10, 3_000), self._hire)

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
                busiest = self._busiest()
                busiest.crash()
                self._replace(busiest)
            case Fault.CLOCK_STEP:
                by = self.world.draw(-20_000, 20_000)
                self.world.tell("wall clock: set by %d ms", by)
                self.world.step_wall_clock(by)
            case _:
                pass

    def _busiest(self) -> DurableWorker:
        """Where trouble does most harm."""
        return max(self._workers, key=lambda worker: len(worker.held))


def simulate(seed: int, tell: Callable[[str], None] | None = None) -> DurableSimulation:
    """Run one seed to its end. What goes wrong is told with the seed and the way to see it again."""
    try:
        simulation = DurableSimulation(seed, tell)
        simulation.run()
    except Exception as error:
        error.add_note(f"seed {seed}; to see it step by step: python -m tests.simulation.replay --durable {seed}")
        raise
    return simulation
