"""Machines: which worker takes a run, and where one goes that used up its memory."""

from tests.app.harness import RETRY, Engine
from tests.app.statuses import ERROR
from tests.shown import shows_option


@shows_option("machine")
async def test_a_run_goes_to_a_worker_that_takes_its_machine(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "machine": "micro"})
    run = await engine.trigger(machine="large-1x")

    small = (await engine.turn(version, machines=["micro", "small-1x"]))["runs"]
    (handed,) = (await engine.turn(version, machines=["large-1x"]))["runs"]

    assert (small, handed["id"], handed["machine"]) == ([], run, "large-1x")
    assert (await engine.retrieve(run))["machine"] == "large-1x"


@shows_option("task.retry.outOfMemory.machine")
async def test_a_run_out_of_memory_goes_on_on_the_larger_machine_and_on_none_beyond(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY | {"outOfMemory": {"machine": "large-1x"}}})
    run = await engine.trigger()
    out_of_memory = {"error": {**ERROR, "code": "OUT_OF_MEMORY"}}

    first = await engine.perform(version, "crashed", **out_of_memory)
    await engine.advance(1_000)
    small = (await engine.turn(version, machines=["micro"]))["runs"]
    second = await engine.perform(version, "crashed", **out_of_memory)

    body = await engine.retrieve(run)
    assert ("machine" in first, small, second["machine"]) == (False, [], "large-1x")
    assert (body["status"], body["machine"], body["attemptCount"]) == ("CRASHED", "large-1x", 2)
