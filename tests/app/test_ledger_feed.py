"""`GET /api/v1/ledger/events`: all events of an environment, by position."""

from typing import Any

import pytest

from tests.app.harness import START, Engine, environment

FEED = "/api/v1/ledger/events"


async def _follow(engine: Engine, limit: int) -> list[Any]:
    """All events, page by page."""
    events: list[Any] = []
    position = 0
    for _ in range(100):
        page = await engine.get(FEED, after=position, limit=limit)
        assert page.keys() == {"events", "next", "head"}
        events += page["events"]
        if page["next"] == page["head"] == position:
            return events
        position = page["next"]
    raise AssertionError("the feed has no end")


@pytest.mark.parametrize("limit", [1, 2, 7, 1_000])
async def test_following_next_reads_every_event_once(engine: Engine, limit: int) -> None:
    other = await environment(engine, "stg")
    for _ in range(5):
        await engine.trigger()
        await other.trigger()

    ours, theirs = await _follow(engine, limit), await _follow(other, limit)

    positions = sorted(event["position"] for event in ours + theirs)
    assert positions == list(range(2, engine.head + 1)), "the first event is the writer's, which is of no environment"
    assert [event["position"] for event in ours] == sorted(event["position"] for event in ours)
    assert [event["type"] for event in ours] == [
        "EnvironmentCreated",
        "ApiKeyCreated",
        "VersionRegistered",
        *5 * ["RunTriggered"],
    ]


async def test_an_event_is_told_with_all_that_the_ledger_knows(engine: Engine) -> None:
    run = await engine.trigger(payload={"n": 1})

    page = await engine.get(FEED, after=engine.head - 1)

    (event,) = page["events"]
    (same,) = (await engine.get(f"/api/v1/runs/{run}/events"))["events"]
    assert event == same
    assert event.keys() == {"position", "id", "version", "type", "occurredAt", "recordedAt", "actor", "cause", "data"}
    assert (event["position"], event["id"], event["version"], event["recordedAt"]) == (engine.head, run, 1, START)
    assert (page["next"], page["head"]) == (engine.head, engine.head)


async def test_an_event_is_there_as_soon_as_its_command_is_answered(engine: Engine) -> None:
    for _ in range(20):
        before = engine.head
        run = await engine.trigger()
        assert [event["id"] for event in (await engine.get(FEED, after=before))["events"]] == [run]


async def test_a_page_may_hold_no_event_and_still_go_on(engine: Engine) -> None:
    other = await environment(engine, "stg")
    position = engine.head
    for _ in range(5):
        await other.trigger()
    run = await engine.trigger()

    empty = await engine.get(FEED, after=position, limit=5)
    then = await engine.get(FEED, after=empty["next"], limit=5)

    assert (empty["events"], empty["next"], empty["head"]) == ([], position + 5, position + 6)
    assert [event["id"] for event in then["events"]] == [run]


@pytest.mark.parametrize("after", [4, 5, 1_000, 2**62])
async def test_at_the_head_and_past_it_there_is_nothing(engine: Engine, after: int) -> None:
    page = await engine.get(FEED, after=after)

    assert page == {"events": [], "next": 4, "head": 4}


async def test_a_page_looks_through_a_hundred_positions_when_nothing_is_said(engine: Engine) -> None:
    await engine.post("/api/v1/tasks/greet/batch", {"items": 150 * [{}]})

    page = await engine.get(FEED)

    assert page["next"] == 100


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=", "after=1.5", f"after={2**62 + 1}", "limit=0", "limit=1001", "limit=all"]
)
async def test_positions_and_limits_that_cannot_be_are_refused(engine: Engine, query: str) -> None:
    await engine.refused("GET", f"{FEED}?{query}", 400)
