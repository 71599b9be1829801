"""The caller's span is kept with the run, and handed to the worker that gets it."""

from typing import Any

import pytest

from tests.app.harness import Engine

SPAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ANOTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-b9c7c989f97918e1-00"


async def accepted(engine: Engine, run: str) -> Any:
    """What was recorded when the run was triggered."""
    return (await engine.get(f"/api/v1/runs/{run}/events"))["events"][0]["data"]


async def triggered(engine: Engine, **headers: str) -> str:
    run: str = (await engine.post("/api/v1/tasks/greet/trigger", {}, **headers))["id"]
    return run


async def test_it_is_in_the_ledger_and_in_what_the_worker_gets(engine: Engine) -> None:
    version = await engine.register()

    run = await triggered(engine, traceparent=SPAN)
    (handed,) = (await engine.turn(version))["runs"]

    assert (await accepted(engine, run))["traceparent"] == SPAN
    assert (handed["id"], handed["traceparent"]) == (run, SPAN)


async def test_every_attempt_gets_it_also_when_the_trigger_is_long_forgotten(engine: Engine) -> None:
    version = await engine.register()
    run = await triggered(engine, traceparent=SPAN)
    (first,) = (await engine.turn(version))["runs"]
    released = {"run": run, "token": first["token"], "kind": "released", "at": engine.clock.wall}

    (second,) = (await engine.turn(version, released))["runs"]

    assert engine.service.triggered.known([run]) == {}, "the second attempt had to look into the ledger"
    assert (second["id"], second["token"] > first["token"], second["traceparent"]) == (run, True, SPAN)


async def test_all_runs_of_a_batch_have_that_of_the_batch(engine: Engine) -> None:
    made = await engine.post("/api/v1/tasks/greet/batch", {"items": [{}, {}]}, traceparent=SPAN)

    assert [(await accepted(engine, each["id"]))["traceparent"] for each in made["runs"]] == [SPAN, SPAN]


async def test_a_replay_belongs_to_whoever_asked_for_it(engine: Engine) -> None:
    run = await triggered(engine, traceparent=SPAN)

    again = (await engine.post(f"/api/v1/runs/{run}/replay", None, traceparent=ANOTHER))["id"]
    alone = (await engine.post(f"/api/v1/runs/{run}/replay"))["id"]

    assert (await accepted(engine, again))["traceparent"] == ANOTHER
    assert "traceparent" not in await accepted(engine, alone)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "yes",
        SPAN.upper(),
        SPAN[:-1],
        f"{SPAN}-01",
        f"ff{SPAN[2:]}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
)
async def test_one_that_cannot_be_read_is_as_good_as_none(engine: Engine, header: str) -> None:
    run = await triggered(engine, traceparent=header)

    assert "traceparent" not in await accepted(engine, run)


async def test_without_one_nothing_is_recorded_or_handed_out(engine: Engine) -> None:
    version = await engine.register()

    run = await triggered(engine)
    (handed,) = (await engine.turn(version))["runs"]

    assert "traceparent" not in await accepted(engine, run)
    assert "traceparent" not in handed
