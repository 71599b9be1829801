"""Commands about environments, their keys, versions, variables, connections and secrets."""

from msgspec import Struct

from domain.commands.base import Command
from domain.events import ApiKeyCreated, TaskSettings


class CreateEnvironment(Command, frozen=True, kw_only=True):
    """Make an environment, with a key if one is given; one that is there stays as it is. Answer: None."""

    slug: str
    type: str
    project: str = "default"
    organization: str = "default"
    concurrency_limit: int | None = None
    first_key: ApiKeyCreated | None = None


class AddKey(Command, frozen=True, kw_only=True):
    """Let a secret key, told by its SHA-256 in hex, open the environment.

    Answer: the SHA-256 of the key that the request made, now or when it was sent before.
    """

    sha256: str
    hint: str
    sealed: str | None = None
    request: str | None = None


class SaveVariables(Command, frozen=True, kw_only=True):
    """Keep variables of the environment, each as (name, sealed value, is secret). Answer: None.

    Without `replaces` those that are there stay as they are.
    """

    variables: tuple[tuple[str, str, bool], ...]
    replaces: bool = True


class SetRetention(Command, frozen=True, kw_only=True):
    """Let runs leave the database so many days after their end; None: never. Answer: None."""

    days: int | None


class RemoveVariable(Command, frozen=True, kw_only=True):
    """Forget a variable of the environment. Answer: None."""

    name: str


class SealKey(Command, frozen=True, kw_only=True):
    """Keep a key that opens the environment, sealed, in the place of what was kept. Answer: None."""

    sha256: str
    sealed: str


class RevokeKey(Command, frozen=True, kw_only=True):
    """Take a secret key back. Answer: None."""

    sha256: str


class RegisterVersion(Command, frozen=True, kw_only=True):
    """Make these tasks a version; `day` is YYYYMMDD. Answer: Registered."""

    digest: str
    tasks: tuple[TaskSettings, ...]
    day: str
    promote: bool | None = None
    """Whether it becomes the current version; if left out, that of new tasks does, and in development any."""


class Registered(Struct, frozen=True, gc=False):
    """The version that tasks are, and whether new runs get it."""

    version: str
    is_current: bool


class PromoteVersion(Command, frozen=True, kw_only=True):
    """Make a version the current one. Answer: None."""

    version: str


class SaveConnection(Command, frozen=True, kw_only=True):
    """Make a connection ready with these sealed credentials; if `replaces` is given, only in their place.

    Answer: the Connection, None if others than those to replace are there.
    """

    name: str
    sealed: str
    key_name: str
    replaces: str | None = None


class RemoveConnection(Command, frozen=True, kw_only=True):
    """Forget the credentials of a connection. Answer: None."""

    name: str


class SaveSecret(Command, frozen=True, kw_only=True):
    """Give a secret this sealed value; if `replaces` is given, only in its place.

    Answer: the Secret, None if another value than that to replace is there.
    """

    name: str
    sealed: str
    key_name: str
    replaces: str | None = None


class RemoveSecret(Command, frozen=True, kw_only=True):
    """Forget the value of a secret. Answer: None."""

    name: str


class LimitEnvironment(Command, frozen=True, kw_only=True):
    """Bound the open attempts of the whole environment; None: no bound. Answer: None."""

    concurrency_limit: int | None
