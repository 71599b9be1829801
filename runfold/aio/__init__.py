"""The same names as in `runfold`, to be awaited."""

from runfold.aio import batches, events, queues, runs, schedules, tasks, wait

__all__ = ["batches", "events", "queues", "runs", "schedules", "tasks", "wait"]
