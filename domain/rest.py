"""Whether something still goes on, or all that is there waits: for a time, for somebody, for a worker to come."""

from collections.abc import Iterator

from domain.eligibility import eligible
from domain.lanes import kind_of
from domain.memory import Memory
from domain.run import Run
from domain.sessions import Session
from domain.status import Status
from domain.turns import Turns

RETURNS_MS = 250
"""How soon a worker that has reported asks again. One that stops has nothing more to ask."""


def at_work(memory: Memory, turns: Turns, now: int) -> Iterator[str]:
    """The runs that a worker has, or is about to take. `now` is on the monotonic clock.

    A run that waits is at rest, and so is a queued one that no worker may take, or for which there is no slot.
    """
    for held in memory.worker_runs.values():
        for stream in held:
            run = memory.run(stream)
            if run and run.status in {Status.DEQUEUED, Status.EXECUTING}:
                yield stream
    for session in turns.sessions:
        yield from session.resolving
        # What a turn that waits may take was handed out; a worker between two turns may find something.
        if _is_between_turns(session, now):
            yield from _takeable(session, memory, turns)


def _is_between_turns(session: Session, now: int) -> bool:
    if session.sequence and session.want:
        return False
    return session.takes_runs or now - session.heard < RETURNS_MS


def _takeable(session: Session, memory: Memory, turns: Turns) -> Iterator[str]:
    environment = memory.environment(session.environment)
    assert environment is not None, "a session named a version of its environment"
    may_take = eligible(session, environment, turns.is_served)
    for state in memory.states.values():
        if isinstance(state, Run) and state.environment == session.environment:
            is_ready = state.status is Status.QUEUED and may_take(kind_of(state))
            is_unasked = state.status is Status.PENDING and state.task in (environment.tasks_of(session.version) or ())
            if is_ready or is_unasked:
                yield state.id
