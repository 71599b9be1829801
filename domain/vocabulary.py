"""The names of statuses in the vocabularies that clients speak, and the questions that all of them ask."""

from domain.errors import InvalidInput
from domain.status import FINAL, INITIAL, Status

V4_NAMES: dict[Status, str] = {status: status.value for status in Status} | {
    Status.PENDING: "QUEUED",
    Status.WAITING_ON_CONNECTIONS: "QUEUED",
    Status.REATTEMPTING: "EXECUTING",
    Status.FROZEN: "WAITING",
    Status.INTERRUPTED: "FAILED",
    Status.INVALID_PAYLOAD: "FAILED",
    Status.UNRESOLVED_AUTH: "FAILED",
}
"""The 13 names of Trigger.dev's API version 2025-07-16; its SDK throws on any other."""

OLD_NAMES = {"WAITING_FOR_DEPLOY": Status.PENDING_VERSION}
"""Names that Trigger.dev's API still takes in filters."""


def name_of(status: Status, *, v4: bool) -> str:
    """What a client of that vocabulary is told."""
    return V4_NAMES[status] if v4 else status.value


def named(name: str, *, v4: bool) -> frozenset[Status]:
    """The statuses that a client of that vocabulary means by a name. Raises InvalidInput for an unknown one."""
    if name in OLD_NAMES:
        return frozenset({OLD_NAMES[name]})
    found = frozenset(status for status in Status if name_of(status, v4=v4) == name or status.value == name)
    if not found:
        raise InvalidInput(f'There is no status "{name[:40]}". Statuses are {", ".join(sorted(Status))}.')
    return found


def helpers(status: Status) -> dict[str, bool]:
    """The boolean helpers that the API sends with each run. Completed means: any final status."""
    completed = status in FINAL
    return {
        "isQueued": status in INITIAL and status is not Status.DEQUEUED,
        "isExecuting": status in {Status.DEQUEUED, Status.EXECUTING, Status.REATTEMPTING},
        "isWaiting": status in {Status.WAITING, Status.FROZEN},
        "isCompleted": completed,
        "isSuccess": status is Status.COMPLETED,
        "isFailed": completed and status not in {Status.COMPLETED, Status.CANCELED},
        "isCancelled": status is Status.CANCELED,
    }
