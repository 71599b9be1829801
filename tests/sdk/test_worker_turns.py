"""How a worker talks with an engine that is slow, gone, restarted or forgetful."""

import asyncio
import logging
import random

import httpx
import pytest
from starlette.responses import Response

from runfold import AuthenticationError, ConfigurationError, Context, task
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine, lost, unavailable
from tests.sdk.waiting_jobs import five_steps


def unreachable() -> Response:
    raise httpx.ConnectError("connection refused")


async def test_a_lost_answer_is_asked_for_again_and_its_run_runs_once(engine: FakeEngine, working: WORKERS) -> None:
    engine.after.append(lost)
    async with working(jobs.greet) as worker:
        run = await engine.give("greet", {"city": "Riga"})
        await engine.end(run)

    first, again, *_ = engine.turns
    assert (first["sequence"], again["sequence"]) == (1, 1)
    assert (first["holds"], again["holds"]) == ([], [])
    assert engine.kinds(run) == ["started", "succeeded"]
    assert len(worker.slept) == 1


async def test_steps_that_follow_one_another_take_a_turn_each(engine: FakeEngine, working: WORKERS) -> None:
    engine.distance = 20
    async with working(five_steps):
        run = await engine.give("five_steps")
        end = await engine.end(run)

    begun = next(place for place, turn in enumerate(engine.turns) if turn.get("reports"))
    told = [[each["kind"] for each in turn.get("reports", [])] for turn in engine.turns[begun:]]
    assert end["output"] == ["0", "1", "2", "3", "4"]
    assert told[:6] == [["started", "step_succeeded"], *[["step_succeeded"]] * 4, ["succeeded"]]


async def test_a_lost_acknowledgement_repeats_the_same_turn_with_what_is_held(
    engine: FakeEngine, working: WORKERS
) -> None:
    engine.after.extend([None, lost])
    async with working(jobs.greet):
        run = await engine.give("greet", {"city": "Riga"})
        await engine.turn(lambda turn: turn["sequence"] == 3)

    first, again = (turn for turn in engine.turns if turn["sequence"] == 2)
    assert again == {**first, "holds": [[run, 1]]}
    assert engine.kinds(run) == ["started", "succeeded"]


async def test_an_engine_that_asks_for_time_gets_it(engine: FakeEngine, working: WORKERS) -> None:
    engine.before.extend([unavailable, unavailable])
    async with working(jobs.greet) as worker:
        await engine.end(await engine.give("greet", {"city": "Riga"}))

    assert worker.slept == [7.0, 7.0]
    assert engine.turns[0]["sequence"] == 1


async def test_an_outage_is_survived_with_one_line_about_it(
    engine: FakeEngine, working: WORKERS, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "runfold.worker")
    engine.before.extend([unreachable] * 40)
    async with working(jobs.greet) as worker:
        await engine.end(await engine.give("greet", {"city": "Riga"}))

    assert len(worker.slept) == 40
    assert max(worker.slept) <= 5.0
    lines = [record.getMessage() for record in caplog.records if "engine" in record.getMessage()]
    assert lines == [
        "lost the engine at http://engine.test (connection refused), trying again until it answers",
        f"the engine answers again after {sum(worker.slept):.1f} s",
    ]


async def test_a_forgotten_version_is_registered_again(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.describe):
        await engine.end(await engine.give("describe"))
        engine.version = "20261123.1"
        end = await engine.end(await engine.give("describe"))
        last = await engine.end(await engine.give("describe"))

    assert len(engine.registrations) == 2
    assert engine.registrations[0] == engine.registrations[1]
    assert end["kind"] == "succeeded"
    assert last["output"]["version"] == "20261123.1"


async def test_a_wrong_key_ends_the_worker(engine: FakeEngine, working: WORKERS) -> None:
    engine = FakeEngine(key="another")
    with pytest.raises(AuthenticationError, match="This key opens no environment"):
        async with working(jobs.greet, engine=engine) as worker:
            await worker.result


