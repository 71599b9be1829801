"""What a worker tells the code of a task of its run, and the engine of itself."""

import os
import socket
from datetime import UTC, datetime

import pytest

from runfold import Context, task
from runfold.current import current_run
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine


async def test_a_body_knows_its_run(engine: FakeEngine, working: WORKERS) -> None:
    facts = {
        "attempt": 2,
        "tags": ["a", "b"],
        "isTest": True,
        "maxAttempts": 3,
        "maxDuration": 1500,
        "idempotencyKey": "k",
        "batchId": "batch_1",
        "queue": "letters",
        "source": "replay",
        "priority": 2.5,
        "concurrencyKey": "ada",
        "parentId": "run_parent",
        "rootId": "run_root",
        "depth": 2,
        "replayOf": "run_old",
        "metadata": {"step": 1},
        "machine": "large-1x",
    }
    async with working(jobs.describe):
        run = await engine.give("describe", **facts)
        end = await engine.end(run)

    assert end["output"] == {
        "run": run,
        "tags": ["a", "b"],
        "created_at": datetime.fromtimestamp(1795323832, UTC).isoformat().replace("+00:00", "Z"),
        "is_test": True,
        "max_attempts": 3,
        "max_duration": 1.5,
        "idempotency_key": "k",
        "batch_id": "batch_1",
        "source": "replay",
        "priority": 2.5,
        "concurrency_key": "ada",
        "parent_id": "run_parent",
        "root_id": "run_root",
        "depth": 2,
        "replay_of": "run_old",
        "metadata": {"step": 1},
        "machine": "large-1x",
        "attempt": 2,
        "attempt_id": f"{run}.2",
        "task": "describe",
        "queue": "letters",
        "environment": "dev",
        "project": "shop",
        "organization": "acme",
        "version": engine.version,
        "is_cancelled": False,
    }


async def test_a_run_of_which_the_engine_names_no_source_was_triggered_by_a_program(
    engine: FakeEngine, working: WORKERS
) -> None:
    async with working(jobs.describe):
        end = await engine.end(await engine.give("describe"))

    assert end["output"]["source"] == "api"


async def test_metadata_in_the_context_cannot_be_changed(engine: FakeEngine, working: WORKERS) -> None:
    @task
    async def change(payload: None, ctx: Context) -> None:
        ctx.run.metadata["step"] = 2  # type: ignore[index]  # pyright: ignore[reportIndexIssue]

    async with working(change):
        end = await engine.end(await engine.give("change", metadata={"step": 1}))

    assert (end["kind"], end["error"]["name"]) == ("failed", "TypeError")


async def test_a_body_knows_the_schedule_that_made_its_run(engine: FakeEngine, working: WORKERS) -> None:
    @task
    async def tell(payload: None, ctx: Context) -> list[str] | None:
        return None if ctx.schedule is None else [ctx.schedule.id, ctx.schedule.timestamp.isoformat()]

    async with working(tell):
        tick = {"id": "sched_1", "timestamp": 1_795_323_832_000}
        ends = [await engine.end(await engine.give("tell", **facts)) for facts in ({"schedule": tick}, {})]

    assert [end["output"] for end in ends] == [["sched_1", "2026-11-22T05:03:52+00:00"], None]


async def test_code_knows_in_which_run_it_is(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.which_run, jobs.which_run_in_process):
        ends = [await engine.end(await engine.give(each)) for each in ("which_run", "which_run_in_process")]

    assert [end["output"] for end in ends] == [end["run"] for end in ends] == ["run_1", "run_2"]
    assert current_run() is None


async def test_a_worker_says_for_which_machines_it_stands(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet, machines=["large-1x", "large-2x"]):
        first = await engine.turn(lambda _: True)

    assert first["machines"] == ["large-1x", "large-2x"]


async def test_a_worker_says_what_people_know_it_by(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet):
        first = await engine.turn(lambda _: True)

    assert first["name"] == f"{socket.gethostname()}/{os.getpid()}"


async def test_a_worker_of_no_machine_says_nothing_of_machines(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet):
        first = await engine.turn(lambda _: True)

    assert "machines" not in first


@pytest.mark.parametrize(("promote", "warnings"), [(None, 0), (True, 0), (False, 1)])
async def test_a_version_that_is_not_current_is_logged(
    engine: FakeEngine, working: WORKERS, caplog: pytest.LogCaptureFixture, *, promote: bool | None, warnings: int
) -> None:
    async with working(jobs.greet, promote=promote):
        await engine.turn(lambda _: True)

    sentence = (
        f"the version {engine.version} is not the current one of dev: until it is promoted, it gets only runs that "
        "are locked to it"
    )
    assert engine.registrations[0].get("promote") is promote
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [sentence] * warnings
