"""Bodies about environments, their keys, variables, versions and connections."""

from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from app.web.bodies.reading import Count, StrictBody
from domain.events import TaskSettings


class PublicTokenBody(Struct, rename="camel"):
    """A public token; `expirationTime` is a duration, or a moment in seconds since 1970."""

    scopes: list[str]
    expiration_time: str | Annotated[int, Meta(ge=0, le=2**33)] | None = None
    one_time_use: bool = False
    realtime: dict[str, Any] | None = None


class CreateVariableBody(Struct, rename="camel"):
    """A variable of an environment."""

    name: str
    value: str
    is_secret: bool = False


class UpdateVariableBody(Struct, rename="camel"):
    """Another value of a variable; it stays as secret as it is."""

    value: str


class ImportVariablesBody(Struct, rename="camel"):
    """Many variables at once; without `override` those that are there stay as they are."""

    variables: dict[str, str]
    override: bool = False
    is_secret: bool = False


class RegisterBody(Struct):
    """The tasks of a worker's code."""

    tasks: list[TaskSettings]
    sdk: str = "unknown"
    promote: bool | None = None


class CredentialsBody(StrictBody):
    """The credentials of a connection: any JSON."""

    credentials: Raw


class CreateEnvironmentBody(StrictBody, rename="camel"):
    """A new environment."""

    slug: str
    type: str
    project: str = "default"
    organization: str = "default"
    concurrency_limit: Count | None = None
