"""An engine that was stopped over ticks: what it makes up for, and what another one on the same ledger does."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from adapters.calendar import CronCalendar
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from adapters.postgres.read_models import PostgresReadModels
from adapters.sqlite.ledger import MEMORY, SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from domain.commands import EndTurn
from domain.ports import CopyableLedger
from projections.ports import ReadModels
from tests.app.harness import SOON_SECONDS, Engine, Log, ManualClock, ledger_mistakes, running_engine
from tests.postgres import database_url, schema_of_its_own

SCHEDULES = "/api/v1/schedules"
HOUR, DAY = 3_600_000, 86_400_000

Opened = tuple[CopyableLedger, ReadModels]


class Database:
    """The same database, opened as often as it is asked for."""

    def __init__(self, kind: str, schema: str) -> None:
        self._kind = kind
        self._schema = schema
        # What is in memory lasts as long as somebody has it open.
        self._first = self.open()

    def open(self) -> Opened:
        if self._kind == "sqlite":
            name = self._schema
            return SqliteLedger(MEMORY, name=name), SqliteReadModels(MEMORY, name=f"{name}-views")
        return PostgresLedger(database_url(), self._schema), PostgresReadModels(database_url(), self._schema)

    def close(self) -> None:
        for each in self._first:
            each.close()


@pytest.fixture(params=["sqlite", "postgres"])
def stored(request: pytest.FixtureRequest) -> Iterator[Database]:
    with ExitStack() as stack:
        schema = uuid4().hex
        if request.param == "postgres":
            schema = stack.enter_context(schema_of_its_own())
            migrate(database_url(), schema)
        database = Database(request.param, schema)
        stack.callback(database.close)
        yield database


async def fates(engine: Engine, schedule: str) -> list[Any]:
    found = await engine.get(f"{SCHEDULES}/{schedule}/ticks", **{"from": "2027-01-15", "to": "2028-01-01"})
    assert found["problems"] == []
    return [each.get("fate") for each in found["ticks"]]


async def drained(engine: Engine) -> None:
    """Until the engine has done all that was due when it started."""
    memory = engine.service.loop.engine.memory
    nothing = EndTurn(environment="", actor="test", cause="clock", at=engine.clock.wall, session="", sequence=1)
    await engine.service.loop.submit(nothing)
    while (due := memory.next_due()) is not None and due <= engine.clock.wall:
        await engine.service.loop.submit(nothing)


async def test_what_came_while_the_engine_was_stopped_has_a_fate_and_the_latest_a_run(stored: Database) -> None:
    clock = ManualClock()
    async with running_engine(*stored.open(), clock) as engine:
        made = await engine.post(SCHEDULES, {"task": "greet", "every": 60})
        every = await engine.post(SCHEDULES, {"task": "greet", "every": 60, "catchUp": "all", "catchUpWindow": "3h"})
        await engine.advance(HOUR)
    clock.wall += 5 * HOUR + HOUR // 2

    async with running_engine(*stored.open(), clock) as engine:
        await drained(engine)
        assert await fates(engine, made["id"]) == ["FIRED", "WINDOW", "WINDOW", "WINDOW", "WINDOW", "LATE"]
        assert await fates(engine, every["id"]) == ["FIRED", "WINDOW", "WINDOW", "CAUGHT_UP", "CAUGHT_UP", "LATE"]
        assert len(await engine.listed()) == 6
        assert await ledger_mistakes(engine) == []


async def test_months_of_minutes_take_few_events_and_a_moment(stored: Database) -> None:
    clock = ManualClock()
    async with running_engine(*stored.open(), clock) as engine:
        made = await engine.post(SCHEDULES, {"task": "greet", "cron": "* * * * *", "timezone": "America/New_York"})
    clock.wall += 20 * DAY

    async with running_engine(*stored.open(), clock) as engine:
        before = engine.head
        await drained(engine)
        shown = await engine.get(f"{SCHEDULES}/{made['id']}")

        assert engine.head - before < 120
        assert shown["lastRun"] == "2027-02-04T08:00:00.000Z"
        assert shown["nextRun"] == "2027-02-04T08:01:00.000Z"
        assert len(await engine.listed()) == 1


async def test_a_second_engine_after_a_crash_fires_nothing_again(stored: Database) -> None:
    clock = ManualClock()
    async with running_engine(*stored.open(), clock) as engine:
        made = await engine.post(SCHEDULES, {"task": "greet", "every": 60, "overlap": "skip"})
        await engine.register({"id": "greet", "ttl": 0})
        await engine.advance(HOUR)
        runs = await engine.listed()
    for _ in range(3):
        async with running_engine(*stored.open(), clock, is_known=False) as engine:
            await engine.advance(0)
            assert await engine.listed() == runs
    clock.wall += HOUR
    async with running_engine(*stored.open(), clock, is_known=False) as engine:
        await drained(engine)
        assert await engine.listed() == runs
        assert await fates(engine, made["id"]) == ["FIRED", "OVERLAP"]


async def test_the_payload_of_a_tick_is_checked_once_its_run_is_committed(stored: Database, log: Log) -> None:
    clock = ManualClock()
    schema = {"type": "object", "required": ["scheduleId"]}
    async with running_engine(*stored.open(), clock) as engine:
        version = await engine.register({"id": "greet", "payloadSchema": schema})
        await engine.post(SCHEDULES, {"task": "greet", "every": 60})
        await engine.post(SCHEDULES, {"task": "greet", "every": 60, "payload": 7})
        await engine.advance(HOUR)
        statuses = {"PENDING_VERSION"}
        async with asyncio.timeout(SOON_SECONDS):
            while "PENDING_VERSION" in statuses:
                statuses = {each["status"] for each in (await engine.get("/api/v1/runs"))["data"]}

        assert statuses == {"QUEUED", "INVALID_PAYLOAD"}
        assert len((await engine.turn(version))["runs"]) == 1
    assert [entry for entry in log if entry["log_level"] == "error"] == []


async def test_another_edition_of_the_zones_is_noticed_at_start(
    stored: Database, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    body = {"task": "greet", "cron": "0 9 * * *"}
    async with running_engine(*stored.open(), clock) as engine:
        made = await engine.post(SCHEDULES, body | {"timezone": "Europe/Berlin"})
        await engine.post(SCHEDULES, body)
    monkeypatch.setattr(CronCalendar, "version", "2999z")

    async with running_engine(*stored.open(), clock, is_known=False) as engine:
        async with asyncio.timeout(SOON_SECONDS):
            await engine.service.zones
        said = [each for each in log if each.get("tzdata") == "2999z"]
        history = await engine.service.history(made["id"])
        audited = await engine.get(f"{SCHEDULES}/{made['id']}/ticks")

    assert [type(each.event).__name__ for each in history] == ["ScheduleCreated", "ScheduleReckoned"]
    assert [(each["schedules"], each["moved"]) for each in said] == [(1, 0)]
    assert (audited["problems"], audited["tzdata"]) == ([], "2999z")
