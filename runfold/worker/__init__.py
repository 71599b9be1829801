"""The worker: a process that takes runs from the engine and runs their tasks' code."""

from runfold.worker.command import main
from runfold.worker.deploying import main as deploy

__all__ = ["deploy", "main"]
