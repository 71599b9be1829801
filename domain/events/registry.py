"""All events there are, in the order in which pages tell of them: subject by subject, and there as they are written."""

from collections.abc import Iterator
from types import ModuleType

from domain.events import (
    attempts,
    batches,
    deployments,
    endings,
    environments,
    erasure,
    gates,
    jobs,
    journal,
    keys,
    named,
    queues,
    run,
    schedules,
    sinks,
    storage,
    waitpoints,
)
from domain.events.base import Event, RunEvent

SUBJECTS = (
    *(run, gates, attempts, journal, endings, erasure),
    *(environments, deployments, keys, queues, batches, waitpoints, named, schedules, jobs, sinks, storage),
)


def _events_of(subject: ModuleType) -> Iterator[type[Event]]:
    for kind in vars(subject).values():
        if isinstance(kind, type) and issubclass(kind, Event) and kind.__module__ == subject.__name__:
            yield kind


EVENTS: tuple[type[Event], ...] = tuple(kind for subject in SUBJECTS for kind in _events_of(subject))
RUN_EVENTS: tuple[type[RunEvent], ...] = tuple(kind for kind in EVENTS if issubclass(kind, RunEvent))
