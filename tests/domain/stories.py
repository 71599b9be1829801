"""Given events, when a command, then events: the words in which the tests of this room are told."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from adapters.calendar import CronCalendar
from domain import commands as c
from domain import run as runs
from domain.attempts import Report
from domain.commands import Command, HandOut, Turn
from domain.draft import Answer, Ticket
from domain.engine import Engine, Now, deaf_after
from domain.environment import Environment
from domain.errors import LedgerUnavailable, RunfoldError
from domain.events import Event, Recorded, RunError, RunEvent, RunTriggered, TaskSettings
from domain.gates import Gates
from domain.lifecycle import NewRun
from domain.run import Run
from domain.states import fold, is_kept

NOW = 1_800_000_000_000
LEASE_MS = 30_000
LOOK_MS = deaf_after(LEASE_MS)
ENVIRONMENT = "env_1"
VERSION = "20270115.1"
WORKER = "worker_1"
TRIGGERED = RunTriggered("send-email", "emails")
SEND_EMAIL = TaskSettings("send-email")
WAITS = "still waits for an answer"
OUTAGE = LedgerUnavailable("The database did not take the batch.")


def recorded(events: Iterable[Event], *, stream: str = "run_1", at: int = NOW, behind: int = 0) -> list[Recorded]:
    """The events as the ledger has them, from the version after `behind` on."""
    return [
        Recorded(behind + n, stream, behind + n, ENVIRONMENT, at, at, "key:1", "request:1", event)
        for n, event in enumerate(events, start=1)
    ]


def told(*events: RunEvent, at: int = NOW) -> Run:
    """The run that this history tells of."""
    run = runs.fold(recorded(events, at=at))
    assert run is not None
    return run


def happened(run: Run, *events: RunEvent, at: int = NOW) -> Run:
    """The run after further events."""
    for each in recorded(events, at=at, behind=run.version):
        run = runs.evolve(run, each)
    return run


NO_TASKS = Environment(ENVIRONMENT, "prod", "PRODUCTION", 1)
ONE_TASK = Environment(
    ENVIRONMENT, "prod", "PRODUCTION", 2, versions={VERSION: {"send-email": SEND_EMAIL}}, promoted=(VERSION,)
)


def gates(environment: Environment = ONE_TASK, *ready: str, now: int = NOW) -> Gates:
    """The gates of an environment in which these connections are ready."""
    return Gates(environment, ready.__contains__, now)


def new(run: str = "run_1", task: str = "send-email", **more: Any) -> NewRun:
    """A run that someone asks for."""
    return NewRun(run, task, payload=Raw(b"{}"), payload_size=2, **more)


def started(run: HandOut | str, token: int = 2) -> Report:
    """The report that an attempt began."""
    return said(run, "started", token)


def succeeded(run: HandOut | str, token: int = 2) -> Report:
    """The report that a task returned."""
    return said(run, "succeeded", token)


def said(run: HandOut | str, kind: str, token: int = 2, **more: Any) -> Report:
    """A report of an attempt."""
    name, token = (run.run, run.token) if isinstance(run, HandOut) else (run, token)
    if kind in {"failed", "crashed"}:
        more = {"error": RunError(f"It {kind}.")} | more
    return Report(name, token, kind, NOW, **more)


class Room:
    """An engine with an environment, its tasks, and a ledger that fails on request. Time passes only when told."""

    def __init__(self, *tasks: TaskSettings, chance: float = 0.5, kind: str = "PRODUCTION") -> None:
        self.now = Now(NOW, 0)
        self.log: list[Recorded] = []
        self._chance = chance
        self._told = 0
        self._hired = 0
        self.engine = self.restart()
        self.ask(c.CreateEnvironment, slug="prod", type=kind)
        self.ask(c.RegisterVersion, digest="one", tasks=tasks or (SEND_EMAIL,), day="20270115")
        self.news()

    def restart(self) -> Engine:
        """Another engine, made from the ledger."""
        streams = {recorded.stream: None for recorded in self.log}
        states = (fold(self.history(stream)) for stream in streams)
        self.engine = Engine(
            [state for state in states if state and is_kept(state)],
            head=len(self.log),
            now=self.now,
            lease_ms=LEASE_MS,
            chance=lambda: self._chance,
            calendar=CronCalendar(),
            recorded_at=self.log[-1].recorded_at if self.log else 0,
        )
        return self.engine

    def history(self, stream: str) -> list[Recorded]:
        """All that is committed of one aggregate."""
        return [recorded for recorded in self.log if recorded.stream == stream]

    def news(self) -> list[tuple[str, Event]]:
        """What was committed since this was last asked."""
        news = [(recorded.stream, recorded.event) for recorded in self.log[self._told :]]
        self._told = len(self.log)
        return news

    def pass_time(self, milliseconds: int) -> dict[Ticket, Answer]:
        """Let both clocks run on, and the engine look around."""
        self.now = Now(self.now.wall + milliseconds, self.now.mono + milliseconds)
        return self.commit()

    def command(self, kind: type[Command], **more: Any) -> Command:
        """A command of this environment, now."""
        origin: dict[str, Any] = {
            "environment": ENVIRONMENT,
            "actor": "key:1",
            "cause": "request:1",
            "at": self.now.wall,
        }
        return kind(**(origin | more))

    def submit(self, kind: type[Command], **more: Any) -> Ticket:
        """Put a command into the inbox."""
        return self.engine.submit(self.command(kind, **more))

    def ask(self, kind: type[Command], **more: Any) -> Any:
        """Submit a command and commit; returns its answer. Raises what refuses it."""
        ticket = self.submit(kind, **more)
        answer = self.commit().get(ticket, WAITS)
        if isinstance(answer, RunfoldError):
            raise answer
        return answer

    def trigger(self, *new_runs: NewRun, **more: Any) -> list[c.Accepted]:
        """Trigger these runs, those of a batch as its own."""
        runs = [replace(each, batch=more.get("batch")) for each in new_runs or (new(),)]
        accepted: list[c.Accepted] = self.ask(c.TriggerRuns, runs=runs, **more)
        return accepted

    def hire(self) -> "Colleague":
        """Another worker."""
        self._hired += 1
        return Colleague(self, f"worker_of_{self._hired}")

    def load(self) -> None:
        """Give the engine what it misses."""
        while missing := self.engine.missing():
            self.engine.provide({stream: fold(self.history(stream)) for stream in missing})

    def commit(self) -> dict[Ticket, Answer]:
        """Load, decide, append, answer."""
        self.load()
        batch = self.engine.take_batch(self.now)
        if batch is None:
            return {}
        self.log += batch.records
        answers = self.engine.landed()
        assert len(dict(answers)) == len(answers), "everybody is answered once"
        return dict(answers)

    def fail(self) -> dict[Ticket, Answer]:
        """Load and decide, but the ledger does not take the batch."""
        self.load()
        batch = self.engine.take_batch(self.now)
        assert batch is not None
        answers = self.engine.failed(OUTAGE, self.now)
        assert len(dict(answers)) == len(answers), "everybody is answered once"
        return dict(answers)

    def events(self, run: str = "run_1") -> Sequence[Event]:
        """The history of one run."""
        return [recorded.event for recorded in self.history(run)]

    def run(self, run: str = "run_1") -> Run:
        """What the history of one run tells."""
        state = fold(self.history(run))
        assert isinstance(state, Run)
        return state


class Colleague:
    """A worker in a room: each turn has the next sequence, and says that every answer so far has arrived."""

    def __init__(self, room: Room, session: str = WORKER) -> None:
        self._room = room
        self._session = session
        self.sequence = 0

    def submit(self, *reports: Report, **more: Any) -> Ticket:
        """Send the next turn."""
        self.sequence = int(more.pop("sequence", self.sequence + 1))
        return self._room.submit(Turn, **self._turn(reports, more))

    def turn(self, *reports: Report, **more: Any) -> Any:
        """Send the next turn, or one of another `sequence`, and commit; WAITS if it is not answered yet."""
        self.sequence = int(more.pop("sequence", self.sequence + 1))
        return self._room.ask(Turn, **self._turn(reports, more))

    def take(self, want: int = 1) -> tuple[HandOut, ...]:
        """Take that many runs."""
        hands: tuple[HandOut, ...] = self.turn(want=want, patient=False).runs
        return hands

    def start(self) -> HandOut:
        """Take one run and start it."""
        (hand,) = self.take()
        self.turn(started(hand))
        return hand

    def _turn(self, reports: tuple[Report, ...], more: dict[str, Any]) -> dict[str, Any]:
        turn = {
            "session": self._session,
            "version": VERSION,
            "sequence": self.sequence,
            "received": self.sequence - 1,
            "reports": reports,
        }
        return turn | more


def live_on(room: Room, milliseconds: int) -> None:
    """Let time pass, with an engine that looks around often enough."""
    for _ in range(milliseconds // LOOK_MS):
        room.pass_time(LOOK_MS)
    room.pass_time(milliseconds % LOOK_MS)
