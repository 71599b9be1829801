"""`GET /api/v1/runs/{id}/journal`: what the code of a run did and waits for, now and as it was."""

from typing import Any

import pytest

from domain.durations import iso
from tests.app.harness import LEASE_MS, START, START_MS, Engine, report
from tests.app.statuses import ERROR
from tests.app.waiting import block, entry, stepped, waits

SECOND = iso(START_MS + 1_000)


def _step(index: int, status: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    return _item(index, "charge", "step", status, **more)


def _wait(index: int, status: str = "WAITING", **more: Any) -> dict[str, Any]:
    return _item(index, "wait", "wait", status, **more)


def _item(index: int, name: str, kind: str, status: str, **more: Any) -> dict[str, Any]:
    item = {"index": index, "name": name, "number": 1, "kind": kind, "status": status, "attempt": 1, "at": START}
    return item | more


async def _journal(engine: Engine, run: str, **parameters: Any) -> Any:
    return (await engine.get(f"/api/v1/runs/{run}/journal", **parameters))["entries"]


async def test_steps_children_and_waits_are_told_in_their_order(engine: Engine) -> None:
    version = await engine.register()
    run, child = await engine.trigger(), await engine.trigger(delay="1h")
    handed = await engine.take(version)
    failed = report(handed, "step_failed", entry=entry(1, "charge", number=2, after=0, forked=True), error=ERROR)
    children = report(handed, "triggered", entry=entry(2, "ship", after=0), runs=[child], batch="batch_1")
    reports = [stepped(handed, 0, None), failed, children, waits(handed, 3, child, until=START_MS + 1_000)]
    await engine.turn(version, *reports, want=0)

    journal = await _journal(engine, run)

    assert journal == [
        _step(0, result=None),
        _step(1, "FAILED", number=2, after=0, forked=True, error=ERROR),
        _item(2, "ship", "children", "TRIGGERED", after=0, runs=[child], batch="batch_1"),
        _wait(3, any=False, targets=[child], until=SECOND),
    ]


@pytest.mark.parametrize("ends", ["canceled", "timed out"])
async def test_how_a_wait_ended_is_told(engine: Engine, ends: str) -> None:
    version = await engine.register()
    run, child = await engine.trigger(), await engine.trigger(delay="1h")
    await block(engine, version, {"targets": [child], "any": True, "until": START_MS + 1_000})

    if ends == "canceled":
        await engine.post(f"/api/v2/runs/{child}/cancel")
        ended: dict[str, Any] = {"status": "COMPLETED", "done": [child], "endedAt": START}
    else:
        await engine.advance(1_000)
        ended = {"status": "TIMED_OUT", "endedAt": SECOND}

    waited: dict[str, Any] = {"any": True, "targets": [child], "until": SECOND}
    assert await _journal(engine, run) == [_wait(0, **waited | ended)]


async def test_a_wait_for_what_is_not_there_names_it(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    await block(engine, version, {"targets": ["run_0"]})

    told = {"any": False, "targets": ["run_0"], "unknown": ["run_0"], "endedAt": START}
    assert await _journal(engine, run) == [_wait(0, "COMPLETED", **told)]


async def test_what_a_failed_attempt_waited_for_is_cleared_and_its_steps_are_kept(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": {"maxAttempts": 2, "minTimeoutInMs": 1_000}})
    run = await engine.trigger()
    handed = await engine.take(version)
    until = START_MS + LEASE_MS
    reports = [stepped(handed, 0, 1), waits(handed, 1, until=until), report(handed, "failed", error=ERROR)]
    await engine.turn(version, *reports, want=0)
    await engine.advance(2_000)
    again = await engine.take(version)
    await engine.turn(version, waits(again, 2, until=until), want=0)

    journal = await _journal(engine, run)

    assert journal == [
        _step(0, result=1),
        _wait(1, "CLEARED", until=iso(until), endedAt=START),
        _wait(2, attempt=2, until=iso(until)),
    ]


async def test_the_journal_is_told_as_it_was(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, stepped(handed, 0, 1), want=0)
    position = engine.head
    await engine.turn(version, waits(handed, 1, until=START_MS + 1_000), want=0)
    await engine.advance(1_000)

    told = [await _journal(engine, run, asOf=moment) for moment in (position - 1, position, START, SECOND)]

    wait = _wait(1, until=SECOND)
    ended = wait | {"status": "COMPLETED", "endedAt": SECOND}
    assert told == [[], [_step(0, result=1)], [_step(0, result=1), wait], [_step(0, result=1), ended]]


async def test_large_results_make_pages(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    large = "x" * 400_000
    for index in range(5):
        await engine.turn(version, stepped(handed, index, large), want=0)

    pages: list[Any] = [await engine.get(f"/api/v1/runs/{run}/journal")]
    while (last := pages[-1].get("next")) is not None:
        pages.append(await engine.get(f"/api/v1/runs/{run}/journal", after=last))

    assert [page.get("next") for page in pages] == [1, 3, None]
    entries = [each for page in pages for each in page["entries"]]
    assert entries == [_step(index, result=large) for index in range(5)]


async def test_a_run_without_steps_has_an_empty_journal(engine: Engine) -> None:
    run = await engine.trigger()

    assert await engine.get(f"/api/v1/runs/{run}/journal") == {"entries": []}
    assert await engine.get(f"/api/v1/runs/{run}/journal", after=7) == {"entries": []}
    sentence = await engine.refused("GET", f"/api/v1/runs/{run}/journal", 404, params={"asOf": 1})
    assert sentence == f"Run {run} did not exist yet."


@pytest.mark.parametrize("after", ["-2", "x", "1.5"])
async def test_a_place_that_is_none_is_refused(engine: Engine, after: str) -> None:
    run = await engine.trigger()

    await engine.refused("GET", f"/api/v1/runs/{run}/journal", 400, params={"after": after})