async def test_a_turn_that_another_server_answers_ends_the_worker(engine: FakeEngine, working: WORKERS) -> None:
    async def work() -> None:
        async with working(jobs.greet) as worker:
            await engine.end(await engine.give("greet", {"city": "Riga"}))
            engine.before.append(lambda: Response(b'{"ok": true}'))
            await worker.result

    with pytest.raises(ConfigurationError, match="cannot be read: Object missing required field `sequence`"):
        await work()


async def test_a_report_does_not_wait_for_the_turn_that_waits(engine: FakeEngine, working: WORKERS) -> None:
    gate = asyncio.Event()

    @task
    async def gated() -> None:
        await gate.wait()

    async with working(gated, concurrency=5):
        run = await engine.give("gated")
        waiting = await engine.turn(lambda turn: turn.get("holds") == [[run, 1]])
        gate.set()
        await engine.end(run)

    reporting = next(turn for turn in engine.turns if turn["sequence"] == waiting["sequence"] + 1)
    assert waiting["want"] == 4
    assert reporting["want"] == 1, "four may be on their way with the answer to the turn that waits"
    assert reporting["received"] == waiting["sequence"] - 1


async def test_room_is_told_once_while_the_answer_to_the_turn_that_waits_is_late(
    engine: FakeEngine, working: WORKERS
) -> None:
    gate = asyncio.Event()

    @task
    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await gate.wait()

    async with working(tidy, concurrency=2):
        run = await engine.give("tidy")
        engine.refused.add((run, "started"))
        waiting = await engine.turn(lambda turn: turn.get("holds") == [[run, 1]])
        engine.lets_turns_wait = True
        gate.set()
        for _ in range(200):
            await asyncio.sleep(0)
        turns = [(turn["sequence"], turn["want"]) for turn in engine.turns]
        engine.lets_turns_wait = False
        await engine.give("tidy")

    assert turns[waiting["sequence"] - 1 :] == [(waiting["sequence"], 1), (waiting["sequence"] + 1, 1)]


async def test_code_does_not_go_on_behind_a_step_that_is_refused(engine: FakeEngine, working: WORKERS) -> None:
    after: list[str] = []
    stopped = asyncio.Event()

    @task
    async def pay(_payload: None, ctx: Context) -> None:
        engine.refused.add((ctx.run.id, "step_succeeded"))
        # Who looks for itself whether to stop is not ended at once.
        assert not ctx.cancelled.is_set()
        try:
            await ctx.step("charge", str, 7)
            after.append("ship")
        finally:
            stopped.set()

    async with working(pay):
        run = await engine.give("pay")
        await stopped.wait()

    assert after == []
    assert engine.kinds(run) == ["started"]


async def test_answers_are_confirmed_and_sequences_have_no_gaps(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet):
        for _ in range(5):
            await engine.end(await engine.give("greet", {"city": "Riga"}))

    sequences = [turn["sequence"] for turn in engine.turns]
    assert sequences == [*range(1, len(sequences) + 1)]
    assert all(turn["received"] in (turn["sequence"] - 1, turn["sequence"] - 2) for turn in engine.turns)
    assert len({turn["session"] for turn in engine.turns}) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_gets_lost_every_run_runs_once(engine: FakeEngine, working: WORKERS, seed: int) -> None:
    chance = random.Random(seed)
    engine.before.extend(chance.choices([None, unavailable, unreachable], [6, 1, 1], k=1000))
    engine.after.extend(chance.choices([None, lost], [3, 1], k=1000))

    @task
    async def slow(steps: int) -> int:
        for _ in range(steps):
            await asyncio.sleep(0)
        return steps

    async with working(slow, concurrency=7):
        runs = [await engine.give("slow", chance.randrange(30)) for _ in range(100)]
        for run in runs:
            await engine.end(run)

    assert {run: engine.kinds(run) for run in runs} == {run: ["started", "succeeded"] for run in runs}


async def test_large_outputs_are_spread_over_several_turns(engine: FakeEngine, working: WORKERS) -> None:
    @task
    async def large() -> str:
        return "x" * 3_000_000

    for _ in range(3):
        await engine.give("large")
    async with working(large):
        for run in ("run_1", "run_2", "run_3"):
            await engine.end(run)

    ends = [sum(each["kind"] == "succeeded" for each in turn.get("reports", ())) for turn in engine.turns]
    assert max(ends) == 1
    assert sum(ends) == 3
