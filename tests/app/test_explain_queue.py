"""`GET /api/v1/runs/{id}/explain`: why a run that is queued does not start yet, and who has one that does."""

from typing import Any

from tests.app.explaining import explained
from tests.app.harness import START, Engine, report

SOON = "2027-01-15T08:01:00.000Z"
EMAILS: dict[str, Any] = {"id": "greet", "queue": {"name": "emails", "concurrencyLimit": 3}}


async def test_a_queue_that_is_paused(engine: Engine) -> None:
    version = await engine.register(EMAILS)
    await engine.turn(version, want=0)
    await engine.post("/api/v1/queues/emails/pause", {"type": "custom", "action": "pause"})
    run = await engine.trigger()
    paused = await explained(engine, run)

    await engine.post("/api/v1/queues/emails/pause", {"type": "custom", "action": "resume"})

    assert paused == ("paused", "Queue emails is paused.", {"queue": "emails"})
    assert (await explained(engine, run))[0] == "turn"


async def test_a_limit_and_the_runs_that_have_the_slots(engine: Engine) -> None:
    version = await engine.register(EMAILS)
    first, second, third, run = [await engine.trigger() for _ in range(4)]
    handed = (await engine.turn(version))["runs"]
    waits = await explained(engine, run)

    await engine.turn(version, report(handed[0], "succeeded"), want=0)

    assert waits == (
        "limit",
        f"3 of 3 slots of queue emails are taken by {first}, {second} and {third}.",
        {"queue": "emails", "limit": 3, "takenBy": [first, second, third]},
    )
    assert (await explained(engine, run))[0] == "turn"


async def test_a_limit_that_more_runs_reach_than_a_sentence_names(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "queue": {"name": "emails", "concurrencyLimit": 12}})
    *holders, run = [await engine.trigger() for _ in range(13)]
    await engine.turn(version, want=20)

    _, sentence, data = await explained(engine, run)

    assert sentence == f"12 of 12 slots of queue emails are taken by {', '.join(holders[:10])} and 2 more."
    assert data["takenBy"] == holders[:10]


async def test_a_limit_of_each_concurrency_key(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "queue": {"name": "emails", "concurrencyLimit": 1}})
    holder, run = [await engine.trigger(concurrencyKey="ada") for _ in range(2)]
    free = await engine.trigger(concurrencyKey="bob")
    await engine.turn(version, want=1)

    assert await explained(engine, run) == (
        "limit",
        f"1 of 1 slot of queue emails for the concurrency key ada is taken by {holder}.",
        {"queue": "emails", "limit": 1, "takenBy": [holder], "concurrencyKey": "ada"},
    )
    assert (await explained(engine, free))[0] == "turn"


async def test_a_limit_of_zero(engine: Engine) -> None:
    await engine.register(EMAILS)
    run = await engine.trigger()
    limit = {"type": "custom", "concurrencyLimit": 0}
    await engine.post("/api/v1/queues/emails/concurrency/override", limit)

    assert await explained(engine, run) == (
        "limit",
        "The limit of queue emails is 0: nothing in it may start.",
        {"queue": "emails", "limit": 0, "takenBy": []},
    )


async def test_the_limit_of_the_environment(engine: Engine) -> None:
    version = await engine.register({"id": "greet"}, {"id": "other"})
    await engine.put("/api/v1/concurrency", {"concurrencyLimit": 2})
    for _ in range(2):
        await engine.trigger("other")
    await engine.turn(version)
    run = await engine.trigger()
    full = await explained(engine, run)

    await engine.put("/api/v1/concurrency", {"concurrencyLimit": 0})
    shut = await explained(engine, run)
    await engine.put("/api/v1/concurrency", {"concurrencyLimit": None})

    data = {"limit": 2, "taken": 2}
    assert full == ("environment_limit", "2 of 2 slots of the whole environment are taken.", data)
    assert shut[1] == "The limit of the whole environment is 0: nothing in it may start."
    assert (await explained(engine, run))[0] == "turn"


