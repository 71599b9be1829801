"""How the follower takes its time: it lets changes gather, but not while it is behind."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from adapters.sqlite.ledger import MEMORY, SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from app.engine import follower
from app.engine.feed import Feed
from app.engine.follower import Follower
from domain import events as e
from domain.events import Recorded
from domain.ports import START, Head
from tests.app.harness import SOON_SECONDS
from tests.projections.histories import of_run

NEVER = 3_600.0
FULL = 4
TURNS = 20
"""Turns of the event loop in which a follower that did not linger would have begun."""
HISTORY = of_run(
    e.RunTriggered("greet", "task/greet"),
    e.RunDequeued(2, "worker_1", "20260101.1"),
    e.AttemptStarted(1, 2, "worker_1", "20260101.1"),
    e.AttemptSucceeded(1, 2),
    e.TagsAdded(("late",)),
)


class Heard(SqliteReadModels):
    """Read models that remember of how many events each batch was."""

    def __init__(self) -> None:
        super().__init__(MEMORY, name="heard")
        self.batches: list[int] = []

    def apply(self, records: Sequence[Recorded], head: Head) -> Head:
        self.batches.append(len(records))
        return super().apply(records, head)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "LINGER_SECONDS", NEVER)
    monkeypatch.setattr(follower, "BATCH_EVENTS_MAX", FULL)
    monkeypatch.setattr(follower, "ALONE_BATCH_EVENTS_MAX", FULL)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each linger is over at once, and in each come as many events as are many."""
    monkeypatch.setattr(follower, "LINGER_SECONDS", 0)
    monkeypatch.setattr(follower, "MORE_SECONDS", 0)
    monkeypatch.setattr(follower, "MANY_EVENTS", 0)
    monkeypatch.setattr(follower, "ALONE_LINGER_SECONDS_MAX", NEVER)
    monkeypatch.setattr(follower, "ALONE_BATCH_EVENTS_MAX", FULL)
    monkeypatch.setattr(follower, "ALONE_SECONDS", NEVER)


@asynccontextmanager
async def following(feed: Feed, appended: Sequence[Recorded] = ()) -> AsyncGenerator[tuple[Follower, list[int]]]:
    read_models, ledger = Heard(), SqliteLedger(MEMORY, name="followed")
    if appended:
        ledger.append(appended, {}, after=START)
    one = Follower(read_models, ledger, feed)
    running = asyncio.create_task(one.run())
    try:
        async with asyncio.timeout(SOON_SECONDS):
            yield one, read_models.batches
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        ledger.close()
        read_models.close()


@pytest.mark.usefixtures("patient")
async def test_a_follower_that_is_a_batch_behind_does_not_linger() -> None:
    feed = Feed(START)
    async with following(feed) as (one, batches):
        publish(feed, HISTORY[:FULL])
        await one.moved(0, None)

        assert (one.position, batches) == (FULL, [FULL])


@pytest.mark.usefixtures("patient")
async def test_a_follower_that_is_less_behind_waits_for_more_until_somebody_waits_for_it() -> None:
    feed = Feed(START)
    async with following(feed) as (one, batches):
        publish(feed, HISTORY[: FULL - 2])
        for _ in range(TURNS):
            await asyncio.sleep(0)
        publish(feed, HISTORY[FULL - 2 : FULL - 1])
        one.hurry()
        await one.moved(0, None)

        assert (one.position, batches) == (FULL - 1, [FULL - 1])


@pytest.mark.usefixtures("patient")
async def test_what_is_left_of_a_batch_waits_again() -> None:
    feed = Feed(START)
    async with following(feed) as (one, batches):
        publish(feed, HISTORY[:FULL])
        await one.moved(0, None)
        publish(feed, HISTORY[FULL:])
        for _ in range(TURNS):
            await asyncio.sleep(0)

        assert (one.position, batches) == (FULL, [FULL])
        assert await one.reached(len(HISTORY), SOON_SECONDS)
        assert batches == [FULL, 1]


@pytest.mark.usefixtures("busy")
async def test_while_many_events_come_and_nobody_asks_it_lingers_on() -> None:
    feed = Feed(START)
    async with following(feed) as (one, batches):
        publish(feed, HISTORY[:1])
        for _ in range(TURNS):
            await asyncio.sleep(0)
        publish(feed, HISTORY[1:FULL])
        await one.moved(0, None)

        assert batches == [FULL]


@pytest.mark.usefixtures("busy")
async def test_once_somebody_asked_it_lingers_no_longer_than_before() -> None:
    feed = Feed(START)
    async with following(feed) as (one, batches):
        publish(feed, HISTORY[:1])
        assert await one.reached(1, SOON_SECONDS)
        publish(feed, HISTORY[1:2])
        await one.moved(1, None)

        assert batches == [1, 1]


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(("name", "value"), [("MANY_EVENTS", 1), ("ALONE_LINGER_SECONDS_MAX", 0)])
async def test_where_few_events_come_or_for_too_long_it_lingers_no_more(
    monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    monkeypatch.setattr(follower, name, value)
    feed = Feed(START)
    async with following(feed) as (one, batches):
        publish(feed, HISTORY[:1])
        await one.moved(0, None)

        assert batches == [1]


@pytest.mark.usefixtures("busy")
async def test_where_other_nodes_have_readers_it_lingers_no_longer_than_before() -> None:
    feed = Feed(START)
    async with following(feed) as (one, batches):
        one.is_read_elsewhere = True
        publish(feed, HISTORY[:1])
        await one.moved(0, None)

        assert batches == [1]


@pytest.mark.usefixtures("busy")
async def test_what_is_read_from_the_ledger_is_not_waited_for() -> None:
    feed = Feed(START)
    async with following(feed, appended=HISTORY[:2]) as (one, batches):
        publish(feed, HISTORY[1:2])
        await one.moved(0, None)

        assert (one.position, batches) == (2, [2])


def publish(feed: Feed, records: Sequence[Recorded]) -> None:
    feed.publish(records, Head(records[-1].position, b"%032d" % records[-1].position))
