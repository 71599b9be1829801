"""What a worker does with the runs it is given, when their tasks are not async."""

import os
import signal
from pathlib import Path

import pytest

from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine, Json, is_alive, until


async def test_a_run_runs_in_a_warm_process_of_its_own(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.who):
        first = await engine.end(await engine.give("who"))
        second = await engine.end(await engine.give("who"))

    assert engine.kinds("run_1") == ["started", "succeeded"]
    assert first["output"] == second["output"] != os.getpid()


async def test_a_payload_and_a_context_reach_the_process(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet_in_process):
        end = await engine.end(await engine.give("greet_in_process", {"city": "Riga"}))
        misfit = await engine.end(await engine.give("greet_in_process", {"city": None}))

    assert end["output"] == "Hello Riga from greet_in_process, attempt 1"
    assert (misfit["retryable"], misfit["error"]["name"]) == (False, "InvalidPayloadError")


async def test_a_failure_keeps_its_process(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.who, jobs.fail_in_process):
        before = await engine.end(await engine.give("who"))
        end = await engine.end(await engine.give("fail_in_process", "no such city"))
        after = await engine.end(await engine.give("who"))

    assert (end["error"]["name"], end["error"]["message"]) == ("ValueError", "no such city")
    first, _ = [line for line in end["error"]["stackTrace"].splitlines() if line.startswith("  File")]
    assert first.endswith("in fail_in_process")
    assert before["output"] == after["output"]


@pytest.mark.parametrize(
    ("task", "payload", "error"),
    [
        ("leave_process", 3, {"message": "The process exited with code 3.", "exitCode": 3}),
        ("leave_process", 0, {"message": "The process exited with code 0.", "exitCode": 0}),
        (
            "kill_process",
            signal.SIGKILL,
            {"message": "The process was killed by signal 9 (SIGKILL).", "signal": "SIGKILL"},
        ),
        (
            "kill_process",
            signal.SIGSEGV,
            {"message": "The process was killed by signal 11 (SIGSEGV).", "signal": "SIGSEGV"},
        ),
    ],
)
async def test_the_death_of_a_process_is_a_crash_of_its_run_only(
    engine: FakeEngine, working: WORKERS, task: str, payload: object, error: Json
) -> None:
    async with working(jobs.leave_process, jobs.kill_process, jobs.who):
        run = await engine.give(task, payload)
        crash = await engine.end(run)
        following = await engine.end(await engine.give("who"))

    assert engine.kinds(run) == ["started", "crashed"]
    assert crash["error"] == {"name": "ProcessDied", **error}
    assert following["kind"] == "succeeded"


async def test_what_a_dead_process_has_started_dies_with_it(
    engine: FakeEngine, working: WORKERS, tmp_path: Path
) -> None:
    async with working(jobs.leave_orphan):
        crash = await engine.end(await engine.give("leave_orphan", str(tmp_path)))

    assert crash["error"] == {"name": "ProcessDied", "message": "The process exited with code 4.", "exitCode": 4}
    await until(lambda: not is_alive(int((tmp_path / "orphan").read_text())))


async def test_a_cancelled_run_ends_with_its_process(engine: FakeEngine, working: WORKERS, tmp_path: Path) -> None:
    async with working(jobs.block, jobs.who, processes=1):
        run = await engine.give("block", str(tmp_path))
        await until((tmp_path / "began").exists)
        await engine.cancel(run)
        following = await engine.end(await engine.give("who"))

    assert engine.kinds(run) == ["started"]
    assert following["kind"] == "succeeded", "the only process was free again"
    assert (tmp_path / "ended").exists(), "it was let to clean up"


async def test_a_cancelled_run_that_watches_ends_by_itself(
    engine: FakeEngine, working: WORKERS, tmp_path: Path
) -> None:
    async with working(jobs.watch_in_process, jobs.who, processes=1):
        run = await engine.give("watch_in_process", str(tmp_path))
        await until((tmp_path / "began").exists)
        await engine.cancel(run)
        await engine.end(await engine.give("who"))

    assert engine.kinds(run) == ["started"]
    assert (tmp_path / "ended").exists()


async def test_runs_without_a_free_process_wait_and_are_not_started(
    engine: FakeEngine, working: WORKERS, tmp_path: Path
) -> None:
    async with working(jobs.block, jobs.who, concurrency=5, processes=1, grace_seconds=0):
        blocking = await engine.give("block", str(tmp_path))
        await engine.report(blocking, "started")
        waiting = await engine.give("who")
        await engine.turn(lambda turn: [waiting, 2] in turn.get("holds", ()))

        assert engine.kinds(waiting) == []

    assert engine.kinds(waiting) == ["released"]
    assert engine.kinds(blocking) == ["started", "released"]
