"""What a worker does with the runs it is given, when their tasks are async."""

import pytest

from runfold import Context, __version__, task
from runfold.schemas import DIALECT
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine


async def test_it_registers_its_tasks_with_their_settings(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet, jobs.fail):
        await engine.turn(lambda _: True)

    assert engine.registrations == [
        {
            "sdk": f"runfold-python/{__version__}",
            "tasks": [
                {
                    "id": "greet",
                    "queue": {"name": "letters", "concurrencyLimit": 3},
                    "retry": {
                        "maxAttempts": 4,
                        "factor": 2.0,
                        "minTimeoutInMs": 1000,
                        "maxTimeoutInMs": 60000,
                        "randomize": True,
                    },
                    "ttl": 60000,
                    "maxDuration": 300000,
                    "payloadSchema": jobs.greet.body.payload_schema,
                },
                {"id": "fail", "payloadSchema": {"$schema": DIALECT, "type": "string"}},
            ],
        }
    ]


async def test_a_run_succeeds_with_its_output(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet):
        run = await engine.give("greet", {"city": "Riga"})
        end = await engine.end(run)

    assert end == {"run": run, "token": 1, "kind": "succeeded", "at": end["at"], "output": "Hello Riga"}
    assert engine.kinds(run) == ["started", "succeeded"]


async def test_a_short_run_tells_its_start_and_its_end_in_one_report(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet):
        run = await engine.give("greet", {"city": "Riga"})
        await engine.end(run)

    [reports] = [turn["reports"] for turn in engine.turns if turn.get("reports")]
    assert [each["kind"] for each in reports] == ["succeeded"]
    assert reports[0]["began"] <= reports[0]["at"]


async def test_a_run_of_which_the_start_was_told_does_not_tell_it_again(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.wait_for_ever, jobs.greet):
        waiting = await engine.give("wait_for_ever")
        await engine.report(waiting, "started")
        await engine.end(await engine.give("greet", {"city": "Riga"}))

    assert engine.kinds(waiting) == ["started", "released"]


async def test_a_failure_is_retryable_and_its_traceback_starts_at_the_task(
    engine: FakeEngine, working: WORKERS, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(jobs.fail):
        run = await engine.give("fail", "no such city")
        end = await engine.end(run)

    assert (end["kind"], end["retryable"]) == ("failed", True)
    assert (end["error"]["name"], end["error"]["message"]) == ("ValueError", "no such city")
    first, second = [line for line in end["error"]["stackTrace"].splitlines() if line.startswith("  File")]
    assert (jobs.__file__ in first, first.endswith("in fail")) == (True, True)
    assert second.endswith("in _raise")
    assert "an attempt failed: ValueError: no such city" in caplog.text


async def test_an_abort_is_not_retryable(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.abort):
        run = await engine.give("abort", "never again")
        end = await engine.end(run)

    assert (end["kind"], end["retryable"]) == ("failed", False)
    assert (end["error"]["name"], end["error"]["message"]) == ("AbortTaskRunError", "never again")


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"city": 3}, "The payload does not fit Order: Expected `str`, got `int` - at `$.city`"),
        ({}, "The payload does not fit Order: Object missing required field `city`"),
    ],
)
async def test_a_payload_that_does_not_fit_is_not_retryable_and_says_where(
    engine: FakeEngine, working: WORKERS, payload: object, sentence: str
) -> None:
    async with working(jobs.greet):
        run = await engine.give("greet", payload)
        end = await engine.end(run)

    assert engine.kinds(run) == ["started", "failed"]
    assert (end["retryable"], end["error"]) == (False, {"name": "InvalidPayloadError", "message": sentence})


async def test_a_result_without_a_json_form_is_not_retryable(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.unencodable):
        run = await engine.give("unencodable")
        end = await engine.end(run)

    sentence = "The result cannot be written as JSON: objects of <class 'object'> have no JSON form"
    assert (end["retryable"], end["error"]) == (False, {"name": "InvalidResultError", "message": sentence})


async def test_a_task_that_calls_exit_ends_only_its_run(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.leave, jobs.greet):
        left = await engine.end(await engine.give("leave"))
        next_one = await engine.end(await engine.give("greet", {"city": "Riga"}))

    assert (left["kind"], left["error"]["name"]) == ("failed", "SystemExit")
    assert next_one["kind"] == "succeeded"


async def test_a_cancelled_part_of_a_run_fails_the_run(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.give_up_inside):
        end = await engine.end(await engine.give("give_up_inside"))

    assert (end["kind"], end["error"]["name"]) == ("failed", "CancelledError")


async def test_a_run_of_an_unknown_task_does_not_get_lost(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.greet):
        run = await engine.give("nobody-knows")
        end = await engine.end(run)

    assert engine.kinds(run) == ["started", "crashed"]
    assert end["error"]["name"] == "KeyError"


async def test_a_cancelled_run_ends_without_a_report_and_makes_room(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.wait_for_ever, jobs.greet, concurrency=1):
        run = await engine.give("wait_for_ever")
        await engine.report(run, "started")
        following = await engine.give("greet", {"city": "Riga"})
        await engine.cancel(run)
        await engine.end(following)

    assert engine.kinds(run) == ["started"]


async def test_a_run_that_is_cancelled_before_it_arrives_never_starts(engine: FakeEngine, working: WORKERS) -> None:
    run = await engine.give("greet", {"city": "Riga"})
    await engine.cancel(run)
    async with working(jobs.greet):
        await engine.end(await engine.give("greet", {"city": "Oslo"}))

    assert engine.kinds(run) == []


async def test_a_run_that_watches_its_cancellation_ends_by_itself(engine: FakeEngine, working: WORKERS) -> None:
    ended: list[str] = []

    @task
    async def watch(payload: None, ctx: Context) -> None:
        await ctx.cancelled.wait()
        ended.append("by itself")

    async with working(watch, jobs.greet, concurrency=1):
        run = await engine.give("watch")
        await engine.report(run, "started")
        following = await engine.give("greet", {"city": "Riga"})
        await engine.cancel(run, "TIMED_OUT")
        await engine.end(following)

    assert engine.kinds(run) == ["started"]
    assert ended == ["by itself"]


async def test_a_run_whose_report_was_refused_is_forgotten(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.wait_for_ever, jobs.greet, concurrency=1):
        run = await engine.give("wait_for_ever")
        engine.refused.add((run, "started"))
        following = await engine.give("greet", {"city": "Riga"})
        await engine.end(following)

    assert engine.kinds(run) == []


async def test_it_never_wants_more_than_it_can_start(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.wait_for_ever, concurrency=3):
        runs = [await engine.give("wait_for_ever") for _ in range(5)]
        for run in runs[:3]:
            await engine.report(run, "started")
        full = await engine.turn(lambda turn: len(turn.get("holds", ())) == 3)
        for run in runs[:2]:
            await engine.cancel(run)
        for run in runs[3:]:
            await engine.report(run, "started")
        for run in runs[2:]:
            await engine.cancel(run)

    assert full["want"] == 0
    assert max(turn["want"] for turn in engine.turns) == 3
