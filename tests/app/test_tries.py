"""Tries of steps over HTTP: what a worker reports and is handed out again, and what people are told."""

from typing import Any

import pytest

from domain.durations import iso
from tests.app.harness import START, START_MS, Engine, report
from tests.app.statuses import ERROR
from tests.app.waiting import blocked, entry, stepped

SECOND: dict[str, Any] = {"for": 1_000}
IN_A_SECOND = iso(START_MS + 1_000)


def tried(run: dict[str, Any], index: int, name: str = "charge", **more: Any) -> dict[str, Any]:
    """A try failed; the next one is to begin in a second."""
    return report(run, "step_tried", entry=entry(index, name), **({"error": ERROR} | SECOND | more))


async def test_a_failed_try_is_handed_out_again_with_its_end_and_not_with_its_error(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, tried(handed, 0), blocked(handed, 0), report(handed, "frozen"), want=0)
    frozen = await engine.retrieve(run)

    await engine.advance(1_000)
    again = await engine.take(version)

    assert frozen["status"] == "FROZEN"
    assert (again["attempt"], again["journal"]) == (
        1,
        [{"index": 0, "name": "charge", "kind": "tried", "attempt": 1, "completed": {"behind": 1}}],
    )
    assert (await engine.get(f"/worker/v1/runs/{run}/journal"))["entries"] == again["journal"]


async def test_the_journal_tells_of_the_tries_in_front_of_their_step_now_and_as_it_was(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, tried(handed, 0), blocked(handed, 0), want=0)
    open_then = await engine.get(f"/api/v1/runs/{run}/journal")
    then = (await engine.get(f"/api/v1/runs/{run}/events"))["events"][-1]["position"]
    await engine.advance(1_000)
    await engine.turn(version, stepped(handed, 1, "receipt"), report(handed, "succeeded"), want=0)

    journal = await engine.get(f"/api/v1/runs/{run}/journal")

    place = {"name": "charge", "number": 1, "attempt": 1}
    failed = {"index": 0, "kind": "try", "status": "FAILED", "at": START, "error": ERROR, "until": IN_A_SECOND} | place
    assert open_then == {"entries": [failed]}
    assert journal["entries"][0] == failed | {"endedAt": IN_A_SECOND}
    assert journal["entries"][1].items() >= {"kind": "step", "status": "COMPLETED", "result": "receipt"}.items()
    assert await engine.get(f"/api/v1/runs/{run}/journal", asOf=str(then)) == open_then


async def test_it_is_an_event_of_the_run_and_a_span_that_failed(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, tried(handed, 0), want=0)

    (event,) = [
        each for each in (await engine.get(f"/api/v1/runs/{run}/events"))["events"] if each["type"] == "StepTryFailed"
    ]
    trace = (await engine.get(f"/api/v1/runs/{run}/trace"))["trace"]

    assert event["data"] == {
        "entry": {"index": 0, "name": "charge"},
        "error": {"message": ERROR["message"], "name": ERROR["name"], "stack_trace": ERROR["stackTrace"]},
        "until": START_MS + 1_000,
    }
    assert "charge" in str(trace)
    assert ERROR["message"] in str(trace)


async def test_errors_of_tries_are_cut_as_those_of_attempts_are(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    large = {"name": "N" * 1_000, "message": "m" * 100_000, "stackTrace": "s" * 100_000}
    await engine.turn(version, tried(handed, 0, error=large), want=0)

    (row,) = (await engine.get(f"/api/v1/runs/{run}/journal"))["entries"]

    assert {name: len(text) for name, text in row["error"].items()} == {
        "name": 256,
        "message": 8_192,
        "stackTrace": 32_768,
    }


async def test_a_replay_from_a_step_begins_before_its_first_try(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    reports = [
        stepped(handed, 0, 1, name="reserve"),
        tried(handed, 1),
        tried(handed, 2),
        stepped(handed, 3, "receipt"),
        stepped(handed, 4, "label", name="ship"),
    ]
    await engine.turn(version, *reports, report(handed, "succeeded"), want=0)

    async def begun(**body: Any) -> list[tuple[str, str, Any]]:
        await engine.post(f"/api/v1/runs/{run}/replay", body)
        (hand,) = (await engine.turn(version, want=1))["runs"]
        return [(each["name"], each["kind"], each.get("result")) for each in hand.get("journal", [])]

    reserved = ("reserve", "succeeded", 1)
    assert await begun(fromStep="charge") == [reserved]
    assert await begun(fromStep="charge", stepResults={"charge": "other"}) == [
        reserved,
        ("charge", "succeeded", "other"),
    ]
    assert await begun(fromStep="ship", stepResults={"charge": "other"}) == [
        reserved,
        *[("charge", "tried", None)] * 2,
        ("charge", "succeeded", "other"),
    ]


@pytest.mark.parametrize("more", [{"for": None}, {"until": None, "for": None}])
async def test_a_try_without_a_next_one_is_refused(engine: Engine, more: dict[str, Any]) -> None:
    version = await engine.register()
    await engine.trigger()
    handed = await engine.take(version)

    answer = await engine.turn(version, tried(handed, 0, **more), want=0)

    assert [each["error"] for each in answer["refused"]] == [
        "Behind a failed try comes a time until which the next one waits."
    ]
