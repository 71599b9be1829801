"""The workers of one test."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

from runfold.testing.engine import Engine, Environment
from runfold.testing.finding import Source, target_of, tasks_of
from runfold.testing.worker import Worker

Serve: TypeAlias = Callable[..., Worker]
"""Starts a worker for tasks, and for the tasks of modules: `serve(shop.jobs, send_letter)`."""


@contextmanager
def serving(engine: Engine, environment: Environment, new_folder: Callable[[], Path]) -> Generator[Serve]:
    """What starts workers for an environment; all that still run are stopped in the end."""
    started: list[Worker] = []

    def are_there() -> bool:
        running = sum(each.is_running for each in started)
        told = engine.ask("GET", "/testing/v1/workers", environment.settings.secret_key)
        return bool(told["waiting"] >= running)

    def serve(*sources: Source) -> Worker:
        tasks = tasks_of(sources)
        target = target_of(tasks.values(), new_folder()) if any(each.needs_process for each in tasks.values()) else ""
        worker = Worker(tasks, environment.settings, target)
        started.append(worker)
        worker.start(are_there)
        return worker

    with ExitStack() as stack:
        stack.callback(_stop_all, started)
        yield serve


def _stop_all(workers: list[Worker]) -> None:
    with ExitStack() as stack:
        for each in workers:
            stack.callback(each.stop)
