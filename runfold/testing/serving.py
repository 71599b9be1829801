"""The workers of one test."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from runfold.durations import Duration, duration_ms
from runfold.testing.engine import Engine, Environment
from runfold.testing.finding import Source, tasks_of
from runfold.testing.worker import Worker
from runfold.worker.holding import FREEZE_SECONDS


class Serve(Protocol):
    """Starts a worker for tasks, and for the tasks of modules: `serve(shop.jobs, send_letter)`."""

    def __call__(self, *sources: Source, freeze_after: Duration = FREEZE_SECONDS) -> Worker:
        """A run that waits goes on by its journal if the wait takes longer than `freeze_after`, in real time."""
        ...


@contextmanager
def serving(engine: Engine, environment: Environment) -> Generator[Serve]:
    """What starts workers for an environment; all that still run are stopped in the end."""
    started: list[Worker] = []

    def waiting() -> int:
        answer = engine.ask("GET", "/testing/v1/workers", environment.settings.secret_key)
        return int(answer["waiting"])

    def serve(*sources: Source, freeze_after: Duration = FREEZE_SECONDS) -> Worker:
        worker = Worker(tasks_of(sources), environment.settings, duration_ms(freeze_after) / 1000)
        worker.start(lambda: waiting() > sum(each.is_running for each in started))
        started.append(worker)
        return worker

    with ExitStack() as stack:
        stack.callback(_stop_all, started)
        yield serve


def _stop_all(workers: list[Worker]) -> None:
    with ExitStack() as stack:
        for each in workers:
            stack.callback(each.stop)
