"""Queues are counted from the rows of their runs."""

from domain import events as e
from domain.events import Recorded, RunEvent
from domain.status import Status
from projections.queues import QueueRow, add_up, count
from tests.projections.histories import of_run
from tests.projections.model import naively

DEQUEUED = e.RunDequeued(2, "w", "v")
STARTED = (DEQUEUED, e.AttemptStarted(1, 2, "w", "v"))
FAILED = e.AttemptFailed(1, 2, e.RunError("boom"))


def run(name: str, queue: str, *events: RunEvent) -> list[Recorded]:
    return of_run(e.RunTriggered("greet", queue), *events, stream=f"run_{name}")


def test_unfinished_runs_count_and_ended_ones_do_not() -> None:
    records = [
        *run("1", "urgent"),
        *run("2", "urgent", DEQUEUED),
        *run("3", "urgent", *STARTED),
        *run("4", "urgent", *STARTED, FAILED, e.RetryScheduled(9)),
        *run("5", "urgent", e.RunDelayed(9)),
        *run("6", "urgent", *STARTED, e.WaitStarted(e.Entry(0, "w")), e.RunBlocked()),
        *run("7", "urgent", e.RunHeldForVersion()),
        *run("8", "urgent", e.RunCanceled()),
        *run("9", "task/greet"),
        *run("a", "done", e.RunCanceled()),
    ]

    assert count(naively(records).runs.values()) == [
        QueueRow("env_a", "task/greet", queued=1),
        QueueRow("env_a", "urgent", held=1, delayed=1, queued=1, executing=2, reattempting=1, waiting=1),
    ]


def test_counts_add_up() -> None:
    counted = [("env_a", "urgent", Status.DEQUEUED, 2), ("env_a", "urgent", Status.EXECUTING, 3)]

    assert add_up(counted) == [QueueRow("env_a", "urgent", executing=5)]
