"""The schedules that there are and which of their runs go on, read off the states."""

from collections.abc import Iterator

from domain.run import Run
from domain.schedule import DECLARATIVE, Schedule


class ScheduledRuns:
    """The unfinished runs of each schedule, and the schedules that the tasks of an environment declare."""

    def __init__(self) -> None:
        self._running: dict[str, dict[str, None]] = {}
        self._declared: dict[str, dict[str, str]] = {}
        self._freed: dict[str, None] = {}

    def is_busy(self, schedule: str) -> bool:
        """Whether a run of the schedule is not finished."""
        return schedule in self._running

    def running(self, schedule: str) -> list[str]:
        """Its runs that are not finished."""
        return list(self._running.get(schedule, ()))

    def declared(self, environment: str) -> dict[str, str]:
        """The schedules that tasks declare, by task."""
        return self._declared.get(environment, {}).copy()

    def freed(self) -> Iterator[str]:
        """The schedules whose last run has ended, each once."""
        while self._freed:
            schedule = next(iter(self._freed))
            del self._freed[schedule]
            yield schedule

    def note_run(self, before: Run | None, after: Run | None) -> None:
        """A run came, ended, or is kept no longer; few are of a schedule."""
        run = after or before
        if run is None or run.schedule is None:
            return
        goes_on = after is not None and not after.is_final
        running = self._running.setdefault(run.schedule, {})
        if goes_on:
            running[run.id] = None
        else:
            running.pop(run.id, None)
        if not running:
            del self._running[run.schedule]
            self._freed[run.schedule] = None

    def note_schedule(self, before: Schedule | None, after: Schedule | None) -> None:
        """A schedule came, changed, or is gone."""
        for schedule, is_there in ((before, False), (after, True)):
            if schedule is None or schedule.type != DECLARATIVE or schedule.is_deleted:
                continue
            declared = self._declared.setdefault(schedule.environment, {})
            if is_there:
                declared[schedule.plan.target.task] = schedule.id
            else:
                declared.pop(schedule.plan.target.task, None)
