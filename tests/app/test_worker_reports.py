"""Reports of workers: which count, which are answered as before, and which are refused."""

from typing import Any

import pytest

from domain.durations import iso
from domain.status import Status
from tests.app.harness import START_MS, Engine, report
from tests.app.statuses import ERROR
from tests.shown import shows


async def _handed(engine: Engine) -> tuple[str, dict[str, Any]]:
    version = await engine.register()
    await engine.trigger()
    (handed,) = (await engine.turn(version))["runs"]
    return version, handed


@pytest.mark.parametrize(
    ("kind", "status"),
    [("succeeded", "COMPLETED"), ("failed", "FAILED"), ("crashed", "CRASHED"), ("released", "QUEUED")],
)
async def test_an_end_that_overtakes_its_start_counts_for_both(engine: Engine, kind: str, status: str) -> None:
    version, handed = await _handed(engine)

    end = await engine.turn(version, report(handed, kind), want=0)
    head = engine.head
    start = await engine.turn(version, report(handed, "started"), want=0)

    assert (end["refused"], start["refused"], engine.head) == ([], [], head)
    body = await engine.retrieve(handed["id"])
    assert (body["status"], body["attemptCount"]) == (status, 0 if kind == "released" else 1)


async def test_start_and_end_may_come_in_one_turn(engine: Engine) -> None:
    version, handed = await _handed(engine)

    answer = await engine.turn(version, report(handed, "started"), report(handed, "succeeded", output=1))

    assert answer["refused"] == []
    assert (await engine.retrieve(handed["id"]))["output"] == 1


@pytest.mark.parametrize(("kind", "status"), [("succeeded", "COMPLETED"), ("failed", "FAILED"), ("crashed", "CRASHED")])
async def test_an_end_may_tell_of_the_start_along_with_it(engine: Engine, kind: str, status: str) -> None:
    version, handed = await _handed(engine)
    engine.clock.move_to(START_MS + 100)
    end = report(handed, kind, error=ERROR, at=START_MS + 70, began=START_MS + 20)

    answers = [await engine.turn(version, end, want=0) for _ in range(2)]

    assert [each["refused"] for each in answers] == [[], []]
    body = await engine.retrieve(handed["id"])
    assert (body["status"], body["attemptCount"], body["durationMs"]) == (status, 1, 50)
    assert body["startedAt"] == iso(START_MS + 20)


@pytest.mark.parametrize("began", [0, START_MS + 90])
async def test_a_start_told_by_an_end_lies_between_the_trigger_and_that_end(engine: Engine, began: int) -> None:
    version, handed = await _handed(engine)
    engine.clock.move_to(START_MS + 100)

    await engine.turn(version, report(handed, "succeeded", at=START_MS + 70, began=began), want=0)

    started = iso(START_MS if began == 0 else START_MS + 70)
    assert (await engine.retrieve(handed["id"]))["startedAt"] == started


async def test_a_start_that_is_known_is_not_told_anew_by_the_end(engine: Engine) -> None:
    version, handed = await _handed(engine)
    engine.clock.move_to(START_MS + 100)
    await engine.turn(version, report(handed, "started", at=START_MS + 20), want=0)

    await engine.turn(version, report(handed, "succeeded", at=START_MS + 70, began=START_MS + 40), want=0)

    body = await engine.retrieve(handed["id"])
    assert (body["startedAt"], body["durationMs"]) == (iso(START_MS + 20), 50)
    assert body["finishedAt"] == iso(START_MS + 70)


@pytest.mark.parametrize("kind", ["succeeded", "failed", "crashed", "released"])
async def test_the_same_report_again_is_answered_as_before(engine: Engine, kind: str) -> None:
    version, handed = await _handed(engine)
    await engine.turn(version, report(handed, "started"), report(handed, kind, error=ERROR), want=0)
    head = engine.head

    again = await engine.turn(version, report(handed, "started"), report(handed, kind, error=ERROR), want=0)

    assert (again["refused"], engine.head) == ([], head)


