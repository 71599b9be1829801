"""Which runs a worker may execute: those of its version, its tasks and its machines (ADR 14)."""

from collections.abc import Callable

from domain.environment import Environment
from domain.ready import Kind
from domain.sessions import Session


def eligible(
    session: Session, environment: Environment, is_served: Callable[[str, str], bool]
) -> Callable[[Kind], bool]:
    """Whether the worker may execute runs of a kind. `is_served` tells whether a version has a worker connected."""
    tasks, version, machines = environment.versions[session.version], session.version, session.machines

    def may_take(kind: Kind) -> bool:
        if kind.task not in tasks or (kind.machine and machines is not None and kind.machine not in machines):
            return False
        if kind.lock is not None:
            return kind.lock == version
        if kind.last_version is not None and is_served(environment.id, kind.last_version):
            return kind.last_version == version
        return environment.home(kind.task) == version

    return may_take
