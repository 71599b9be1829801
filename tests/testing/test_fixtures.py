"""The fixtures that users have, used as they use them."""

import asyncio
import os
import threading
from datetime import timedelta
from itertools import pairwise

import pytest

import runfold
from runfold import Task, aio, task
from runfold.testing import Clock, Serve, Worker, finished
from tests.testing import letters
from tests.testing.letters import greet, remind, remind_from_a_thread, sign, stubborn

pytest_plugins = ["runfold.testing.plugin"]

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def sent() -> list[str]:
    """What was sent in this test: its tasks run in this process."""
    letters.sent.clear()
    return letters.sent


def test_a_task_runs(runfold_worker: Worker, sent: list[str]) -> None:
    run = finished(greet.trigger("Ada"))

    assert (run.status, run.output, sent) == ("COMPLETED", "Hello, Ada!", ["Ada"])


async def test_a_task_runs_for_a_test_that_awaits(runfold_worker: Worker) -> None:
    run = await aio.runs.poll(await greet.aio.trigger("Ada"), interval=0.01)

    assert run.output == "Hello, Ada!"


def test_what_is_patched_is_patched_for_tasks_of_both_kinds(
    runfold_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(letters, "sent", heard)
    monkeypatch.setattr(letters, "SIGNATURE", "Bob")

    finished(greet.trigger("Ada"))

    assert (heard, finished(sign.trigger("Dear Ada")).output) == (["Ada"], "Dear Ada, yours Bob")


def test_a_delay_of_a_day_is_over_when_the_clock_was_put_forward(
    runfold_worker: Worker, runfold_clock: Clock, sent: list[str]
) -> None:
    handle = greet.trigger("Ada", delay="1d")
    runfold_clock.settle()
    before = list(sent)

    runfold_clock.advance("1d")

    run = finished(handle)
    assert run.started_at is not None
    assert (before, sent, run.started_at - run.created_at >= DAY) == ([], ["Ada"], True)


def test_all_back_offs_of_a_day_take_place(runfold_worker: Worker, runfold_clock: Clock) -> None:
    handle = stubborn.trigger("")

    runfold_clock.advance("1d")

    run = finished(handle)
    starts = [each.started_at for each in run.attempts if each.started_at]
    hours = [(later - earlier) // timedelta(hours=1) for earlier, later in pairwise(starts)]
    assert (run.output, hours) == (4, [1, 2, 4])


def test_a_run_that_is_not_taken_in_time_expires(runfold_worker: Worker, runfold_clock: Clock) -> None:
    runfold.queues.pause("task/greet")
    handle = greet.trigger("Ada", ttl="1h")

    runfold_clock.advance("59m")
    before = runfold.runs.retrieve(handle).status
    runfold_clock.advance("1m")

    assert (before, finished(handle).status) == ("QUEUED", "EXPIRED")


@pytest.mark.parametrize("reminding", [remind, remind_from_a_thread], ids=["async", "sync"])
@pytest.mark.parametrize("freeze_after", [10, 0], ids=["kept", "by its journal"])
def test_waits_of_a_day_are_over(
    runfold_serve: Serve, runfold_clock: Clock, reminding: Task[str, str], freeze_after: float
) -> None:
    runfold_serve(reminding, freeze_after=freeze_after)
    handle = reminding.trigger("Ada")

    # Not 16 hours, when the second of three waits ends, or is about to.
    runfold_clock.advance("17h")
    before = runfold.runs.retrieve(handle)
    runfold_clock.advance("8h")

    assert (before.is_waiting, finished(handle).output) == (True, "Remember Ada!")


@pytest.mark.parametrize("turn", [1, 2])
def test_no_test_sees_the_runs_of_another(runfold_worker: Worker, turn: int) -> None:
    handle = greet.trigger("Ada", idempotency_key="the same")

    assert [run.id for run in runfold.runs.list()] == [handle.id]


def test_a_task_that_triggers_another_stays_in_its_test(runfold_serve: Serve) -> None:
    @task
    async def pass_on(name: str) -> str:
        return (await greet.aio.trigger(name)).id

    runfold_serve(pass_on, greet)
    parent = finished(pass_on.trigger("Ada"))
    assert parent.output is not None

    assert finished(parent.output).output == "Hello, Ada!"


def test_a_task_of_the_test_itself_is_served_when_it_says_so(runfold_serve: Serve) -> None:
    @task
    def where(_: None) -> int:
        return os.getpid()

    runfold_serve(where)

    assert finished(where.trigger(None)).output == os.getpid()


def test_a_worker_that_is_stopped_takes_no_more(runfold_worker: Worker, runfold_clock: Clock) -> None:
    runfold_worker.stop()
    handle = greet.trigger("Ada", ttl="1h")

    runfold_clock.advance("1h")

    assert (runfold_worker.is_running, runfold.runs.retrieve(handle).status) == (False, "EXPIRED")


def test_the_clock_stands_while_a_task_goes_on(runfold_serve: Serve, runfold_clock: Clock) -> None:
    go_on = threading.Event()

    @task
    def hold_up(_: None) -> None:
        go_on.wait(30)

    runfold_serve(hold_up)
    handle = hold_up.trigger(None)
    before = runfold_clock.now()
    try:
        with pytest.raises(runfold.BadRequestError, match=f"{handle.id} of hold_up is EXECUTING"):
            runfold_clock.advance("1d", patience=0.3)
        stood = runfold_clock.now() - before < DAY
        moved = runfold_clock.advance("1d", patience=None) - before >= DAY
        goes_on = runfold.runs.retrieve(handle).status
    finally:
        go_on.set()

    assert (stood, moved, goes_on, finished(handle).status) == (True, True, "EXECUTING", "COMPLETED")


def test_who_waits_for_an_end_that_does_not_come_is_told_why(runfold_worker: Worker) -> None:
    handle = greet.trigger("Ada", delay="1h")

    with pytest.raises(TimeoutError, match=r"still DELAYED after 0.05. It is delayed until"):
        finished(handle, timeout=0.05)


async def test_a_task_that_never_ends_does_not_hold_up_the_end_of_its_test(runfold_serve: Serve) -> None:
    @task
    async def sleep(_: None) -> None:
        await asyncio.Event().wait()

    runfold_serve(sleep)
    await sleep.aio.trigger(None)