async def test_another_end_of_a_closed_attempt_is_refused_and_recorded_once(engine: Engine) -> None:
    version, handed = await _handed(engine)
    await engine.turn(version, report(handed, "started"), report(handed, "succeeded", output=1), want=0)

    answers = [await engine.turn(version, report(handed, "failed", error=ERROR), want=0) for _ in range(3)]

    error = f"Attempt 2 of run {handed['id']} is not open any more: it was succeeded."
    assert [answer["refused"] for answer in answers] == 3 * [[{"run": handed["id"], "token": 2, "error": error}]]
    assert (await engine.events(handed["id"])).count("LateResultRefused") == 1
    assert (await engine.retrieve(handed["id"]))["output"] == 1


@shows(Status.DEQUEUED)
async def test_a_report_behind_another_token_is_refused(engine: Engine) -> None:
    version, handed = await _handed(engine)

    answer = await engine.turn(version, report(handed, "started", token=99))

    error = f"Attempt 99 of run {handed['id']} is not open."
    assert answer["refused"] == [{"run": handed["id"], "token": 99, "error": error}]
    assert (await engine.retrieve(handed["id"]))["status"] == "DEQUEUED"


@pytest.mark.parametrize("run", ["run_unknown", "writer", ""])
async def test_a_report_of_a_run_that_does_not_exist_is_refused(engine: Engine, run: str) -> None:
    version = await engine.register()
    head = engine.head

    answer = await engine.turn(version, {"run": run, "token": 1, "kind": "started", "at": START_MS})

    assert answer["refused"] == [{"run": run, "token": 1, "error": f"Run {run} not found."}]
    assert engine.head == head


async def test_one_refused_report_does_not_keep_the_others_from_counting(engine: Engine) -> None:
    version, handed = await _handed(engine)
    unknown = {"run": "run_unknown", "token": 1, "kind": "started", "at": START_MS}

    answer = await engine.turn(version, unknown, report(handed, "started"), unknown)

    assert len(answer["refused"]) == 2
    assert (await engine.retrieve(handed["id"]))["status"] == "EXECUTING"


async def test_a_started_run_that_is_released_goes_back_without_counting_as_a_failure(engine: Engine) -> None:
    version, handed = await _handed(engine)
    await engine.turn(version, report(handed, "started"), report(handed, "released"), want=0)

    await engine.perform(version, output="second time")

    body = await engine.retrieve(handed["id"])
    assert [attempt["status"] for attempt in body["attempts"]] == ["RELEASED", "COMPLETED"]
    assert (body["status"], body["output"]) == ("COMPLETED", "second time")


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (START_MS - 99_999, START_MS),
        (START_MS + 500, START_MS + 500),
        (START_MS + 99_999, START_MS + 1_000),
        (-5, START_MS),
    ],
)
async def test_a_clock_that_is_off_reports_neither_from_the_future_nor_from_before_the_run(
    engine: Engine, said: int, counts: int
) -> None:
    version, handed = await _handed(engine)
    await engine.advance(1_000)

    await engine.turn(version, report(handed, "started", at=said))

    assert (await engine.retrieve(handed["id"]))["startedAt"] == iso(counts)


async def test_a_failure_without_a_reason_says_so(engine: Engine) -> None:
    version, handed = await _handed(engine)
    await engine.turn(version, report(handed, "started"), report(handed, "failed"))

    error = (await engine.retrieve(handed["id"]))["error"]

    assert error == {"name": "Error", "message": "The worker reported that the attempt failed and did not say why."}


async def test_errors_are_cut_to_a_size_that_lists_can_carry(engine: Engine) -> None:
    version, handed = await _handed(engine)
    long = {"name": "n" * 1_000, "message": "m" * 10_000, "stackTrace": "s" * 100_000}
    await engine.turn(version, report(handed, "started"), report(handed, "failed", error=long))

    error = (await engine.retrieve(handed["id"]))["error"]

    assert {name: len(text) for name, text in error.items()} == {"name": 256, "message": 8_192, "stackTrace": 32_768}