async def test_a_rate_that_is_used_up(engine: Engine) -> None:
    queue = {"name": "slow", "rateLimit": {"limit": 2, "periodMs": 60_000}}
    version = await engine.register({"id": "greet", "queue": queue})
    *_, run = [await engine.trigger() for _ in range(3)]
    await engine.turn(version)
    waits = await explained(engine, run)

    await engine.advance(30_000)
    await engine.turn(version, want=0)  # the worker is heard of
    await engine.advance(29_999)
    still = await explained(engine, run)
    await engine.turn(version, want=0)
    await engine.advance(1)

    assert waits == (
        "rate_limit",
        f"Queue slow has used up its rate of 2 starts in 60 s; the next one is possible at {SOON}.",
        {"queue": "slow", "limit": 2, "periodMs": 60_000, "until": SOON},
    )
    assert still == waits
    assert (await explained(engine, run))[0] == "turn"


async def test_no_worker_takes_the_machine(engine: Engine) -> None:
    version = await engine.register({"id": "greet"})
    await engine.turn(version, want=0, machines=["micro"])
    run = await engine.trigger(machine="large-1x")
    waits = await explained(engine, run)

    await engine.turn(version, want=0, machines=["micro", "large-1x"])

    assert waits == (
        "no_worker",
        f"It waits for a worker of version {version} that takes the machine large-1x, and none is connected.",
        {"task": "greet", "version": version, "queue": "task/greet", "machine": "large-1x"},
    )
    assert (await explained(engine, run))[0] == "turn"


async def test_a_worker_of_another_version_does_not_count(engine: Engine) -> None:
    old = await engine.register()
    await engine.turn(old, want=0)
    new = await engine.register({"id": "greet"}, {"id": "other"})

    run = await engine.trigger()

    assert await explained(engine, run) == (
        "no_worker",
        f"It waits for a worker of version {new}, and none is connected.",
        {"task": "greet", "version": new, "queue": "task/greet"},
    )


async def test_a_turn_at_a_worker(engine: Engine) -> None:
    version = await engine.register()
    first, second = await engine.trigger(), await engine.trigger()
    await engine.turn(version, want=1)
    alone = await explained(engine, second)
    third = await engine.trigger()

    await engine.turn(version, want=0)

    data = {"task": "greet", "version": version, "queue": "task/greet", "workers": ["worker_1"]}
    turn = "in queue task/greet, and waits for its turn at the worker that may execute it"
    assert alone == ("turn", f"It is the only run {turn}.", data | {"queued": 1})
    assert await explained(engine, third) == (
        "turn",
        f"It is one of 2 runs {turn}, which is busy.",
        data | {"queued": 2},
    )
    assert (await explained(engine, first))[0] == "handed_out"


async def test_a_worker_that_has_ended_in_order_is_not_waited_for(engine: Engine) -> None:
    version = await engine.register()
    await engine.turn(version, want=0, leaving=True)

    run = await engine.trigger()

    assert await explained(engine, run) == (
        "no_worker",
        f"It waits for a worker of version {version}, and none is connected.",
        {"task": "greet", "version": version, "queue": "task/greet"},
    )


async def test_a_turn_at_several_workers(engine: Engine) -> None:
    version = await engine.register()
    await engine.turn(version, want=0)
    other = Engine(engine.service, engine.clock, engine.client, "worker_2")
    await other.turn(version, want=0)

    run = await engine.trigger()

    reason, sentence, data = await explained(engine, run)
    assert (reason, data["workers"]) == ("turn", ["worker_1", "worker_2"])
    assert sentence == (
        "It is the only run in queue task/greet, and waits for its turn at one of 2 workers that may execute it;"
        " all are busy."
    )


async def test_what_a_worker_has(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    (handed,) = (await engine.turn(version))["runs"]
    handed_out = await explained(engine, run)

    await engine.turn(version, report(handed, "started", at=engine.clock.wall), want=0)

    data = {"worker": "worker_1", "version": version}
    assert handed_out == (
        "handed_out",
        "It was handed to worker worker_1, which has not said yet that it started.",
        data,
    )
    assert await explained(engine, run) == (
        "executing",
        f"Worker worker_1 has been executing attempt 1 since {START}.",
        data | {"attempt": 1, "since": START},
    )
