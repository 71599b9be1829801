"""The worker: a process that takes runs from the engine and runs their tasks' code."""

from runfold.worker.command import main

__all__ = ["main"]
