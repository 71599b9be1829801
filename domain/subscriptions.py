"""What is subscribed to named events: tasks, as their homes declare it, and active HTTP jobs."""

from typing import NamedTuple

from domain.environment import Environment
from domain.event_filter import Filter
from domain.job import Job, JobState


class Subscriber(NamedTuple):
    """A task or a job. The `key` tells it from all others of its environment, and puts them in order."""

    key: str
    filter: Filter
    task: str
    job: Job | None = None


class Subscriptions:
    """Read off the states. The tasks of an environment are sorted by name when they are asked for first."""

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[Environment, dict[str, list[Subscriber]]]] = {}
        self._jobs: dict[tuple[str, str], dict[str, Subscriber]] = {}

    def to(self, environment: Environment, name: str) -> list[Subscriber]:
        """All that are subscribed to events of this name, in the order of their keys."""
        known = self._tasks.get(environment.id)
        if known is None or known[0] is not environment:
            known = self._tasks[environment.id] = environment, _by_name(environment)
        jobs = self._jobs.get((environment.id, name), {})
        return sorted((*known[1].get(name, ()), *jobs.values()), key=lambda each: each.key)

    def note_job(self, before: Job | None, after: Job | None) -> None:
        """A job came, changed, or is kept no longer."""
        for job, is_there in ((before, False), (after, True)):
            wanted = job.spec.event if job else None
            if job is None or wanted is None or job.state is not JobState.ACTIVE:
                continue
            for name in wanted.names:
                jobs = self._jobs.setdefault((job.environment, name), {})
                if is_there:
                    jobs[job.id] = Subscriber(job.id, wanted.filter, "", job)
                else:
                    jobs.pop(job.id, None)
                if not jobs:
                    del self._jobs[job.environment, name]


def _by_name(environment: Environment) -> dict[str, list[Subscriber]]:
    found: dict[str, list[Subscriber]] = {}
    for task in environment.at_home():
        if task.event is not None:
            subscriber = Subscriber(f"task/{task.id}", task.event.filter, task.id)
            for name in task.event.names:
                found.setdefault(name, []).append(subscriber)
    return found
