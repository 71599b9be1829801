"""How runs end, or go on, when the clock, a crash or a lost worker decides."""

import pytest

from domain.status import Status
from tests.app.harness import LEASE_MS, RETRY, Engine, environment, report
from tests.app.statuses import ERROR
from tests.shown import shows, shows_option

LOST = {"message": f"Worker worker_1 was not heard of for {LEASE_MS} ms.", "name": "WorkerLost", "code": "WORKER_LOST"}
DIED = {**ERROR, "code": "PROCESS_DIED"}


@shows(Status.QUEUED, Status.EXPIRED)
@shows_option("ttl")
async def test_a_run_that_waits_longer_than_its_ttl_expires(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger(ttl="10s")
    await engine.advance(9_999)
    before = await engine.retrieve(run)
    await engine.advance(1)

    body = await engine.retrieve(run)

    assert before["status"] == "QUEUED"
    assert (body["status"], body["expiredAt"], body["finishedAt"], body["isFailed"]) == (
        *("EXPIRED", "2027-01-15T08:00:10.000Z", "2027-01-15T08:00:10.000Z"),
        True,
    )
    assert (await engine.turn(version))["runs"] == []


async def test_the_ttl_begins_when_the_delay_is_over(engine: Engine) -> None:
    run = await engine.trigger(delay="1m", ttl="10s")
    await engine.advance(69_999)
    before = (await engine.retrieve(run))["status"]
    await engine.advance(1)

    assert (before, (await engine.retrieve(run))["status"]) == ("QUEUED", "EXPIRED")


async def test_a_run_that_has_started_once_never_expires(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger(ttl="2s")
    await engine.perform(version, "failed", error=ERROR)

    await engine.advance(10_000)

    assert (await engine.retrieve(run))["status"] == "QUEUED"


@shows(Status.EXECUTING, Status.TIMED_OUT)
@shows_option("task.maxDuration")
async def test_an_attempt_over_its_max_duration_times_out_and_the_worker_is_told(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "maxDuration": 5_000, "retry": RETRY})
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.advance(4_999)
    before = (await engine.retrieve(run))["status"]
    await engine.advance(1)

    told = await engine.turn(version)
    late = await engine.turn(version, report(handed, "succeeded"))

    body = await engine.retrieve(run)
    assert (before, body["status"], body["attempts"][0]["status"]) == ("EXECUTING", "TIMED_OUT", "TIMED_OUT")
    assert told["cancels"] == [{"run": run, "token": handed["token"], "reason": "TIMED_OUT"}]
    error = f"Attempt {handed['token']} of run {run} is not open any more: it was timed out."
    assert late["refused"] == [{"run": run, "token": handed["token"], "error": error}]
    assert body["error"]["message"] == "Run exceeded its maximum duration"


async def test_each_attempt_has_the_whole_max_duration(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "maxDuration": 5_000, "retry": RETRY})
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.advance(4_000)
    await engine.turn(version, report(handed, "failed", error=ERROR), want=0)
    await engine.advance(1_000)
    await engine.take(version)

    await engine.advance(4_000)

    assert (await engine.retrieve(run))["status"] == "EXECUTING"


async def test_a_started_run_of_a_lost_worker_is_retried_by_its_policy(engine: Engine) -> None:
    engine = await environment(engine, "prod")
    engine.session = "worker_1"
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.advance(LEASE_MS)
    lost = await engine.retrieve(run)
    await engine.advance(1_000)

    engine.sequence = 0
    engine.session = "worker_2"
    again = await engine.perform(version, output="ok")

    assert (lost["status"], lost["error"], lost["attempts"][0]["status"]) == ("REATTEMPTING", LOST, "LOST")
    assert (again["id"], again["attempt"]) == (run, 2)
    assert again["token"] > handed["token"]
    assert (await engine.retrieve(run))["status"] == "COMPLETED"


async def test_without_a_retry_a_lost_worker_crashes_its_run(engine: Engine) -> None:
    engine = await environment(engine, "prod")
    engine.session = "worker_1"
    version = await engine.register()
    run = await engine.trigger()
    await engine.take(version)

    await engine.advance(LEASE_MS)

    body = await engine.retrieve(run)
    assert (body["status"], body["error"]) == ("CRASHED", LOST)


