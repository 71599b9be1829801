"""An environment: a tenant with its secret keys and the versions of its tasks. Its state is the fold of its events."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain import builtin
from domain import events as e
from domain.errors import InvalidInput, LedgerCorrupt, NotAllowed, NotFound
from domain.events import Event, Queue, Recorded, TaskSettings

LIMIT_MAX = 100_000
RETENTION_DAYS_MAX = 36_500
VARIABLES_MAX = 500

DEVELOPMENT = "DEVELOPMENT"
PRODUCTION = "PRODUCTION"
PREFIXES = {"tr_dev_": DEVELOPMENT, "tr_stg_": "STAGING", "tr_prod_": PRODUCTION, "tr_preview_": "PREVIEW"}
"""How the secret keys of environments begin, and of which type these are."""


class Variable(Struct, frozen=True, gc=False):
    """A variable that workers of the environment have: its value as only the engine can read it."""

    sealed: str
    is_secret: bool = False


class Environment(Struct, frozen=True, omit_defaults=True):
    """`keys` are the SHA-256 of the secret keys that open it; `versions` go from the name to the tasks."""

    id: str
    slug: str
    type: str
    version: int
    project: str = "default"
    organization: str = "default"
    keys: frozenset[str] = frozenset()
    sealed_keys: dict[str, str] = {}
    """Those of the keys that are kept, by their SHA-256."""
    variables: dict[str, Variable] = {}
    """What workers of the environment find in theirs."""
    concurrency_limit: int | None = None
    """How many attempts may be open in the whole environment."""
    retention_days: int | None = None
    """After how many days a run that has ended leaves the database; None: it stays."""
    versions: dict[str, dict[str, TaskSettings]] = {}
    digests: dict[str, str] = {}
    """From the digest of a set of tasks to the version that it was registered as."""
    promoted: tuple[str, ...] = ()
    """The versions that tasks are taken from, each once: those promoted later stand behind."""

    @property
    def current(self) -> str | None:
        """The version that was promoted last."""
        return self.promoted[-1] if self.promoted else None

    def home(self, task: str) -> str | None:
        """The version that a task belongs to: the one promoted last of those that have it."""
        if task in builtin.TASKS:
            return builtin.VERSION
        return next((version for version in reversed(self.promoted) if task in self.versions[version]), None)

    def settings(self, task: str, version: str | None = None) -> TaskSettings | None:
        """What a version (the task's home when none is named) says of a task."""
        version = version or self.home(task)
        return (self.tasks_of(version) or {}).get(task) if version else None

    def tasks_of(self, version: str) -> dict[str, TaskSettings] | None:
        """The tasks of a version, None if there is no such version."""
        return builtin.TASKS if version == builtin.VERSION else self.versions.get(version)

    def at_home(self) -> Iterator[TaskSettings]:
        """Every task as its home has it, those of the current version first."""
        seen: set[str] = set()
        for version in reversed(self.promoted):
            for task, settings in self.versions[version].items():
                if task not in seen:
                    yield settings
            seen |= self.versions[version].keys()

    def declared(self) -> dict[str, Queue]:
        """What the tasks say of their queues: of each the first limit and the first rate that any names."""
        found: dict[str, Queue] = {}
        for settings in self.at_home():
            said = settings.queue
            if said is None or (said.concurrency_limit is None and said.rate_limit is None):
                continue
            known = found.get(said.name, Queue(said.name))
            limit = said.concurrency_limit if known.concurrency_limit is None else known.concurrency_limit
            found[said.name] = Queue(said.name, limit, known.rate_limit or said.rate_limit)
        return found

    def queues(self) -> set[str]:
        """The names of the queues of all tasks of all versions."""
        tasks = (task for version in self.versions.values() for task in version.values())
        return {task.queue.name if task.queue else f"task/{task.id}" for task in tasks}


def evolve(environment: Environment | None, recorded: Recorded) -> Environment:
    """The environment after one event."""
    event = recorded.event
    if environment is None:
        if not isinstance(event, e.EnvironmentCreated):
            raise LedgerCorrupt(f"Environment {recorded.stream} begins with {type(event).__name__}.")
        return Environment(recorded.stream, event.slug, event.type, recorded.version, event.project, event.organization)
    return replace(environment, version=recorded.version, **_changes(environment, event))


def _changes(environment: Environment, event: Event) -> dict[str, Any]:
    match event:
        case e.ApiKeyCreated(sha256=sha256, sealed=sealed):
            kept = {} if sealed is None else {sha256: sealed}
            return {"keys": environment.keys | {sha256}, "sealed_keys": environment.sealed_keys | kept}
        case e.ApiKeySealed(sha256=sha256, sealed=sealed):
            return {"sealed_keys": environment.sealed_keys | {sha256: sealed}}
        case e.ApiKeyRevoked(sha256=sha256):
            kept = {name: sealed for name, sealed in environment.sealed_keys.items() if name != sha256}
            return {"keys": environment.keys - {sha256}, "sealed_keys": kept}
        case e.VariableSaved(name=name, sealed=sealed, is_secret=is_secret):
            return {"variables": environment.variables | {name: Variable(sealed, is_secret)}}
        case e.VariableRemoved(name=removed):
            rest = {name: variable for name, variable in environment.variables.items() if name != removed}
            return {"variables": rest}
        case e.EnvironmentLimited(concurrency_limit=limit):
            return {"concurrency_limit": limit}
        case e.RetentionSet(days=days):
            return {"retention_days": days}
        case e.VersionRegistered(version=version, digest=digest, tasks=tasks):
            promoted = (version,) if event.is_promoted else ()
            return {
                "versions": environment.versions | {version: {task.id: task for task in tasks}},
                "digests": environment.digests | {digest: version},
                "promoted": environment.promoted + promoted,
            }
        case e.VersionPromoted(version=version):
            return {"promoted": (*(each for each in environment.promoted if each != version), version)}
        case _:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of environment {environment.id}.")


def create(
    created: e.EnvironmentCreated, others: Iterable[Environment], key: e.ApiKeyCreated | None, limit: int | None
) -> list[Event]:
    """Make an environment. Raises NotAllowed when one of the `others` has its slug."""
    if any(other.slug == created.slug for other in others):
        raise NotAllowed(f"There is an environment {created.slug} already.")
    return [
        created,
        *([e.EnvironmentLimited(limit)] if limit is not None else []),
        *([key] if key else []),
    ]


def register(
    environment: Environment, digest: str, tasks: tuple[TaskSettings, ...], day: str, *, promote: bool | None = None
) -> list[Event]:
    """Make these tasks a version, or know them again. `day` is YYYYMMDD.

    What is new becomes the current version unless `promote` is false. What is known becomes it again in development,
    where code changes to and fro; elsewhere, where a worker may come back late, only if `promote` is true.
    """
    known = environment.digests.get(digest)
    if known is None:
        today = sum(version.startswith(f"{day}.") for version in environment.versions)
        return [e.VersionRegistered(f"{day}.{today + 1}", digest, tasks, promote is not False)]
    again = environment.type == DEVELOPMENT if promote is None else promote
    return promote_version(environment, known) if again else []


def promote_version(environment: Environment, version: str) -> list[Event]:
    """Make a known version the current one. Raises NotFound."""
    if version not in environment.versions:
        raise NotFound(f"There is no version {version} in this environment.")
    return [] if version == environment.current else [e.VersionPromoted(version)]


def limit(environment: Environment, concurrency_limit: int | None) -> list[Event]:
    """Bound the open attempts of the environment, or bound them no more."""
    if concurrency_limit is not None and not 0 <= concurrency_limit <= LIMIT_MAX:
        raise InvalidInput(f"The concurrency limit of an environment is 0 to {LIMIT_MAX}, not {concurrency_limit}.")
    return [] if environment.concurrency_limit == concurrency_limit else [e.EnvironmentLimited(concurrency_limit)]


def retain(environment: Environment, days: int | None) -> list[Event]:
    """Let runs leave the database so many days after their end, or never."""
    if days is not None and not 1 <= days <= RETENTION_DAYS_MAX:
        raise InvalidInput(f"Runs are kept for 1 to {RETENTION_DAYS_MAX} days, not {days}.")
    return [] if environment.retention_days == days else [e.RetentionSet(days)]


def save_variables(
    environment: Environment, variables: Iterable[tuple[str, str, bool]], *, replaces: bool
) -> list[Event]:
    """Give the environment these variables. Raises InvalidInput when it would have too many."""
    saved: list[Event] = [
        e.VariableSaved(name, sealed, is_secret)
        for name, sealed, is_secret in variables
        if replaces or name not in environment.variables
    ]
    names = environment.variables.keys() | {each.name for each in saved if isinstance(each, e.VariableSaved)}
    if len(names) > VARIABLES_MAX:
        raise InvalidInput(f"An environment has at most {VARIABLES_MAX} variables; these would be {len(names)}.")
    return saved


def remove_variable(environment: Environment, name: str) -> list[Event]:
    """Take a variable away. Raises NotFound."""
    if name not in environment.variables:
        raise NotFound(f"This environment has no variable {name[:200]}.")
    return [e.VariableRemoved(name)]


def add_key(environment: Environment, sha256: str, hint: str, sealed: str | None = None) -> list[Event]:
    """Let a secret key open the environment. One that does so already is kept from now on, if it was not."""
    if sha256 not in environment.keys:
        return [e.ApiKeyCreated(sha256, hint, sealed)]
    return [] if sealed is None or sha256 in environment.sealed_keys else [e.ApiKeySealed(sha256, sealed)]


def seal_key(environment: Environment, sha256: str, sealed: str) -> list[Event]:
    """Keep a key. One that was revoked meanwhile is not."""
    return [e.ApiKeySealed(sha256, sealed)] if sha256 in environment.keys else []


def revoke_key(environment: Environment, sha256: str) -> list[Event]:
    """Take a key back. Raises NotAllowed for the last one, behind which nobody could enter any more."""
    if sha256 not in environment.keys:
        return []
    if len(environment.keys) == 1:
        raise NotAllowed("The last key of an environment cannot be revoked; create another one first.")
    return [e.ApiKeyRevoked(sha256)]
