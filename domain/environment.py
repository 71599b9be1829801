"""An environment: a tenant with its secret keys and the versions of its tasks. Its state is the fold of its events."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import InvalidInput, LedgerCorrupt, NotAllowed
from domain.events import Event, RateLimit, Recorded, TaskSettings

LIMIT_MAX = 100_000


class Environment(Struct, frozen=True, omit_defaults=True):
    """`keys` are the SHA-256 of the secret keys that open it; `versions` go from the name to the tasks."""

    id: str
    slug: str
    type: str
    version: int
    keys: frozenset[str] = frozenset()
    versions: dict[str, dict[str, TaskSettings]] = {}
    digests: dict[str, str] = {}
    """From the digest of a set of tasks to the version that it was registered as."""
    current: str | None = None
    concurrency_limit: int | None = None
    """How many attempts of all its queues may be open at once."""

    def settings(self, task: str, version: str | None = None) -> TaskSettings | None:
        """What a version (the current one when none is named) says of a task."""
        return self.versions.get(version or self.current or "", {}).get(task)

    def limit_of(self, queue: str) -> int | None:
        """The concurrency limit that the current version gives a queue."""
        for settings in self.versions.get(self.current or "", {}).values():
            if settings.queue and settings.queue.name == queue and settings.queue.concurrency_limit is not None:
                return settings.queue.concurrency_limit
        return None

    def queues(self) -> set[str]:
        """The names of the queues of all tasks of all versions."""
        tasks = (task for version in self.versions.values() for task in version.values())
        return {task.queue.name if task.queue else f"task/{task.id}" for task in tasks}

    def rate_of(self, queue: str) -> RateLimit | None:
        """The rate limit that the current version gives a queue."""
        for settings in self.versions.get(self.current or "", {}).values():
            if settings.queue and settings.queue.name == queue and settings.queue.rate_limit is not None:
                return settings.queue.rate_limit
        return None


def evolve(environment: Environment | None, recorded: Recorded) -> Environment:
    """The environment after one event."""
    event = recorded.event
    if environment is None:
        if not isinstance(event, e.EnvironmentCreated):
            raise LedgerCorrupt(f"Environment {recorded.stream} begins with {type(event).__name__}.")
        return Environment(recorded.stream, event.slug, event.type, recorded.version)
    return replace(environment, version=recorded.version, **_changes(environment, event))


def _changes(environment: Environment, event: Event) -> dict[str, Any]:
    match event:
        case e.ApiKeyCreated(sha256=sha256):
            return {"keys": environment.keys | {sha256}}
        case e.ApiKeyRevoked(sha256=sha256):
            return {"keys": environment.keys - {sha256}}
        case e.VersionRegistered(version=version, digest=digest, tasks=tasks):
            return {
                "versions": environment.versions | {version: {task.id: task for task in tasks}},
                "digests": environment.digests | {digest: version},
                "current": version,
            }
        case e.VersionPromoted(version=version):
            return {"current": version}
        case e.EnvironmentLimited(concurrency_limit=limit):
            return {"concurrency_limit": limit}
        case _:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of environment {environment.id}.")


def register(environment: Environment, digest: str, tasks: tuple[TaskSettings, ...], day: str) -> list[Event]:
    """Make these tasks the current version: a new one, or a known one again. `day` is YYYYMMDD."""
    known = environment.digests.get(digest)
    if known == environment.current and known is not None:
        return []
    if known is not None:
        return [e.VersionPromoted(known)]
    today = sum(version.startswith(f"{day}.") for version in environment.versions)
    return [e.VersionRegistered(f"{day}.{today + 1}", digest, tasks)]


def limit(environment: Environment, concurrency_limit: int | None) -> list[Event]:
    """Bound the open attempts of the environment, or bound them no more."""
    if concurrency_limit is not None and not 0 <= concurrency_limit <= LIMIT_MAX:
        raise InvalidInput(f"The concurrency limit of an environment is 0 to {LIMIT_MAX}, not {concurrency_limit}.")
    return [] if environment.concurrency_limit == concurrency_limit else [e.EnvironmentLimited(concurrency_limit)]


def add_key(environment: Environment, sha256: str, hint: str) -> list[Event]:
    """Let a secret key open the environment. A key that does so already changes nothing."""
    return [] if sha256 in environment.keys else [e.ApiKeyCreated(sha256, hint)]


def revoke_key(environment: Environment, sha256: str) -> list[Event]:
    """Take a key back. Raises NotAllowed for the last one, behind which nobody could enter any more."""
    if sha256 not in environment.keys:
        return []
    if len(environment.keys) == 1:
        raise NotAllowed("The last key of an environment cannot be revoked; create another one first.")
    return [e.ApiKeyRevoked(sha256)]