@shows(Status.INTERRUPTED)
async def test_in_development_a_lost_worker_interrupts_its_runs(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger()
    await engine.take(version)

    await engine.advance(LEASE_MS)

    body = await engine.retrieve(run)
    assert (body["status"], body["error"], body["attempts"][0]["status"]) == ("INTERRUPTED", LOST, "INTERRUPTED")
    assert body["finishedAt"]


async def test_a_run_that_had_not_started_goes_back_to_its_place(engine: Engine) -> None:
    version = await engine.register()
    first = await engine.trigger()
    await engine.turn(version)
    await engine.trigger()
    await engine.advance(LEASE_MS)
    engine.session = "worker_2"

    (handed,) = (await engine.turn(version, want=1))["runs"]

    assert (handed["id"], handed["attempt"]) == (first, 1)


async def test_turns_keep_the_lease(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    for _ in range(3):
        await engine.advance(LEASE_MS - 1)
        await engine.turn(version, want=0)

    answer = await engine.turn(version, report(handed, "succeeded"), want=0)

    assert answer["refused"] == []
    assert (await engine.retrieve(run))["status"] == "COMPLETED"


@shows(Status.CRASHED)
async def test_a_crash_ends_the_run_however_often_its_task_is_retried(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger()
    await engine.perform(version, "crashed", error=ERROR)

    body = await engine.retrieve(run)

    assert (body["status"], body["error"], body["attempts"][0]["status"]) == ("CRASHED", DIED, "CRASHED")


@shows_option("task.retryOnCrash")
async def test_a_crash_is_retried_where_the_task_opts_in(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY, "retryOnCrash": True})
    run = await engine.trigger()
    await engine.perform(version, "crashed", error=ERROR)

    body = await engine.retrieve(run)

    assert (body["status"], body["error"], body["attempts"][0]["status"]) == ("REATTEMPTING", DIED, "CRASHED")


@shows(Status.FAILED)
async def test_a_failure_that_is_not_retryable_ends_the_run_at_once(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger()
    await engine.perform(version, "failed", error=ERROR, retryable=False)

    assert (await engine.retrieve(run))["status"] == "FAILED"


@shows_option("maxAttempts", "task.retry.maxAttempts")
@pytest.mark.parametrize(("asked", "attempts"), [(None, 3), (1, 1), (5, 5)])
async def test_a_run_has_so_many_attempts_as_its_trigger_or_its_task_says(
    engine: Engine, asked: int | None, attempts: int
) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger(maxAttempts=asked)
    for _ in range(attempts):
        await engine.perform(version, "failed", error=ERROR)
        await engine.advance(60_000)
        engine.sequence, engine.session = 0, engine.session + "x"

    body = await engine.retrieve(run)

    assert (body["status"], body["attemptCount"]) == ("FAILED", attempts)


@shows_option("task.retry.minTimeoutInMs", "task.retry.maxTimeoutInMs", "task.retry.factor", "task.retry.randomize")
async def test_the_back_off_doubles(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY | {"maxAttempts": 5, "maxTimeoutInMs": 3_000}})
    run = await engine.trigger()
    waits: list[int] = []
    for _ in range(4):
        await engine.perform(version, "failed", error=ERROR)
        retry = (await engine.get(f"/api/v1/runs/{run}/events"))["events"][-1]
        waits.append(retry["data"]["at"] - engine.clock.wall)
        await engine.advance(waits[-1])

    assert waits == [1_000, 2_000, 3_000, 3_000]


@shows(Status.SYSTEM_FAILURE)
async def test_a_run_that_is_handed_out_twelve_times_and_never_starts_is_given_up(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    for _ in range(12):
        assert len((await engine.turn(version, want=1))["runs"]) == 1
        await engine.advance(LEASE_MS)
    before = (await engine.retrieve(run))["status"]

    thirteenth = await engine.turn(version, want=1)

    body = await engine.retrieve(run)
    assert (before, thirteenth["runs"], body["status"]) == ("QUEUED", [], "SYSTEM_FAILURE")
    handed = "The run was handed to a worker 12 times, and none said that it started"
    assert body["error"]["message"] == f"{handed}; its code may have begun each time."


async def test_a_start_begins_the_count_of_hand_outs_anew(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    for number in range(20):
        (handed,) = (await engine.turn(version, want=1))["runs"]
        if number == 10:
            await engine.turn(version, report(handed, "started"), report(handed, "released"), want=0)
        else:
            await engine.advance(LEASE_MS)

    assert (await engine.retrieve(run))["status"] == "QUEUED"


async def test_a_run_that_workers_give_back_is_never_given_up(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    for _ in range(20):
        (handed,) = (await engine.turn(version, want=1))["runs"]
        await engine.turn(version, report(handed, "released"), want=0)

    assert (await engine.retrieve(run))["status"] == "QUEUED"
