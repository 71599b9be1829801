"""The same names as in `runfold`, to be awaited."""

from runfold.aio import runs, tasks

__all__ = ["runs", "tasks"]
