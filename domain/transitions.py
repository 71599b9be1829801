"""The state machine of a run, as data: commands check it, tests walk it, the documentation's chart is made from it."""

from typing import NamedTuple

from domain import events as e
from domain.errors import NotAllowed
from domain.status import FINAL, LIVE, Status


class Transition(NamedTuple):
    """The statuses in which an event may happen (None: before the run exists) and where it leads (None: nowhere)."""

    sources: frozenset[Status | None]
    target: Status | None


def _from(*sources: Status | None, to: Status | None) -> Transition:
    return Transition(frozenset(sources), to)


S = Status

TRANSITIONS: dict[type[e.RunEvent], Transition] = {
    e.RunTriggered: _from(None, to=S.QUEUED),
    # The gates, in the order in which they are looked at; each is passed before the next one holds.
    e.RunHeldForVersion: _from(S.QUEUED, to=S.PENDING_VERSION),
    e.VersionArrived: _from(S.PENDING_VERSION, to=None),
    e.RunHeldForAuth: _from(S.QUEUED, S.PENDING_VERSION, to=S.PENDING),
    e.AuthResolved: _from(S.PENDING, to=None),
    e.RunHeldForConnections: _from(S.QUEUED, S.PENDING_VERSION, S.PENDING, to=S.WAITING_ON_CONNECTIONS),
    e.RunDelayed: _from(S.QUEUED, S.PENDING_VERSION, S.PENDING, S.WAITING_ON_CONNECTIONS, to=S.DELAYED),
    e.RunRescheduled: _from(S.DELAYED, to=None),
    e.RunDebounced: _from(S.PENDING_VERSION, S.PENDING, S.WAITING_ON_CONNECTIONS, S.DELAYED, to=None),
    e.RunEnqueued: _from(
        S.PENDING,
        S.PENDING_VERSION,
        S.WAITING_ON_CONNECTIONS,
        S.DELAYED,
        S.DEQUEUED,
        S.EXECUTING,
        S.REATTEMPTING,
        S.FROZEN,
        to=S.QUEUED,
    ),
    e.RunDequeued: _from(S.QUEUED, to=S.DEQUEUED),
    e.AttemptStarted: _from(S.DEQUEUED, to=S.EXECUTING),
    e.AttemptSucceeded: _from(S.EXECUTING, S.WAITING, to=S.COMPLETED),
    e.AttemptFailed: _from(S.EXECUTING, S.WAITING, to=None),
    e.RetryScheduled: _from(S.EXECUTING, S.WAITING, to=S.REATTEMPTING),
    e.RunFailed: _from(S.EXECUTING, S.WAITING, to=S.FAILED),
    e.RunCanceled: Transition(LIVE, S.CANCELED),
    e.RunExpired: _from(S.QUEUED, to=S.EXPIRED),
    e.RunTimedOut: _from(S.EXECUTING, to=S.TIMED_OUT),
    e.RunCrashed: _from(S.EXECUTING, S.WAITING, to=S.CRASHED),
    e.RunInterrupted: _from(S.EXECUTING, to=S.INTERRUPTED),
    e.RunSystemFailed: Transition(LIVE, S.SYSTEM_FAILURE),
    e.PayloadRejected: _from(S.QUEUED, S.PENDING_VERSION, to=S.INVALID_PAYLOAD),
    e.AuthUnresolved: _from(S.PENDING, to=S.UNRESOLVED_AUTH),
    # The journal. A branch of the code may go on beside another that waits.
    e.StepSucceeded: _from(S.EXECUTING, S.WAITING, to=None),
    e.StepFailed: _from(S.EXECUTING, S.WAITING, to=None),
    e.StepTryFailed: _from(S.EXECUTING, S.WAITING, to=None),
    e.ChildrenTriggered: _from(S.EXECUTING, S.WAITING, to=None),
    e.WaitStarted: _from(S.EXECUTING, S.WAITING, to=None),
    e.WaitCompleted: _from(S.QUEUED, S.DEQUEUED, S.EXECUTING, S.WAITING, S.FROZEN, to=None),
    e.RunLogged: _from(S.EXECUTING, S.WAITING, to=None),
    e.RunBlocked: _from(S.EXECUTING, to=S.WAITING),
    e.RunResumed: _from(S.WAITING, to=S.EXECUTING),
    e.RunFrozen: _from(S.EXECUTING, S.WAITING, to=S.FROZEN),
    e.AttemptResumed: _from(S.DEQUEUED, to=S.EXECUTING),
    # These may follow the end of a run: they add to what is known of it and change nothing in it.
    e.TagsAdded: Transition(LIVE | FINAL, None),
    e.MetadataUpdated: Transition(LIVE | FINAL, None),
    e.RunReplayed: Transition(LIVE | FINAL, None),
    e.LateResultRefused: Transition(LIVE | FINAL, None),
    e.RunErased: Transition(FINAL, None),
    e.RunArchived: Transition(FINAL, None),
}


TARGETS: dict[type[e.RunEvent], dict[Status | None, Status]] = {
    event: {source: target for source in way.sources if (target := way.target or source)}
    for event, way in TRANSITIONS.items()
}
"""Where each event leads from each status in which it may happen: the same table, for who asks once for each event."""


def target_of(status: Status | None, event: e.RunEvent) -> Status:
    """The status after the event. Raises NotAllowed where the table has no way."""
    target = TARGETS[type(event)].get(status)
    if target is None:
        there = "before the run exists" if status is None else f"while the run is {status}"
        raise NotAllowed(f"{type(event).__name__} cannot happen {there}.")
    return target
