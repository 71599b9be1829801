"""The gates that a run passes before its queue, in their order: version, payload, auth, connections, delay.

Each function returns the events from one gate on: to the first that is not open, or into the queue.
"""

from collections.abc import Callable

from msgspec import Struct

from domain import events as e
from domain.environment import DEVELOPMENT, Environment
from domain.events import RunError, RunEvent, TaskSettings
from domain.run import Run
from domain.status import Status

TTL_DEVELOPMENT_MS = 600_000
TTL_MAX_MS = 14 * 86_400_000
"""Both are Trigger.dev's."""


class Verdict(Struct, frozen=True, gc=False):
    """What the schema of a version says of a payload: `error` tells what is wrong with it, and where."""

    version: str
    error: RunError | None = None
    seen: int | None = None
    """How many events the run had when its payload was looked at; None for one that is only triggered."""


class Gates:
    """The gates of one environment as they stand now. `is_ready` tells whether a connection is."""

    def __init__(self, environment: Environment, is_ready: Callable[[str], bool], now: int) -> None:
        self._environment = environment
        self._is_ready = is_ready
        self._now = now
        self._known: dict[tuple[str, str | None], tuple[str | None, TaskSettings | None]] = {}

    def version_for(self, task: str, lock: str | None) -> tuple[str | None, TaskSettings | None]:
        """The version that will execute the task, and what it says of it; None if it is not there yet."""
        known = self._known.get((task, lock))
        if known is None:
            # Most triggers that come together are of one task.
            version = lock or self._environment.home(task)
            settings = self._environment.settings(task, version) if version else None
            known = self._known[task, lock] = (version if settings else None), settings
        return known

    def refuses(self, task: str, lock: str | None, verdict: Verdict | None) -> bool:
        """Whether the schema of the version that will execute the task says that the payload is wrong."""
        version, _ = self.version_for(task, lock)
        return verdict is not None and verdict.error is not None and verdict.version == version

    def at_trigger(
        self, task: str, lock: str | None, verdict: Verdict | None, delay_until: int | None
    ) -> RunEvent | None:
        """The first gate that holds a new run, or what refuses it; None if all are open."""
        version, settings = self.version_for(task, lock)
        if settings is None:
            return e.RunHeldForVersion(lock)
        if settings.payload_schema is not None:
            if verdict is None or verdict.version != version:
                return e.RunHeldForVersion(version)
            if verdict.error:
                return e.PayloadRejected(verdict.error)
        return self._from_auth(settings, delay_until)

    def after_version(self, run: Run, verdict: Verdict | None) -> list[RunEvent]:
        """From the arrival of the version on. Nothing if it is not there, or the verdict is of something else."""
        version, settings = self.version_for(run.task, run.lock)
        if run.status is not Status.PENDING_VERSION or version is None or settings is None:
            return []
        if settings.payload_schema is not None:
            # A payload may have been replaced since it was looked at.
            if verdict is None or (verdict.version, verdict.seen) != (version, run.version):
                return []
            if verdict.error:
                return [e.PayloadRejected(verdict.error)]
        ttl = ttl_of(run.ttl_ms, settings, self._environment)
        # A queue that nobody named is the task's to say.
        queue = settings.queue.name if settings.queue and run.queue == default_queue(run.task) else None
        arrived = e.VersionArrived(version, queue, ttl, run.machine or settings.machine)
        return [arrived, self._from_auth(settings, run.delay_until) or e.RunEnqueued("version")]

    def wants_verdict(self, run: Run) -> str | None:
        """The version by whose schema the payload of a held run has to be checked, None if it need not be."""
        if run.status is not Status.PENDING_VERSION:
            return None
        version, settings = self.version_for(run.task, run.lock)
        return version if settings and settings.payload_schema is not None else None

    def without_version(self, run: Run) -> list[RunEvent]:
        """The end of a run locked to a version that came without its task, for versions never change. Else nothing."""
        came = self._environment.tasks_of(run.lock) if run.lock else None
        if run.status is not Status.PENDING_VERSION or came is None or run.task in came:
            return []
        return [e.RunSystemFailed(RunError(f"Version {run.lock} came without the task {run.task}.", "NoSuchTask"))]

    def after_auth(self, run: Run, sealed: str) -> list[RunEvent]:
        """From the resolver's answer on."""
        return [e.AuthResolved(sealed), self._behind_auth(run)]

    def without_auth(self, run: Run) -> list[RunEvent]:
        """Past the resolver, when the version that came meanwhile has none. Nothing while it has one."""
        _, settings = self.version_for(run.task, run.lock)
        return [] if settings and settings.auth_resolver else [self._behind_auth(run)]

    def after_connections(self, run: Run) -> list[RunEvent]:
        """From the arrival of connections on. Nothing if one is still missing."""
        _, settings = self.version_for(run.task, run.lock)
        held = self._from_connections(settings, run.delay_until)
        return [] if isinstance(held, e.RunHeldForConnections) else [held or e.RunEnqueued("connections")]

    def missing(self, settings: TaskSettings) -> tuple[str, ...]:
        """The connections that a task needs and that are not ready."""
        if not settings.connections:
            return ()
        return tuple(name for name in settings.connections if not self._is_ready(name))

    def _behind_auth(self, run: Run) -> RunEvent:
        _, settings = self.version_for(run.task, run.lock)
        return self._from_connections(settings, run.delay_until) or e.RunEnqueued("auth")

    def _from_auth(self, settings: TaskSettings, delay_until: int | None) -> RunEvent | None:
        if settings.auth_resolver:
            return e.RunHeldForAuth()
        return self._from_connections(settings, delay_until)

    def _from_connections(self, settings: TaskSettings | None, delay_until: int | None) -> RunEvent | None:
        missing = self.missing(settings) if settings else ()
        if missing:
            return e.RunHeldForConnections(missing)
        if delay_until is not None and delay_until > self._now:
            return e.RunDelayed(delay_until)
        return None


def ttl_of(asked_ms: int | None, settings: TaskSettings | None, environment: Environment) -> int | None:
    """How long a run may wait in its queue: by the trigger, else its task, else its environment. 0: for ever."""
    ttl = asked_ms if asked_ms is not None else settings.ttl if settings else None
    if ttl is None and settings is not None and environment.type == DEVELOPMENT:
        ttl = TTL_DEVELOPMENT_MS
    return None if ttl is None else min(ttl, TTL_MAX_MS)


def default_queue(task: str) -> str:
    """The queue of a task that names none."""
    return f"task/{task}"
