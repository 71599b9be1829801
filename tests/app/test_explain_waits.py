"""`GET /api/v1/runs/{id}/explain`: what the code of a run waits for, and what keeps it from going on after that."""

from typing import Any

from domain.commands import CompleteWaitpoint, CreateWaitpoint
from domain.durations import iso
from tests.app.explaining import explained
from tests.app.harness import LEASE_MS, START_MS, Engine, report
from tests.app.waiting import block, stepped, waits

MINUTE: dict[str, Any] = {"until": START_MS + 60_000}
IN_A_MINUTE = iso(START_MS + 60_000)
SERIAL: dict[str, Any] = {"id": "greet", "queue": {"name": "mails", "concurrencyLimit": 1}}
KEEPS = "worker worker_1 keeps its process"
OVER = "What its code waited for is over, but there is no slot."


async def _tokens(engine: Engine, number: int) -> list[str]:
    return [await _submit(engine, CreateWaitpoint, f"waitpoint_{index}") for index in range(number)]


async def _submit(engine: Engine, command: type[CreateWaitpoint | CompleteWaitpoint], token: str) -> str:
    environment, at = engine.service.environments()[0].id, engine.clock.wall
    asked = command(environment=environment, actor="test", cause="test", at=at, waitpoint=token)
    await engine.service.loop.submit(asked)
    return token


