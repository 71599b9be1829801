"""How a worker ends: it finishes what it can and gives back the rest."""

import asyncio

import pytest
from starlette.responses import Response

from runfold import Context, task
from runfold.worker import holding, service
from runfold.worker.children import Children
from runfold.worker.holding import Holding
from runfold.worker.wire import Environment, HandOut, Report
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine, unavailable


async def test_what_runs_is_finished_and_reported(engine: FakeEngine, working: WORKERS) -> None:
    gate = asyncio.Event()

    @task
    async def gated() -> str:
        await gate.wait()
        return "finished"

    async with working(gated) as worker:
        run = await engine.give("gated")
        await engine.report(run, "started")
        worker.stop.set()
        await engine.turn(lambda turn: turn["want"] == 0)
        late = await engine.give("gated")
        gate.set()

        assert await worker.result

    assert engine.kinds(run) == ["started", "succeeded"]
    assert engine.kinds(late) == []


async def test_an_idle_worker_takes_its_leave_in_its_last_turn(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.wait_for_ever) as worker:
        await engine.turn(lambda turn: turn["want"] > 0)
        worker.stop.set()

        assert await worker.result

    assert [turn.get("leaving", False) for turn in engine.turns] == [False, True]


async def test_a_worker_takes_its_leave_with_the_report_of_its_last_run(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.wait_for_ever, grace_seconds=0) as worker:
        run = await engine.give("wait_for_ever")
        await engine.report(run, "started")
        worker.stop.set()

        assert await worker.result

    assert [turn["reports"][-1]["kind"] for turn in engine.turns if turn.get("leaving")] == ["released"]


async def test_what_takes_longer_than_the_grace_is_given_back(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.wait_for_ever, grace_seconds=0) as worker:
        run = await engine.give("wait_for_ever")
        await engine.report(run, "started")
        worker.stop.set()

        assert await worker.result

    assert engine.kinds(run) == ["started", "released"]


async def test_a_run_that_ends_by_itself_when_told_to_stop_has_succeeded(engine: FakeEngine, working: WORKERS) -> None:
    @task
    async def patient(payload: None, ctx: Context) -> str:
        await ctx.cancelled.wait()
        return "saved"

    async with working(patient, grace_seconds=0) as worker:
        run = await engine.give("patient")
        await engine.report(run, "started")
        worker.stop.set()

        assert await worker.result

    assert (await engine.end(run))["output"] == "saved"


async def test_a_run_that_is_cancelled_while_it_is_waited_for_does_not_hold_up_the_end(
    engine: FakeEngine, working: WORKERS
) -> None:
    gate, is_cancelled = asyncio.Event(), asyncio.Event()

    @task
    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()
            await gate.wait()

    async with working(tidy, concurrency=1) as worker:
        run = await engine.give("tidy")
        await engine.report(run, "started")
        worker.stop.set()
        await engine.cancel(run)
        await is_cancelled.wait()
        await engine.turn(lambda turn: turn["received"] == engine.turns[-1]["sequence"] - 1)
        gate.set()

        assert await worker.result

    assert engine.kinds(run) == ["started"]


async def test_code_that_cannot_be_stopped_does_not_hold_up_the_end(
    engine: FakeEngine, working: WORKERS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "STOP_SECONDS", 0.01)
    gate = asyncio.Event()

    @task
    async def stubborn() -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    async with working(stubborn, grace_seconds=0) as worker:
        run = await engine.give("stubborn")
        await engine.report(run, "started")
        worker.stop.set()

        assert await worker.result

    gate.set()
    assert engine.kinds(run) == ["started", "released"]


async def test_runs_that_arrive_after_the_stop_go_back() -> None:
    held = Holding({"greet": jobs.greet}, Children(jobs.__name__, 1), 10, clock=lambda: 5)
    await held.close(0)

    held.take([HandOut("run_1", 7, "greet", 0, Environment("env_1", "dev", "DEVELOPMENT"))])

    assert held.holds() == [("run_1", 7)]
    assert held.take_reports(1000) == [Report("run_1", 7, "released", 5)]
    assert not held.is_over, "the report is not acknowledged"


async def test_what_the_engine_no_longer_wants_is_not_reported() -> None:
    held = Holding({"greet": jobs.greet}, Children(jobs.__name__, 1), 10)
    await held.close(0)
    held.take([HandOut("run_1", 7, "greet", 0, Environment("env_1", "dev", "DEVELOPMENT"))])

    held.forget("run_1", 7, "GONE")

    assert (held.take_reports(1000), held.holds(), held.is_over) == ([], [], True)


async def test_an_idle_worker_ends_at_once(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet) as worker:
        await engine.turn(lambda _: True)
        worker.stop.set()

        assert await worker.result


async def test_a_worker_that_never_reached_the_engine_ends(working: WORKERS) -> None:
    asked = asyncio.Event()

    class Starting(FakeEngine):
        async def _answer(self, request: object) -> Response:
            asked.set()
            await asyncio.sleep(0)
            return unavailable()

    async with working(jobs.greet, engine=Starting()) as worker:
        await asked.wait()
        worker.stop.set()

        assert await worker.result


async def test_a_worker_does_not_wait_for_an_engine_that_is_gone(
    engine: FakeEngine, working: WORKERS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LAST_TURNS_SECONDS", 0.01)
    async with working(jobs.wait_for_ever, grace_seconds=0) as worker:
        run = await engine.give("wait_for_ever")
        await engine.report(run, "started")
        engine.before.extend([unavailable] * 100_000)
        worker.stop.set()

        assert not await worker.result
