"""Tasks with gates before their queue, and the rooms in which their runs wait."""

from typing import Any

from domain import commands as c
from domain import events as e
from domain.commands import HandOut
from domain.connection import stream_of
from domain.events import Recorded, RunError, TaskSettings
from domain.gates import Verdict
from domain.states import evolve
from domain.status import Status
from tests.domain.stories import ENVIRONMENT, LEASE_MS, VERSION, Colleague, Room, said

CHECKED = TaskSettings("checked", payload_schema={"type": "object"})
GUARDED = TaskSettings("guarded", auth_resolver=True)
CONNECTED = TaskSettings("connected", connections=("github",))
NOT_AN_OBJECT = RunError("$: it is no object", "InvalidPayload")
SECOND = "20270115.2"


def deploy(room: Room, *tasks: TaskSettings, digest: str = "two") -> str:
    """Register these tasks as a further version."""
    room.ask(c.RegisterVersion, digest=digest, tasks=tasks, day="20270115")
    environment = room.engine.memory.environment(ENVIRONMENT)
    assert environment is not None
    return environment.digests[digest]


def judged(room: Room, error: RunError | None = None, version: str | None = None, seen: int | None = None) -> None:
    """Say of every payload that waits for it what the schema says."""
    waiting = dict(room.engine.unjudged())
    verdicts = {
        run: Verdict(version or each, error, seen if seen is not None else room.run(run).version)
        for run, each in waiting.items()
    }
    room.ask(c.JudgePayloads, verdicts=verdicts)


def let_lease_pass(room: Room) -> None:
    """Let the lease of every worker pass, while the engine looks around as it does."""
    for _ in range(LEASE_MS // 3_000):
        room.pass_time(3_000)


def connect(room: Room, name: str = "github", *, ready: bool = True) -> None:
    """Let a connection become ready, or be removed."""
    stream = stream_of(ENVIRONMENT, name)
    event = e.ConnectionSaved(name, "sealed", "key") if ready else e.ConnectionRemoved(name)
    version = len(room.history(stream)) + 1
    position = len(room.log) + 1
    now = room.now.wall
    recorded = Recorded(position, stream, version, ENVIRONMENT, now, now, "key:1", "request:1", event)
    room.log.append(recorded)
    room.engine.memory.replace(stream, evolve(room.engine.memory.states.get(stream), recorded))
    room.engine.head = position
    room.commit()


def status_of(room: Room, run: str = "run_1") -> Status:
    """Where a run stands."""
    return room.run(run).status


def authorized(hand: HandOut) -> Any:
    """What a worker says when the resolver found someone."""
    return said(hand, "authorized", sealed="sealed")


def worker_of(room: Room, version: str, session: str) -> "VersionWorker":
    """A worker of this version."""
    return VersionWorker(room, session, version)


class VersionWorker(Colleague):
    """A worker of a version of its own."""

    def __init__(self, room: Room, session: str, version: str = VERSION) -> None:
        super().__init__(room, session)
        self._version = version

    def submit(self, *reports: Any, **more: Any) -> Any:
        """Send the next turn, of its version."""
        return super().submit(*reports, **({"version": self._version} | more))

    def turn(self, *reports: Any, **more: Any) -> Any:
        """Send the next turn, of its version, and commit."""
        return super().turn(*reports, **({"version": self._version} | more))
