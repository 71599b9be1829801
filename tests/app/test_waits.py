"""Workers whose runs wait: what they report, what frees the slot and the process, and what wakes the run again."""

from collections.abc import Collection
from typing import Any

import pytest

from domain.events import Recorded
from domain.status import Status
from tests.app.harness import START, START_MS, Engine, report
from tests.app.statuses import ERROR
from tests.app.waiting import FOR_A_DAY, block, blocked, entry, stepped, waits
from tests.shown import shows

SERIAL: dict[str, Any] = {"id": "greet", "queue": {"name": "one", "concurrencyLimit": 1}}
TOKENS = "/api/v1/waitpoints/tokens"
LARGE = 40_000
"""More characters than stand in an event."""
MINUTE: dict[str, Any] = {"until": START_MS + 60_000}


def _woken(handed: dict[str, Any], wait: int = 0, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"run": handed["id"], "token": handed["token"], "wait": wait}
    nothing: dict[str, Any] = {"done": [], "timedOut": False, "unknown": []}
    return told | nothing | more


@shows(Status.WAITING)
async def test_a_run_that_waits_leaves_its_slot_to_another_and_is_woken(engine: Engine) -> None:
    version = await engine.register(SERIAL)
    run, other = await engine.trigger(), await engine.trigger()
    handed = await block(engine, version, {"until": START_MS + 4_000})
    waiting = await engine.retrieve(run)
    assert (await engine.perform(version))["id"] == other

    await engine.advance(4_000)
    answer = await engine.turn(version, want=0)

    assert (waiting["status"], waiting["isWaiting"], waiting["isExecuting"]) == ("WAITING", True, False)
    assert answer["woken"] == [_woken(handed)]
    assert (await engine.retrieve(run))["status"] == "EXECUTING"
    assert (await engine.events(run))[-4:] == ["WaitStarted", "RunBlocked", "WaitCompleted", "RunResumed"]


