"""The versions of an environment as deployments: what was registered when, and what of it is current."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from domain.errors import NotFound
from domain.events import Recorded, TaskSettings, VersionPromoted, VersionRegistered


class Deployment(NamedTuple):
    """A version of the tasks; `promoted_at` is when it last became the current one."""

    id: str
    version: str
    digest: str
    tasks: tuple[TaskSettings, ...]
    created_at: int
    promoted_at: int | None
    is_current: bool


def id_of(environment: str, version: str) -> str:
    """The id of a deployment, which its environment and its version decide."""
    return "deployment_" + hashlib.sha256(f"{environment}\0{version}".encode()).hexdigest()[:32]


def deployments_in(history: Sequence[Recorded]) -> list[Deployment]:
    """The deployments that an environment's history tells of, the newest first."""
    registered: list[tuple[Recorded, VersionRegistered]] = []
    promoted: dict[str, int] = {}
    current = None
    for recorded in history:
        event = recorded.event
        if isinstance(event, VersionRegistered):
            registered.append((recorded, event))
        if isinstance(event, VersionPromoted) or (isinstance(event, VersionRegistered) and event.is_promoted):
            promoted[event.version] = recorded.recorded_at
            current = event.version
    return [
        Deployment(
            id_of(recorded.stream, event.version),
            event.version,
            event.digest,
            event.tasks,
            recorded.recorded_at,
            promoted.get(event.version),
            event.version == current,
        )
        for recorded, event in reversed(registered)
    ]


def deployment_among(deployments: Sequence[Deployment], name: str) -> Deployment:
    """The one with this id or version. Raises NotFound."""
    found = next((each for each in deployments if name in {each.id, each.version}), None)
    if found is None:
        raise NotFound(f"There is no deployment {name} in this environment.")
    return found
