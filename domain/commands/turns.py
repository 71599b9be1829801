"""A worker's turn: what it reports and asks for, and what it is answered."""

from msgspec import Raw, Struct, field

from domain.attempts import Report
from domain.commands.base import Command
from domain.events import NOTHING, WaitCompleted


class Turn(Command, frozen=True, kw_only=True):
    """One turn of a worker (docs/reference/worker-protocol.md). Answer: TurnAnswer."""

    session: str
    version: str
    sequence: int
    received: int = 0
    want: int = 0
    patient: bool = True
    """Whether the answer may wait until there is something to say."""
    holds: tuple[tuple[str, int], ...] | None = None
    reports: tuple[Report, ...] = ()
    machines: tuple[str, ...] | None = None
    """The machines for which the worker takes runs, None: all."""
    waits: tuple[tuple[str, int, tuple[int, ...]], ...] = ()
    """The runs, by token, whose code waits as far as the worker knows, and for which waits, by their indexes."""
    name: str | None = None
    """What people know the worker by, None: as it said before."""
    node: str | None = None
    """The address at which the turn came in."""
    leaving: bool = False
    """Whether the worker ends, and takes nothing more."""
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])


class EndTurn(Command, frozen=True, kw_only=True):
    """Answer a waiting turn now: its time is up or its caller has gone. Answer: None."""

    session: str
    sequence: int


class HandOut(Struct, frozen=True, gc=False):
    """A run for a worker: `attempt` is the number the attempt will have."""

    run: str
    token: int
    attempt: int
    task: str
    queue: str
    max_attempts: int
    max_duration_ms: int | None
    machine: str | None = None
    auth: str | None = None
    """What the auth resolver said, sealed."""
    connections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    """Both as they are now, which may be more than what the run was triggered with."""
    journal: int = 0
    """How many entries the run's journal has, by which its code goes on."""
    is_for_auth: bool = False
    """Whether the worker is to ask the task's auth resolver, and not to execute the run."""


class Cancel(Struct, frozen=True, gc=False):
    """An attempt that the worker must stop: CANCELED, TIMED_OUT or GONE."""

    run: str
    token: int
    reason: str


class RefusedReport(Struct, frozen=True, gc=False):
    """A report that did not count, and why."""

    run: str
    token: int
    error: str


class Woken(Struct, frozen=True, gc=False):
    """A wait that is over, of a run that the worker holds: its code may go on."""

    run: str
    token: int
    completed: WaitCompleted


class TurnAnswer(Struct, frozen=True):
    """What a worker is told in return."""

    sequence: int
    runs: tuple[HandOut, ...] = ()
    cancels: tuple[Cancel, ...] = ()
    refused: tuple[RefusedReport, ...] = ()
    woken: tuple[Woken, ...] = ()
