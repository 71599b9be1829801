"""Which runs a worker may execute: those of its version, its tasks and its machines (ADR 14)."""

from collections.abc import Callable
from typing import TypeAlias

from domain.environment import Environment
from domain.ready import Kind
from domain.sessions import Session

IsServed: TypeAlias = Callable[[str, str, str | None], bool]
"""Whether a worker of this environment and version, which takes this machine, is connected."""


def suits(machine: str | None, machines: tuple[str, ...] | None) -> bool:
    """Whether a worker that takes these machines (None: all) takes runs for this one (None: whichever)."""
    return machine is None or machines is None or machine in machines


def eligible(session: Session, environment: Environment, is_served: IsServed) -> Callable[[Kind], bool]:
    """Whether the worker may execute runs of a kind."""
    tasks, version, machines = environment.tasks_of(session.version) or {}, session.version, session.machines

    def may_take(kind: Kind) -> bool:
        if kind.worker is not None or kind.task not in tasks or not suits(kind.machine, machines):
            return False
        if kind.lock is not None:
            return kind.lock == version
        if kind.last_version is not None and is_served(environment.id, kind.last_version, kind.machine):
            return kind.last_version == version
        return environment.home(kind.task) == version

    return may_take