@shows(Status.FROZEN)
async def test_a_frozen_run_goes_on_in_another_worker_by_its_journal(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    step, wait = stepped(handed, 0, {"paid": 7}, digest="d"), waits(handed, 1, **MINUTE)
    await engine.turn(version, step, wait, blocked(handed, 1), report(handed, "frozen"), want=0)
    frozen = await engine.retrieve(run)

    await engine.advance(60_000)
    engine.session, engine.sequence = "worker_2", 0
    again = await engine.take(version)

    assert (frozen["status"], frozen["isWaiting"]) == ("FROZEN", True)
    assert [again[name] for name in ("id", "attempt", "journalSize")] == [run, 1, 2]
    assert again["journal"] == [
        {"index": 0, "name": "charge", "kind": "succeeded", "attempt": 1, "digest": "d", "result": {"paid": 7}},
        {"index": 1, "name": "wait", "kind": "waiting", "attempt": 1, "completed": {"behind": 2}},
    ]
    body = await engine.retrieve(run)
    assert (body["status"], body["attemptCount"], body["startedAt"]) == ("EXECUTING", 1, START)


async def test_a_worker_reads_again_in_which_order_the_code_heard(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    handed = await engine.take(version)
    said: dict[str, Any] = {"heard": [0], "left": [1], "ahead": 1}
    reports = [stepped(handed, 1, None), stepped(handed, 2, None, **said), report(handed, "frozen")]
    await engine.turn(version, waits(handed, 0, **MINUTE), *reports[:2], blocked(handed, 0), *reports[2:], want=0)

    await engine.advance(60_000)
    again = await engine.take(version)

    assert (
        again["journal"][2] == {"index": 2, "name": "charge", "kind": "succeeded", "attempt": 1, "result": None} | said
    )


async def test_a_run_that_goes_on_is_read_from_the_ledger_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, waits(handed, 0, **MINUTE), blocked(handed, 0), report(handed, "frozen"), want=0)
    await engine.advance(60_000)
    ledger, asked = engine.service.ledger, list[list[str]]()
    read_streams = ledger.read_streams

    def noted(streams: Collection[str], *, upto: int | None = None) -> dict[str, list[Recorded]]:
        asked.append(list(streams))
        return read_streams(streams, upto=upto)

    monkeypatch.setattr(ledger, "read_streams", noted)
    again = await engine.take(version)

    assert (again["id"], again["journalSize"]) == (run, 1)
    assert asked == [[run]]


async def test_a_parent_waits_for_its_child_and_hears_of_its_end(engine: Engine) -> None:
    version = await engine.register()
    parent, child = await engine.trigger(), await engine.trigger()
    handed = await block(engine, version, {"targets": [child]})

    first = await engine.take(version)
    told = await engine.turn(version, report(first, "succeeded"), want=0)

    assert (handed["id"], first["id"]) == (parent, child)
    assert told["woken"] == [_woken(handed, done=[child], results={child: await _result_of(engine, child)})]


async def test_code_that_goes_on_is_told_how_what_it_waited_for_came_out(engine: Engine) -> None:
    version = await engine.register()
    run, child = await engine.trigger(), await engine.trigger()
    token, late = [await _token(engine, within) for within in ("1d", "1m")]
    handed = await block(engine, version, {"targets": [child, token, late]})
    await engine.turn(version, report(await engine.take(version), "failed", error=ERROR, retryable=False), want=0)
    await engine.post(f"{TOKENS}/{token}/complete", {"data": "yes", "outputType": "text/plain"})
    await engine.turn(version, report(handed, "frozen"), want=0)

    await engine.advance(60_000)
    again = await engine.take(version)

    shown = [await engine.get(f"{TOKENS}/{name}") for name in (token, late)]
    assert again["id"] == run
    assert again["journal"][0]["completed"] == {
        "behind": 1,
        "done": [child, token, late],
        "results": {child: await _result_of(engine, child)} | {each["id"]: _completion(each) for each in shown},
    }
    assert [each["status"] for each in shown] == ["COMPLETED", "TIMED_OUT"]


async def test_large_results_are_left_to_be_asked_for(engine: Engine) -> None:
    version = await engine.register()
    token = await _token(engine, "1d")
    await engine.trigger()
    handed = await block(engine, version, {"targets": [token]})

    await engine.post(f"{TOKENS}/{token}/complete", {"data": "x" * LARGE})
    told = await engine.turn(version, want=0)

    assert told["woken"] == [_woken(handed, done=[token])]


async def _result_of(engine: Engine, run: str) -> Any:
    return await engine.get(f"/api/v1/runs/{run}/result")


async def _token(engine: Engine, within: str) -> str:
    made = await engine.post(TOKENS, {"timeout": within})
    token: str = made["id"]
    return token


def _completion(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in ("id", "status", "output", "outputType", "outputIsError")}


async def test_a_target_that_is_not_there_ends_the_wait_and_is_named(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    handed = await engine.take(version)

    answer = await engine.turn(version, waits(handed, 0, "run_nowhere"), want=0)

    assert answer["woken"] == [_woken(handed, unknown=["run_nowhere"])]


async def test_a_worker_that_is_told_nothing_of_a_run_is_told_again_what_it_asks_for(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await block(engine, version, MINUTE)
    engine.clock.wall += 60_000
    told = await engine.turn(version, want=0)

    again = await engine.turn(version, want=0, waits=[[run, handed["token"], [0]]])

    assert told["woken"] == again["woken"] == [_woken(handed)]


async def test_a_retry_is_handed_the_journal_of_the_attempt_before(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": {"maxAttempts": 2, "minTimeoutInMs": 1}})
    await engine.trigger()
    handed = await engine.take(version)
    failed = report(handed, "step_failed", entry=entry(1, "mail", after=0), error=ERROR)
    await engine.turn(version, stepped(handed, 0, 1), failed, report(handed, "failed", error=ERROR), want=0)

    await engine.advance(1_000)
    (again,) = (await engine.turn(version, want=1))["runs"]

    assert (again["attempt"], again["journalSize"]) == (2, 2)
    error = {"message": "not today", "name": "ValueError", "stack_trace": "Traceback"}
    assert again["journal"] == [
        {"index": 0, "name": "charge", "kind": "succeeded", "attempt": 1, "result": 1},
        {"index": 1, "name": "mail", "kind": "failed", "attempt": 1, "after": 0, "error": error},
    ]


async def test_a_gap_in_the_journal_is_refused_and_the_same_entry_again_is_not(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, stepped(handed, 0, 1), want=0)
    head = engine.head

    answer = await engine.turn(version, stepped(handed, 0, 2), stepped(handed, 2, 3), want=0)

    error = f"Entry 2 cannot follow: the journal of run {run} has 1."
    assert answer["refused"] == [{"run": run, "token": handed["token"], "error": error}]
    assert engine.head == head


@pytest.mark.parametrize("kind", ["step_succeeded", "step_failed", "triggered", "waiting"])
async def test_a_report_of_the_journal_without_its_entry_is_refused(engine: Engine, kind: str) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)

    answer = await engine.turn(version, report(handed, kind, output=1, error=ERROR), want=0)

    error = f"A report of the kind '{kind}' names its entry in the journal."
    assert answer["refused"] == [{"run": run, "token": handed["token"], "error": error}]


async def test_a_wait_has_a_bound_of_targets(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    handed = await engine.take(version)
    body = {"session": engine.session, "version": version, "sequence": engine.sequence + 1}
    many = waits(handed, 0, *(f"run_{number}" for number in range(1_001)))

    sentence = await engine.refused("POST", "/worker/v1/turn", 422, json=body | {"reports": [many]})

    assert sentence == "A wait has at most 1000 targets; this one has 1001."


async def test_a_large_journal_is_read_page_by_page(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    large = "x" * 400_000
    for index in range(5):
        await engine.turn(version, stepped(handed, index, large), want=0)
    await engine.turn(version, waits(handed, 5, **FOR_A_DAY), report(handed, "frozen"), want=0)

    path, page, indexes = f"/worker/v1/runs/{run}/journal", -1, list[list[int]]()
    while entries := (await engine.get(path, after=page))["entries"]:
        indexes.append([each["index"] for each in entries])
        assert [each["result"] for each in entries if each["kind"] == "succeeded"] == [large] * len(
            [each for each in entries if each["index"] < 5]
        )
        page = entries[-1]["index"]

    assert indexes == [[0, 1], [2, 3], [4, 5]]