async def test_a_time_while_the_process_is_kept_and_when_it_is_not(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await block(engine, version, MINUTE)
    kept = await explained(engine, run)

    await engine.turn(version, report(handed, "frozen"), want=0)

    data = {"waits": [{"wait": 0, "until": IN_A_MINUTE}]}
    sentence = f"Its code waits until {IN_A_MINUTE}; "
    assert kept == ("waiting", f"{sentence}{KEEPS}.", data | {"worker": "worker_1"})
    assert await explained(engine, run) == ("waiting", f"{sentence}it is in no process meanwhile.", data)


async def test_all_of_several_runs_and_how_many_are_over(engine: Engine) -> None:
    version = await engine.register()
    run, *children = [await engine.trigger() for _ in range(4)]
    await block(engine, version, {"targets": children, **MINUTE})
    await engine.perform(version)

    told = await explained(engine, run)

    _, second, third = children
    sentence = f"Its code waits for {second} and {third} (1 of 3 is over) until {IN_A_MINUTE} at most; {KEEPS}."
    wait = {"wait": 0, "any": False, "over": 1, "of": 3, "runs": [second, third], "until": IN_A_MINUTE}
    assert told == ("waiting", sentence, {"waits": [wait], "worker": "worker_1"})


async def test_any_of_several_tokens_and_a_run(engine: Engine) -> None:
    version = await engine.register()
    run, other = await engine.trigger(), await engine.trigger()
    tokens = await _tokens(engine, 2)
    await block(engine, version, {"targets": [*tokens, other], "any": True})

    told = await explained(engine, run)

    sentence = f"Its code waits for waitpoint_0, waitpoint_1 or {other}; {KEEPS}."
    wait = {"wait": 0, "any": True, "over": 0, "of": 3, "tokens": tokens, "runs": [other]}
    assert told == ("waiting", sentence, {"waits": [wait], "worker": "worker_1"})


async def test_a_batch_and_how_many_of_its_runs_are_over(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    other = await engine.trigger(delay="1h", idempotencyKey="k")
    handed = await engine.take(version)
    key = {"options": {"idempotencyKey": "k"}}
    batch = (await engine.post("/api/v1/tasks/greet/batch", {"items": [{}, {}, {}, key]}))["batchId"]
    await engine.turn(version, waits(handed, 0, batch), report(handed, "blocked", waits=[0]), want=0)
    await engine.perform(version)
    some = await explained(engine, run)

    await engine.post(f"/api/v2/runs/{other}/cancel")

    sentence = f"Its code waits for {batch} ({{}} of its 4 runs over); {KEEPS}."
    wait = {"wait": 0, "any": False, "over": 0, "of": 1, "batches": [batch]}
    assert some == ("waiting", sentence.format(1), {"waits": [wait], "worker": "worker_1"})
    assert (await explained(engine, run))[1] == sentence.format(2)


async def test_several_waits_at_once(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    (token,) = await _tokens(engine, 1)
    await block(engine, version, {"targets": [token]}, MINUTE)

    reason, sentence, data = await explained(engine, run)

    assert (reason, sentence) == ("waiting", f"Its code waits for {token} and until {IN_A_MINUTE}; {KEEPS}.")
    assert [each["wait"] for each in data["waits"]] == [0, 1]


async def test_more_runs_than_a_sentence_names(engine: Engine) -> None:
    version = await engine.register()
    run, *children = [await engine.trigger() for _ in range(13)]
    await block(engine, version, {"targets": children})

    _, sentence, data = await explained(engine, run)

    assert sentence == f"Its code waits for {', '.join(children[:10])} and 2 more (0 of 12 are over); {KEEPS}."
    assert data["waits"][0]["runs"] == children[:10]


async def test_code_that_executes_beside_a_wait(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, waits(handed, 0, **MINUTE), want=0)

    reason, sentence, data = await explained(engine, run)

    assert reason == "executing"
    assert sentence.endswith(f"; a part of its code waits until {IN_A_MINUTE}.")
    assert data["waits"] == [{"wait": 0, "until": IN_A_MINUTE}]


async def test_a_wait_that_is_over_and_a_slot_that_another_run_has(engine: Engine) -> None:
    version = await engine.register(SERIAL)
    run, holder = await engine.trigger(), await engine.trigger()
    (token,) = await _tokens(engine, 1)
    await block(engine, version, {"targets": [token]})
    handed = await engine.take(version)
    await _submit(engine, CompleteWaitpoint, token)
    waits_for_slot = await explained(engine, run)

    await engine.turn(version, report(handed, "succeeded"), want=0)

    data = {"worker": "worker_1", "over": [0], "queue": "mails", "limit": 1, "takenBy": [holder]}
    sentence = f"{OVER} 1 of 1 slot of queue mails is taken by {holder}."
    assert waits_for_slot == ("limit", sentence, data)
    assert (await explained(engine, run))[0] == "executing"


async def test_a_wait_that_is_over_and_a_queue_that_is_paused(engine: Engine) -> None:
    version = await engine.register(SERIAL)
    run = await engine.trigger()
    (token,) = await _tokens(engine, 1)
    await block(engine, version, {"targets": [token]})
    await engine.post("/api/v1/queues/mails/pause", {"type": "custom", "action": "pause"})
    await _submit(engine, CompleteWaitpoint, token)

    told = await explained(engine, run)

    data = {"worker": "worker_1", "over": [0], "queue": "mails"}
    assert told == ("paused", f"{OVER} Queue mails is paused.", data)


async def test_a_frozen_run_that_may_go_on_and_who_took_it(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await block(engine, version, {"until": START_MS + 1_000})
    await engine.turn(version, report(handed, "frozen"), want=0)
    await engine.advance(1_000)
    queued = await explained(engine, run)

    await engine.turn(version, want=1)

    goes_on = "Attempt 1 goes on behind the entry of its journal."
    turn = "waits for its turn at the worker that may execute it, which is busy"
    assert queued == (
        "turn",
        f"{goes_on} It is the only run in queue task/greet, and {turn}.",
        {
            "task": "greet",
            "version": version,
            "queue": "task/greet",
            "workers": ["worker_1"],
            "queued": 1,
            "attempt": 1,
            "journal": 1,
        },
    )
    reason, sentence, _ = await explained(engine, run)
    assert (reason, sentence) == (
        "handed_out",
        f"{goes_on} It was handed to worker worker_1, which has not said yet that it started.",
    )


async def test_a_run_whose_wait_outlived_its_worker(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    wait = waits(handed, 1, **MINUTE)
    await engine.turn(version, stepped(handed, 0, 1), wait, report(handed, "blocked", waits=[1]), want=0)
    await engine.advance(LEASE_MS)
    frozen = await explained(engine, run)

    await engine.advance(60_000)

    assert frozen[1] == f"Its code waits until {IN_A_MINUTE}; it is in no process meanwhile."
    reason, sentence, _ = await explained(engine, run)
    assert reason == "no_worker"
    assert sentence.startswith("Attempt 1 goes on behind the 2 entries of its journal. It waits for a worker of ")
