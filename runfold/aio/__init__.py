"""The same names as in `runfold`, to be awaited."""

from runfold.aio import queues, runs, tasks

__all__ = ["queues", "runs", "tasks"]
