"""Bulk actions: many runs canceled or replayed, chunk by chunk, each exactly once whatever happens meanwhile."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.sqlite.ledger import MEMORY, SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from app import bulk as bulk_actions
from app.newruns.replaying import replayed
from domain.commands import AdvanceBulk
from domain.errors import LedgerUnavailable
from tests.app.faulty import FaultyLedger
from tests.app.harness import SOON_SECONDS, START, Engine, Log, ManualClock, environment, running_engine

BULK = "/api/v1/bulk-actions"


@pytest.fixture(autouse=True)
def chunk_of_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bulk_actions, "CHUNK_RUNS", 2)
    return iter(())


async def started(engine: Engine, action: str, **more: Any) -> str:
    bulk: str = (await engine.post(BULK, {"action": action} | more))["id"]
    return bulk


async def ended(engine: Engine, bulk: str) -> Any:
    """The bulk action once it is no longer pending."""
    async with asyncio.timeout(SOON_SECONDS):
        # The head is that before the question: what is committed while it is answered is news.
        head = engine.head
        while (told := await engine.get(f"{BULK}/{bulk}"))["status"] == "PENDING":
            await engine.service.loop.feed.grown(head)
            head = engine.head
    return told


async def are_canceled(engine: Engine, *runs: str) -> list[bool]:
    return [(await engine.retrieve(run))["status"] == "CANCELED" for run in runs]


async def test_runs_are_canceled_by_their_ids(engine: Engine) -> None:
    runs = [await engine.trigger() for _ in range(5)]

    bulk = await started(engine, "cancel", runIds=[*runs[:4], "run_none"], name="Too many")

    assert await ended(engine, bulk) == {
        "id": bulk,
        "name": "Too many",
        "type": "CANCEL",
        "status": "COMPLETED",
        "counts": {"total": 5, "success": 4, "failure": 1},
        "createdAt": START,
        "completedAt": START,
    }
    assert await are_canceled(engine, *runs) == 4 * [True] + [False]
    canceled = (await engine.service.history(runs[0]))[-1]
    assert (canceled.actor, canceled.cause) == ("engine", bulk)


async def test_runs_are_canceled_by_a_filter(engine: Engine) -> None:
    wanted = [await engine.trigger(tags=["red"]) for _ in range(5)]
    others = [await engine.trigger(tags=["blue"]), await engine.trigger("other", tags=["red"])]

    bulk = await started(engine, "cancel", filter={"tag": ["red", "green"], "taskIdentifier": "greet"})

    assert (await ended(engine, bulk))["counts"] == {"total": 5, "success": 5, "failure": 0}
    assert await are_canceled(engine, *wanted, *others) == 5 * [True] + 2 * [False]


async def test_a_run_that_ended_otherwise_counts_as_a_failure(engine: Engine) -> None:
    version = await engine.register()
    runs = [await engine.trigger() for _ in range(3)]
    await engine.perform(version)
    await engine.post(f"/api/v2/runs/{runs[1]}/cancel")

    for more in ({"runIds": runs}, {"filter": {"taskIdentifier": ["greet"]}}):
        told = await ended(engine, await started(engine, "cancel", **more))
        assert told["counts"] == {"total": 3, "success": 2, "failure": 1}


async def test_canceling_takes_the_children_along_and_stops_the_attempt(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    batch = (await engine.client.post("/api/v3/batches", json={"runCount": 1, "parentRunId": run})).json()["id"]
    await engine.client.post(
        f"/api/v3/batches/{batch}/items",
        content=b'{"index": 0, "task": "greet"}',
        headers={"content-type": "application/x-ndjson"},
    )
    (child,) = (await engine.get(f"/api/v2/batches/{batch}"))["runs"]

    await ended(engine, await started(engine, "cancel", runIds=[run]))

    assert await are_canceled(engine, run, child) == [True, True]
    answer = await engine.turn(version, want=0)
    assert answer["cancels"] == [{"run": run, "token": handed["token"], "reason": "CANCELED"}]


async def test_runs_are_replayed_once_each_and_their_replays_are_not(engine: Engine) -> None:
    runs = [await engine.trigger("greet", number, tags=["red"]) for number in range(5)]

    bulk = await started(engine, "replay", filter={"tag": "red"})

    assert (await ended(engine, bulk))["counts"] == {"total": 5, "success": 5, "failure": 0}
    found = [await engine.retrieve(run) for run in await engine.listed()]
    replays = {run["replayOf"]: run["payload"] for run in found if "replayOf" in run}
    assert len(found) == 10
    assert replays == {run: number for number, run in enumerate(runs)}
    for run in runs:
        assert (await engine.events(run)).count("RunReplayed") == 1


async def test_large_payloads_are_replayed_in_smaller_chunks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "CHUNK_BYTES", 50_000)
    runs = [await engine.trigger("greet", 60_000 * "x") for _ in range(4)]

    bulk = await started(engine, "replay", runIds=runs)

    assert (await ended(engine, bulk))["counts"] == {"total": 4, "success": 4, "failure": 0}
    cursors = [getattr(each.event, "cursor", None) for each in await engine.service.history(bulk)]
    assert cursors == [None, "1", "2", "3", "4", None]


async def test_what_came_after_the_action_began_is_none_of_its_runs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await engine.trigger()
    begun = asyncio.Event()
    monkeypatch.setattr(engine.service.bulk_actions, "look", begun.set)
    bulk = await started(engine, "cancel", filter={"taskIdentifier": "greet"})
    after = await engine.trigger()
    assert begun.is_set()

    monkeypatch.undo()
    engine.service.bulk_actions.look()

    assert (await ended(engine, bulk))["counts"]["total"] == 1
    assert await are_canceled(engine, before, after) == [True, False]


async def test_a_filter_that_finds_nothing_is_done_at_once(engine: Engine) -> None:
    bulk = await started(engine, "cancel", filter={"tag": "nobody"})

    assert (await ended(engine, bulk))["counts"] == {"total": 0, "success": 0, "failure": 0}


async def test_an_aborted_action_leaves_what_it_did(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await engine.trigger()
    monkeypatch.setattr(engine.service.bulk_actions, "look", lambda: None)
    bulk = await started(engine, "cancel", runIds=[run])

    for _ in range(2):
        assert await engine.post(f"{BULK}/{bulk}/abort") == {"id": bulk}

    told = await ended(engine, bulk)
    assert (told["status"], told["counts"]) == ("ABORTED", {"total": 1, "success": 0, "failure": 0})
    assert await are_canceled(engine, run) == [False]


async def test_a_completed_action_cannot_be_aborted(engine: Engine) -> None:
    bulk = await started(engine, "cancel", runIds=[await engine.trigger()])
    await ended(engine, bulk)

    sentence = await engine.refused("POST", f"{BULK}/{bulk}/abort", 400)

    assert sentence == f"Cannot abort bulk action {bulk}: it is COMPLETED."


async def test_the_same_request_again_begins_no_second_action(engine: Engine) -> None:
    run = await engine.trigger()
    request = {"x-trigger-request-idempotency-key": "request-1"}

    first, second = [await engine.post(BULK, {"action": "replay", "runIds": [run]}, **request) for _ in range(2)]

    assert first == second
    await ended(engine, first["id"])
    assert len(await engine.listed()) == 2


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({}, 422, "A bulk action names its runs either by runIds or by a filter."),
        ({"runIds": ["run_1"], "filter": {"tag": "x"}}, 422, "A bulk action names its runs either by runIds or by a"),
        ({"runIds": []}, 422, "A bulk action names 1 to 1000 runs; this one names 0."),
        ({"runIds": ["x"]}, 422, "'x' is not the id of a run."),
        ({"runIds": ["", "waitpoint_0"]}, 422, "'' is not the id of a run."),
        ({"filter": {}}, 422, "The filter of a bulk action names at least one thing by which to find runs."),
        ({"filter": {"tag": []}}, 422, "The filter of a bulk action names at least one thing by which to find runs."),
        ({"filter": {"tag": ["a,b"]}}, 400, "The filter of the bulk action: A value of the filter 'tag' has a comma"),
        ({"filter": {"tag": {"a": 1}}}, 400, "The filter of the bulk action: The filter 'tag' has a string or a list"),
        ({"filter": {"status": "LOST"}}, 400, "The filter of the bulk action: "),
        ({"filter": {"color": "red"}}, 400, "The filter of the bulk action: There is no filter or page parameter"),
        ({"action": "delete", "runIds": ["run_1"]}, 400, "The body is not of the right shape: Invalid enum value"),
        ({"runIds": ["run_1"], "name": ""}, 422, "The name of a bulk action has 1 to 256 characters."),
    ],
)
async def test_an_action_that_cannot_be_is_refused(engine: Engine, body: Any, status: int, sentence: str) -> None:
    told = await engine.refused("POST", BULK, status, json={"action": "cancel"} | body)

    assert told.startswith(sentence)


async def test_actions_are_listed_newest_first_in_pages(engine: Engine) -> None:
    actions = [await started(engine, "cancel", filter={"tag": str(number)}) for number in range(5)]
    other = await environment(engine, "stg")
    await ended(other, await started(other, "cancel", filter={"tag": "x"}))
    for action in actions:
        await ended(engine, action)
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await engine.get(BULK, **{"page[size]": "2"}, **cursor)
        pages.append([each["id"] for each in page["data"]])
        if "next" not in page["pagination"]:
            break
        cursor = {"page[after]": page["pagination"]["next"]}
    back = await engine.get(BULK, **{"page[size]": "2", "page[before]": page["pagination"]["previous"]})

    newest = actions[::-1]
    assert pages == [newest[:2], newest[2:4], newest[4:]]
    assert [each["id"] for each in back["data"]] == newest[2:4]


async def test_nobody_sees_or_stops_the_action_of_another_environment(engine: Engine) -> None:
    run = await engine.trigger()
    bulk = await started(engine, "cancel", filter={"tag": "x"})
    await ended(engine, bulk)
    other = await environment(engine, "stg")

    for method, path in (("GET", f"{BULK}/{bulk}"), ("POST", f"{BULK}/{bulk}/abort")):
        assert await other.refused(method, path, 404) == f"Bulk action {bulk} not found."
    foreign = await started(other, "cancel", runIds=[run])
    again = await started(other, "replay", runIds=[run])

    for each in (foreign, again):
        assert (await ended(other, each))["counts"] == {"total": 1, "success": 0, "failure": 1}
    assert await are_canceled(engine, run) == [False]


async def test_an_engine_that_starts_again_carries_the_action_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ledgers = [SqliteLedger(MEMORY, name="bulk") for _ in range(2)]
    views = [SqliteReadModels(MEMORY, name="bulk-views") for _ in range(2)]
    clock = ManualClock()
    async with running_engine(ledgers[0], views[0], clock) as engine:
        runs = [await engine.trigger() for _ in range(5)]
        submit, done = engine.service.loop.submit, asyncio.Event()

        async def submit_once(command: Any) -> Any:
            # The engine is gone after the first chunk, before it could do the second.
            if isinstance(command, AdvanceBulk) and done.is_set():
                await asyncio.Event().wait()
            answer = await submit(command)
            if isinstance(command, AdvanceBulk):
                done.set()
            return answer

        monkeypatch.setattr(engine.service.loop, "submit", submit_once)
        bulk = await started(engine, "replay", runIds=runs)
        await done.wait()
        told = await engine.get(f"{BULK}/{bulk}")
        assert (told["status"], told["counts"]["success"]) == ("PENDING", 2)

    async with running_engine(ledgers[1], views[1], clock) as engine:
        told = await ended(engine, bulk)

        assert told["counts"] == {"total": 5, "success": 5, "failure": 0}
        for run in runs:
            assert (await engine.events(run)).count("RunReplayed") == 1
        assert len(await engine.listed()) == 10


@pytest.mark.parametrize("trouble", ["loses_answers", "fails"])
async def test_a_chunk_of_which_nothing_was_heard_is_done_once(
    log: Log, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(bulk_actions, "AGAIN_SECONDS", 0)
    ledger = FaultyLedger()
    async with running_engine(ledger) as engine:
        runs = [await engine.trigger() for _ in range(3)]
        ask, troubles = engine.service.loop.ask, [trouble]

        def ask_in_trouble(command: Any) -> Any:
            if isinstance(command, AdvanceBulk) and troubles:
                setattr(ledger, troubles.pop(), 1)
            return ask(command)

        monkeypatch.setattr(engine.service.loop, "ask", ask_in_trouble)
        told = await ended(engine, await started(engine, "replay", runIds=runs))

        assert told["counts"] == {"total": 3, "success": 3, "failure": 0}
        assert [(await engine.events(run)).count("RunReplayed") for run in runs] == [1, 1, 1]
    log.clear()


async def test_an_action_that_cannot_go_on_is_aborted_and_the_others_go_on(
    engine: Engine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await engine.trigger() for _ in range(3)]

    async def replayed_or_not(history: Any, *more: Any) -> Any:
        if history[0].stream == runs[2]:
            raise KeyError("a payload")
        return await replayed(history, *more)

    monkeypatch.setattr(bulk_actions, "replayed", replayed_or_not)
    broken = await started(engine, "replay", runIds=runs)
    other = await started(engine, "replay", runIds=runs[:2])

    assert (await ended(engine, other))["counts"] == {"total": 2, "success": 2, "failure": 0}
    assert await ended(engine, broken) == {
        "id": broken,
        "type": "REPLAY",
        "status": "ABORTED",
        "counts": {"total": 3, "success": 2, "failure": 0},
        "createdAt": START,
        "completedAt": START,
        "error": "The engine could not carry it on: KeyError. Its log tells more.",
    }
    assert (await engine.service.readiness()).problems == []
    assert [(each["event"], each["bulk"]) for each in log] == [("a bulk action cannot go on", broken)]
    log.clear()


async def of_bulk(engine: Engine, bulk: str, **more: Any) -> list[str]:
    """The runs that a list has of a bulk action, the newest first."""
    return await engine.listed(**{"filter[bulkAction]": bulk}, **more)


async def test_the_runs_that_a_bulk_action_canceled_can_be_listed(engine: Engine) -> None:
    runs = [await engine.trigger(tags=["red"]) for _ in range(5)]
    await engine.post(f"/api/v2/runs/{runs[0]}/cancel")
    other = await started(engine, "cancel", runIds=runs[1:2])
    await ended(engine, other)
    bulk = await started(engine, "cancel", filter={"tag": "red"})
    await ended(engine, bulk)

    assert await of_bulk(engine, bulk) == runs[:1:-1]
    assert await of_bulk(engine, other) == [runs[1]]
    assert await of_bulk(engine, bulk, **{"filter[tag]": "blue"}) == []
    assert await of_bulk(engine, "bulk_none") == await of_bulk(engine, runs[0]) == []


async def test_the_replays_of_a_bulk_action_can_be_listed_page_by_page_and_as_of_a_moment(engine: Engine) -> None:
    runs = [await engine.trigger() for _ in range(3)]
    before = engine.head
    bulk = await started(engine, "replay", runIds=runs)
    await ended(engine, bulk)
    newest, *older = found = await of_bulk(engine, bulk)
    first = await engine.get("/api/v1/runs", **{"filter[bulkAction]": bulk, "page[size]": 1})
    rest = await of_bulk(engine, bulk, **{"page[after]": first["pagination"]["next"]})
    canceled = await started(engine, "cancel", filter={"bulkAction": bulk})
    await ended(engine, canceled)

    assert [(await engine.retrieve(run))["replayOf"] for run in found] == runs[::-1]
    assert ([each["id"] for each in first["data"]], rest) == ([newest], older)
    assert await of_bulk(engine, bulk, asOf=before) == []
    assert await of_bulk(engine, bulk, asOf=engine.head) == found
    assert await of_bulk(engine, canceled) == found
    assert await are_canceled(engine, *runs, *found) == [False] * 3 + [True] * 3


async def test_another_environment_does_not_see_the_runs_of_a_bulk_action(engine: Engine) -> None:
    bulk = await started(engine, "cancel", runIds=[await engine.trigger()])
    await ended(engine, bulk)
    other = await environment(engine, "staging")

    assert await of_bulk(other, bulk) == []


async def test_an_action_in_trouble_holds_up_no_other(
    engine: Engine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "AGAIN_SECONDS", 3_600)
    runs = [await engine.trigger() for _ in range(5)]
    submit, refused = engine.service.loop.submit, asyncio.Event()

    async def submit_or_refuse(command: Any) -> Any:
        if isinstance(command, AdvanceBulk) and command.runs:
            refused.set()
            raise LedgerUnavailable("The disk is full.")
        return await submit(command)

    monkeypatch.setattr(engine.service.loop, "submit", submit_or_refuse)
    broken = await started(engine, "replay", runIds=runs)
    await refused.wait()
    other = await started(engine, "cancel", runIds=runs)

    assert (await ended(engine, other))["counts"] == {"total": 5, "success": 5, "failure": 0}
    assert (await engine.get(f"{BULK}/{broken}"))["status"] == "PENDING"
    assert [(each["event"], each["bulk"]) for each in log] == [("a bulk action has to wait", broken)]


async def test_an_action_that_waits_for_the_read_models_holds_up_no_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await engine.trigger() for _ in range(5)]
    followed, asked, caught_up = engine.service.followed, asyncio.Event(), asyncio.Event()

    async def followed_later(position: int, seconds: float) -> int:
        asked.set()
        await caught_up.wait()
        return await followed(position, seconds)

    monkeypatch.setattr(engine.service, "followed", followed_later)
    by_filter = await started(engine, "cancel", filter={"taskIdentifier": "greet"})
    await asked.wait()
    by_ids = await started(engine, "cancel", runIds=runs[:4])

    assert (await ended(engine, by_ids))["counts"] == {"total": 4, "success": 4, "failure": 0}
    caught_up.set()
    assert (await ended(engine, by_filter))["counts"] == {"total": 5, "success": 5, "failure": 0}


async def test_a_trouble_that_lasts_is_said_once(engine: Engine, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "AGAIN_SECONDS", 0)
    runs = [await engine.trigger() for _ in range(3)]
    submit, troubles = engine.service.loop.submit, ["The disk is full."] * 3 + ["The disk is gone."] * 2

    async def submit_in_trouble(command: Any) -> Any:
        if isinstance(command, AdvanceBulk) and troubles:
            raise LedgerUnavailable(troubles.pop(0))
        return await submit(command)

    monkeypatch.setattr(engine.service.loop, "submit", submit_in_trouble)
    told = await ended(engine, await started(engine, "replay", runIds=runs))

    assert told["counts"] == {"total": 3, "success": 3, "failure": 0}
    assert [each["error"] for each in log] == ["The disk is full.", "The disk is gone."]


async def test_a_run_that_cannot_be_read_counts_as_a_failure(log: Log) -> None:
    ledger = FaultyLedger()
    async with running_engine(ledger) as engine:
        runs = [await engine.trigger() for _ in range(3)]
        ledger.unreadable = {runs[1]}

        told = await ended(engine, await started(engine, "replay", runIds=runs))

        assert (told["status"], told["counts"]) == ("COMPLETED", {"total": 3, "success": 2, "failure": 1})
    log.clear()


async def test_an_action_that_meets_a_mistake_of_the_engine_turns_readiness_red_and_the_others_go_on(
    engine: Engine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await engine.trigger() for _ in range(3)]
    submit = engine.service.loop.submit

    async def submit_or_break(command: Any) -> Any:
        if isinstance(command, AdvanceBulk) and command.runs:
            raise KeyError("a mistake")
        return await submit(command)

    monkeypatch.setattr(engine.service.loop, "submit", submit_or_break)
    broken = await started(engine, "replay", runIds=runs)
    other = await started(engine, "cancel", runIds=runs)

    assert (await ended(engine, other))["counts"] == {"total": 3, "success": 3, "failure": 0}
    assert (await engine.service.readiness()).problems == ["Bulk actions are not carried on: KeyError: 'a mistake'"]
    assert {(each["event"], each["bulk"]) for each in log} == {("a bulk action is no longer carried on", broken)}
    log.clear()
