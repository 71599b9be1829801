"""Making schedules, changing them and looking at them; and what tasks say of theirs."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from runfold import RunHandle, Schedule, ScheduledRun, ScheduleState, TickFate, aio, schedules, task
from runfold.schedule import Backfilled, Generator
from tests.sdk.conftest import FakeApi

AT = datetime(2027, 1, 15, 8, tzinfo=UTC)
WIRE: dict[str, Any] = {
    "id": "sched_1",
    "type": "IMPERATIVE",
    "task": "send",
    "active": True,
    "generator": {"type": "CRON", "expression": "0 9 * * *", "description": "At 09:00 every day"},
    "timezone": "UTC",
    "environments": [{"id": "env_1", "type": "DEVELOPMENT"}],
    "cron": "0 9 * * *",
    "nextRun": "2027-01-15T09:00:00.000Z",
    "revision": 1,
    "createdAt": "2027-01-15T08:00:00.000Z",
    "updatedAt": "2027-01-15T08:00:00.000Z",
}
STATE = ScheduleState(
    id="sched_1",
    type="IMPERATIVE",
    task="send",
    active=True,
    generator=Generator("0 9 * * *", "At 09:00 every day"),
    next_run=AT + timedelta(hours=1),
    cron="0 9 * * *",
    created_at=AT,
    updated_at=AT,
)


@task(id="send")
def send() -> None: ...


def sent(api: FakeApi) -> tuple[str, str, Any]:
    content = api.last.content
    return api.last.method, api.last.url.raw_path.decode(), json.loads(content) if content else None


def test_a_schedule_is_made_with_all_that_was_said_and_no_more(api: FakeApi) -> None:
    api.answer(WIRE)

    assert schedules.create("send", cron="0 9 * * *") == STATE
    assert sent(api) == ("POST", "/api/v1/schedules", {"task": "send", "cron": "0 9 * * *"})
    schedules.create(
        send,
        deduplication_key="mine",
        every="15m",
        every_from="creation",
        at=None,
        external_id="user_1",
        start_at=AT,
        end_at=datetime(2027, 2, 1, tzinfo=timezone(timedelta(hours=1))),
        jitter=30,
        overlap="skip",
        catch_up="all",
        catch_up_window=timedelta(hours=2),
        catch_up_max=7,
        payload={"to": ["ada"]},
        options={"tags": "daily", "ttl": "1m"},
    )
    assert sent(api)[2] == {
        "task": "send",
        "deduplicationKey": "mine",
        "every": 15,
        "everyFrom": "creation",
        "externalId": "user_1",
        "startAt": "2027-01-15T08:00:00.000Z",
        "endAt": "2027-01-31T23:00:00.000Z",
        "jitter": "30s",
        "overlap": "skip",
        "catchUp": "all",
        "catchUpWindow": "7200s",
        "catchUpMax": 7,
        "payload": {"to": ["ada"]},
        "options": {"tags": ["daily"], "ttl": 60},
    }


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: schedules.update(STATE, send, at=AT),
            ("PUT", "/sched_1", {"task": "send", "at": "2027-01-15T08:00:00.000Z"}),
        ),
        (lambda: schedules.retrieve("sched_1"), ("GET", "/sched_1", None)),
        (lambda: schedules.activate(STATE), ("POST", "/sched_1/activate", None)),
        (lambda: schedules.deactivate("sched/1"), ("POST", "/sched%2F1/deactivate", None)),
    ],
)
def test_calls_answer_the_schedule(api: FakeApi, call: Any, expected: tuple[str, str, Any]) -> None:
    api.answer(WIRE)

    assert call() == STATE
    method, path, body = expected
    assert sent(api) == (method, f"/api/v1/schedules{path}", body)


def test_a_deleted_schedule_leaves_nothing(api: FakeApi) -> None:
    api.answer({"id": "sched_1"})
    schedules.delete(STATE)

    assert sent(api) == ("DELETE", "/api/v1/schedules/sched_1", None)


async def test_a_list_has_all_pages(api: FakeApi) -> None:
    pages = {"currentPage": 1, "totalPages": 2, "count": 2}
    api.answer({"data": [WIRE], "pagination": pages}, {"data": [WIRE | {"id": "sched_2"}], "pagination": pages})

    assert [each.id for each in await aio.schedules.list()] == ["sched_1", "sched_2"]
    assert sent(api) == ("GET", "/api/v1/schedules?page=2&perPage=100", None)


def test_ticks_tell_what_became_of_them(api: FakeApi) -> None:
    tick = {
        "timestamp": "2027-01-15T08:00:00.000Z",
        "dueAt": "2027-01-15T08:00:05.000Z",
        "local": "2027-01-15T09:00:00",
        "timezone": "Europe/Berlin",
        "revision": 2,
        "fate": "FIRED",
        "run": "run_1",
    }
    api.answer({"ticks": [tick], "problems": ["One is missing."]})
    report = schedules.ticks("sched_1", AT, AT + timedelta(days=1))

    assert sent(api)[1] == (
        "/api/v1/schedules/sched_1/ticks?from=2027-01-15T08%3A00%3A00.000Z&to=2027-01-16T08%3A00%3A00.000Z"
    )
    assert report.problems == ("One is missing.",)
    assert report.ticks == (
        TickFate(
            timestamp=AT,
            due_at=AT + timedelta(seconds=5),
            local="2027-01-15T09:00:00",
            timezone="Europe/Berlin",
            revision=2,
            fate="FIRED",
            run="run_1",
        ),
    )


def test_a_backfill_tells_the_runs_that_it_made(api: FakeApi) -> None:
    api.answer({"runs": [{"id": "run_1", "timestamp": "2027-01-15T08:00:00.000Z"}]})

    assert schedules.backfill(STATE, AT, AT) == (Backfilled("run_1", AT),)
    assert sent(api) == (
        "POST",
        "/api/v1/schedules/sched_1/backfill",
        {"from": "2027-01-15T08:00:00.000Z", "to": "2027-01-15T08:00:00.000Z"},
    )


def test_a_schedule_that_is_run_now_answers_its_run(api: FakeApi) -> None:
    api.answer({"id": "run_1"})

    assert schedules.run(STATE) == RunHandle("run_1")
    assert sent(api) == ("POST", "/api/v1/schedules/sched_1/run-now", None)


async def test_a_schedule_is_run_now_by_code_that_awaits(api: FakeApi) -> None:
    api.answer({"id": "run_1"})

    assert (await aio.schedules.run("sched_1")).id == "run_1"
    assert sent(api) == ("POST", "/api/v1/schedules/sched_1/run-now", None)


def test_what_is_no_option_is_refused_before_it_is_sent(api: FakeApi) -> None:
    wrong: dict[str, Any] = {"crn": "0 9 * * *"}
    with pytest.raises(TypeError, match="No schedule option is called crn; there are: cron, timezone"):
        schedules.create("send", **wrong)
    for every in ("90s", 0, "25h"):
        with pytest.raises(ValueError, match="every 1 to 1440 whole minutes"):
            schedules.create("send", every=every)
    with pytest.raises(ValueError, match="no time zone"):
        schedules.create("send", at=AT.replace(tzinfo=None))

    assert api.requests == []


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"timezone": "Europe/Berlin"}, "The task 'send' has a timezone and no cron"),
        ({"cron": "0 9 * * *", "schedule": Schedule(every="5m")}, "has both cron and schedule"),
        ({"schedule": "0 9 * * *"}, r"schedule of the task 'send' is a Schedule\(...\), not '0 9 \* \* \*'"),
    ],
)
def test_what_a_task_cannot_mean_is_refused(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        task(id="send", **said)(lambda: None)


def test_a_schedule_of_a_task_has_one_timing() -> None:
    with pytest.raises(ValueError, match="either cron or every"):
        Schedule()
    with pytest.raises(ValueError, match="either cron or every"):
        Schedule(cron="0 9 * * *", every="5m")
    with pytest.raises(ValueError, match="whole minutes"):
        Schedule(every="90s")


def test_the_payload_of_a_scheduled_run_is_read_as_it_is_written() -> None:
    written = {
        "type": "DECLARATIVE",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "timezone": "UTC",
        "scheduleId": "sched_1",
        "upcoming": ["2027-01-15T09:00:00.000Z"],
    }

    assert msgspec.convert(written, ScheduledRun) == ScheduledRun(
        type="DECLARATIVE",
        timestamp=AT,
        timezone="UTC",
        schedule_id="sched_1",
        upcoming=(AT + timedelta(hours=1),),
    )
