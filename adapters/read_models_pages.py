"""What lists have in common on every database: between which ids a page can be."""

from collections.abc import Callable

from projections.filters import RunFilter
from projections.waitpoints import WAITPOINT, WaitpointFilter

PAIRS_MAX = 2_000
"""Above so many pairs of a task and a status, reading all runs from the newest on finds a page sooner."""
FEW_MAX = 1_000
"""So many runs are looked at one by one in no time."""
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


def narrowings(wanted: RunFilter) -> list[RunFilter]:
    """The parts of a filter that have indexes of their own: any of them finds every run that the filter leaves."""
    statuses = wanted.statuses
    parts = [
        (wanted.tags, RunFilter(tags=wanted.tags)),
        *((True, RunFilter(tags_all=(tag,))) for tag in wanted.tags_all),
        (wanted.runs is not None, RunFilter(runs=wanted.runs)),
        (wanted.batch is not None, RunFilter(batch=wanted.batch)),
        (wanted.schedule is not None, RunFilter(schedule=wanted.schedule)),
        (wanted.queues, RunFilter(queues=wanted.queues, statuses=statuses)),
        (wanted.machines, RunFilter(machines=wanted.machines, statuses=statuses)),
        (wanted.is_test, RunFilter(is_test=True, statuses=statuses)),
        (wanted.versions, RunFilter(versions=wanted.versions, statuses=statuses)),
        (wanted.tasks, RunFilter(tasks=wanted.tasks, statuses=statuses)),
    ]
    found = [part for is_asked, part in parts if is_asked]
    # Queues are not indexed by status.
    is_told = any(part.statuses and not part.queues for part in found)
    return [*found, RunFilter(statuses=statuses)] if statuses and not is_told else found


def narrowest(wanted: RunFilter, count: Callable[[RunFilter], int]) -> RunFilter:
    """By which part of a filter its runs are found; `count` says how many runs a part has, up to FEW_MAX.

    What is rare by itself is found at once, however many runs the other parts have. Of parts that all have more, it is
    the first one, and further conditions are looked up run by run.
    """
    parts = narrowings(wanted)
    if not parts:
        return RunFilter()
    if len(parts) == 1:
        return parts[0]
    best, fewest = parts[0], FEW_MAX
    for part in parts:
        if (found := count(part)) < fewest:
            best, fewest = part, found
        if not found:
            break
    return best


def own_tasks(wanted: RunFilter) -> list[str]:
    """The tasks whose own queue is asked for: runs that wait in the queue of their task are in no index of queues."""
    return [queue.removeprefix("task/") for queue in wanted.queues if queue.startswith("task/")]


def id_at(kind: str, moment: int) -> str:
    return f"{kind}_{min(max(moment, 0), _ID_TIME_MAX):012x}"
