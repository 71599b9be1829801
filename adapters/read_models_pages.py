"""What lists have in common on every database: between which ids a page can be."""

from projections.filters import RunFilter
from projections.waitpoints import WAITPOINT, WaitpointFilter

PAIRS_MAX = 2_000
"""Above so many pairs of a task and a status, reading all runs from the newest on finds a page sooner."""
CLOCKS_APART_MS = 60_000
"""How far the time in an id may be from the time at which it was created."""
_ID_TIME_MAX = 2**48 - 1


def bounds(wanted: RunFilter | WaitpointFilter, after: str | None, before: str | None) -> tuple[str, str]:
    """Ids between which, ends excluded, all runs or tokens of the page must be."""
    kind = "run" if isinstance(wanted, RunFilter) else WAITPOINT
    lows, highs = ["" if before is None else before], ["~" if after is None else after]
    if wanted.created_from is not None:
        lows.append(id_at(kind, wanted.created_from - CLOCKS_APART_MS))
    if wanted.created_to is not None:
        highs.append(id_at(kind, wanted.created_to + CLOCKS_APART_MS + 1))
    return max(lows), min(highs)


def own_tasks(wanted: RunFilter) -> list[str]:
    """The tasks whose own queue is asked for: runs that wait in the queue of their task are in no index of queues."""
    return [queue.removeprefix("task/") for queue in wanted.queues if queue.startswith("task/")]


def id_at(kind: str, moment: int) -> str:
    return f"{kind}_{min(max(moment, 0), _ID_TIME_MAX):012x}"
