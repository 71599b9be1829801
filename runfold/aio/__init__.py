"""The same names as in `runfold`, to be awaited."""

from runfold.aio import batches, queues, runs, schedules, tasks, wait

__all__ = ["batches", "queues", "runs", "schedules", "tasks", "wait"]
