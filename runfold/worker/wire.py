"""The messages of the worker protocol, as docs/reference/worker-protocol.md has them."""

from typing import Any, Literal

import msgspec

from runfold.entries import Entry
from runfold.log import Line

Hold = tuple[str, int]
"""A run and the fencing token under which it was handed out."""
Waits = tuple[str, int, tuple[int, ...]]
"""A run, its token, and the waits of its code that are not over as far as the worker knows."""


class Environment(msgspec.Struct, frozen=True):
    id: str
    slug: str
    type: str
    project: str = ""
    organization: str = ""


class Registered(msgspec.Struct, frozen=True, rename="camel"):
    version: str
    lease_ms: int
    wait_ms: int
    environment: Environment
    is_current: bool = True


class Variables(msgspec.Struct, frozen=True):
    """What the worker's environment is to have, unless it has it already."""

    variables: dict[str, str] = {}


OUT_OF_MEMORY: Literal["OUT_OF_MEMORY"] = "OUT_OF_MEMORY"


class Error(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    name: str
    message: str
    stack_trace: str | None = None
    code: Literal["OUT_OF_MEMORY"] | None = None
    exit_code: int | None = None
    signal: str | None = None


Kind = Literal[
    "started",
    "succeeded",
    "failed",
    "crashed",
    "released",
    "frozen",
    "authorized",
    "unauthorized",
    "step_succeeded",
    "step_failed",
    "step_tried",
    "triggered",
    "waiting",
    "blocked",
    "logged",
]
ONGOING = frozenset(
    {"started", "step_succeeded", "step_failed", "step_tried", "triggered", "waiting", "blocked", "logged"}
)
"""The kinds of reports after which the attempt is still open."""


class Report(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What happened to one run."""

    run: str
    token: int
    kind: Kind
    at: int
    output: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Error | None = None
    retryable: bool | msgspec.UnsetType = msgspec.UNSET
    entry: dict[str, Any] | None = None
    """Where it stands in the journal of the run."""
    runs: list[str] = []
    batch: str | None = None
    cached: tuple[int, ...] | None = None
    """The places of the runs that were there already; an empty one says that none was."""
    targets: tuple[str, ...] = ()
    is_any: bool = msgspec.field(default=False, name="any")
    until: int | None = None
    for_ms: int | None = msgspec.field(default=None, name="for")
    waits: tuple[int, ...] = ()
    lines: list[Line] = []
    first: int = 0
    """How many lines were reported before these."""
    began: int | None = None
    """Of an end that also tells of the start: when that was."""

    def __repr__(self) -> str:
        """Without the output, which may be on whose behalf a run acts."""
        return f"Report({self.kind} of {self.run}, token {self.token}, at {self.at})"


class Turn(msgspec.Struct, rename="camel", omit_defaults=True):
    session: str
    version: str
    sequence: int
    received: int
    want: int
    wait_ms: int
    holds: list[Hold] | None = None
    reports: list[Report] = []
    machines: list[str] | None = None
    waits: list[Waits] = []
    name: str | None = None
    leaving: bool = False


class Tick(msgspec.Struct, frozen=True):
    """For which tick of which schedule a run is."""

    id: str
    timestamp: int


class Event(msgspec.Struct, frozen=True):
    """The named event that started a run."""

    id: str
    name: str
    timestamp: int
    source: str
    context: dict[str, Any] = {}


class HandOut(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """A run for this worker: to make an attempt, or (of the kind "auth") only to find out on whose behalf it acts."""

    id: str
    token: int
    task: str
    created_at: int
    environment: Environment
    attempt: int = 1
    queue: str = ""
    kind: Literal["attempt", "auth"] = "attempt"
    payload: msgspec.Raw = msgspec.Raw(b"null")
    tags: tuple[str, ...] = ()
    max_attempts: int | None = None
    max_duration: int | None = None
    is_test: bool = False
    idempotency_key: str | None = None
    batch_id: str | None = None
    traceparent: str | None = None
    auth: Any = None
    connections: dict[str, Any] = {}
    machine: str | None = None
    priority: float = 0
    concurrency_key: str | None = None
    metadata: dict[str, Any] = {}
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    source: str = "api"
    replay_of: str | None = None
    schedule: Tick | None = None
    event: Event | None = None
    journal_size: int = 0
    journal: list[Entry] = []

    def __repr__(self) -> str:
        """Without payload, auth and credentials, which are for the task's code only."""
        return f"HandOut({self.kind} {self.attempt} of {self.task} {self.id}, token {self.token})"


class Cancel(msgspec.Struct, frozen=True):
    """Stop the run and report nothing. `reason` is CANCELED, TIMED_OUT or GONE."""

    run: str
    token: int
    reason: str


class Refused(msgspec.Struct, frozen=True):
    """A report that came too late, or for a run that is another's by now."""

    run: str
    token: int
    error: str


class Woken(msgspec.Struct, frozen=True, rename="camel"):
    """A wait of a run that is over."""

    run: str
    token: int
    wait: int
    done: tuple[str, ...] = ()
    timed_out: bool = False
    unknown: tuple[str, ...] = ()
    results: dict[str, msgspec.Raw] = {}


class JournalPage(msgspec.Struct, frozen=True):
    entries: list[Entry]


class TurnAnswer(msgspec.Struct, frozen=True):
    sequence: int
    runs: list[HandOut] = []
    cancels: list[Cancel] = []
    refused: list[Refused] = []
    woken: list[Woken] = []
