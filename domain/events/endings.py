"""A run ends otherwise than by success."""

from domain.events.attempts import RunError
from domain.events.base import RunEvent


class RunFailed(RunEvent, frozen=True, gc=False):
    """No attempt is left."""

    error: RunError


class RunCanceled(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """Someone asked to stop the run."""

    reason: str | None = None


class RunExpired(RunEvent, frozen=True, gc=False):
    """The run was not started before its TTL was over."""

    ttl_ms: int


class RunTimedOut(RunEvent, frozen=True, gc=False):
    """The attempt ran longer than its max duration."""

    max_duration_ms: int


class RunCrashed(RunEvent, frozen=True, gc=False):
    """The process of the attempt died, or its worker was lost, and no attempt is left."""

    error: RunError


class RunInterrupted(RunEvent, frozen=True, gc=False):
    """A development worker was lost in the middle of the attempt."""

    error: RunError


class RunSystemFailed(RunEvent, frozen=True, gc=False):
    """The engine cannot go on with the run."""

    error: RunError
