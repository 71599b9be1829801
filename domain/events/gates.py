"""What holds a run before its queue, and what lets it go on."""

from msgspec import Raw

from domain.events.attempts import RunError
from domain.events.base import JSON_TYPE, NOTHING, BlobRef, RunEvent


class RunHeldForVersion(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """No version knows the task, or the one asked for is not there, or the payload has to be checked first."""

    version: str | None = None


class VersionArrived(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A version knows the task: what the trigger left open (None: stays as it is) is settled by it."""

    version: str
    queue: str | None = None
    ttl_ms: int | None = None
    machine: str | None = None


class RunHeldForAuth(RunEvent, frozen=True, gc=False):
    """The task's auth resolver has to answer first."""


class AuthResolved(RunEvent, frozen=True, gc=False):
    """The auth resolver answered; what it said is sealed."""

    sealed: str


class RunHeldForConnections(RunEvent, frozen=True, gc=False):
    """These connections have to become ready first."""

    connections: tuple[str, ...]


class RunDelayed(RunEvent, frozen=True, gc=False):
    """The run enters its queue at `until`."""

    until: int


class RunRescheduled(RunEvent, frozen=True, gc=False):
    """A delayed run got another time."""

    until: int


class RunDebounced(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A further trigger with the same debounce key put the delayed run off, and replaced what it is to work on.

    Without `replaces` (the leading mode) only the time changes.
    """

    until: int
    replaces: bool = False
    payload: Raw = NOTHING
    payload_blob: BlobRef | None = None
    payload_type: str = JSON_TYPE
    payload_size: int = 0
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    machine: str | None = None


class PayloadRejected(RunEvent, frozen=True, gc=False):
    """The payload does not fit the task's schema."""

    error: RunError


class AuthUnresolved(RunEvent, frozen=True, gc=False):
    """The auth resolver found no one to act for."""

    error: RunError
