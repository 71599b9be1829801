"""Environments with their keys, variables, connections and secrets."""

from domain.events.base import Event


class EnvironmentCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A tenant was made: `type` is DEVELOPMENT, STAGING, PRODUCTION or PREVIEW."""

    slug: str
    type: str
    project: str = "default"
    organization: str = "default"


class EnvironmentLimited(Event, frozen=True, gc=False, omit_defaults=True):
    """At most so many attempts of the whole environment are open at once; None: no limit."""

    concurrency_limit: int | None = None


class RetentionSet(Event, frozen=True, gc=False, omit_defaults=True):
    """Runs that ended longer ago than so many days leave the database for segment files; None: they stay."""

    days: int | None = None


class VariableSaved(Event, frozen=True, gc=False, omit_defaults=True):
    """Workers that start from now on have this variable; its value is sealed. A secret one is shown to nobody."""

    name: str
    sealed: str
    is_secret: bool = False


class VariableRemoved(Event, frozen=True, gc=False):
    """Workers that start from now on do not have it any more."""

    name: str


class ApiKeyCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A secret key with this SHA-256 opens the environment; sealed, it verifies what is signed with it."""

    sha256: str
    hint: str
    sealed: str | None = None


class ApiKeySealed(Event, frozen=True, gc=False):
    """A key that opens the environment is kept, sealed, from now on, or sealed with another encryption key."""

    sha256: str
    sealed: str


class ApiKeyRevoked(Event, frozen=True, gc=False):
    """The key opens nothing any more."""

    sha256: str


class ConnectionSaved(Event, frozen=True, gc=False):
    """A connection is ready: its credentials are sealed with the key of this name."""

    name: str
    sealed: str
    key: str


class ConnectionRemoved(Event, frozen=True, gc=False):
    """The connection is ready no longer."""

    name: str


class SecretSaved(Event, frozen=True, gc=False):
    """A secret for requests has a value, sealed with the key of this name; it is its `revision`-th."""

    name: str
    sealed: str
    key: str
    revision: int


class SecretRemoved(Event, frozen=True, gc=False):
    """The secret has no value any more."""

    name: str
