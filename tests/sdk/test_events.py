"""Named events from Python: what is said of a task, what is sent, and what is read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from runfold import Event, EventInfo, EventRun, NotFoundError, SentEvent, UnprocessableError, events, task, transport
from runfold.aio import events as aio
from runfold.config import Settings
from runfold.context import Cancellation
from runfold.transport import Transport
from runfold.worker.handed import Attempt, context_of
from runfold.worker.registering import settings_of
from runfold.worker.wire import Environment, HandOut
from runfold.worker.wire import Event as EventOnWire
from tests.app.harness import KEY, running_engine, transport_of
from tests.sdk.conftest import FakeApi

MOMENT = "2030-01-01T00:00:00.000Z"
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
TOLD = {
    "id": "u/1",
    "name": "user.created",
    "status": "PENDING",
    "timestamp": MOMENT,
    "source": "api",
    "createdAt": MOMENT,
    "deliverAt": MOMENT,
}


def sent(api: FakeApi) -> tuple[str, str, Any]:
    content = api.last.content
    return api.last.method, api.last.url.raw_path.decode(), json.loads(content) if content else None


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        ({}, {}),
        ({"payload": {"at": NEW_YEAR}}, {"payload": {"at": "2030-01-01T00:00:00Z"}}),
        ({"payload": None, "id": "u1", "source": "shop"}, {"payload": None, "id": "u1", "source": "shop"}),
        ({"context": {"tenant": 7}, "timestamp": NEW_YEAR}, {"context": {"tenant": 7}, "timestamp": MOMENT}),
        ({"deliver": NEW_YEAR}, {"options": {"deliverAt": MOMENT}}),
        ({"deliver": "1h30m"}, {"options": {"deliverAfter": "5400s"}}),
        ({"deliver": timedelta(seconds=90)}, {"options": {"deliverAfter": "90s"}}),
    ],
)
def test_an_event_is_sent(api: FakeApi, asked: dict[str, Any], body: dict[str, Any]) -> None:
    api.answer(TOLD | {"runs": [{"id": "run_1"}]})

    made = events.send("user.created", **asked)

    assert sent(api) == ("POST", "/api/v1/events", {"name": "user.created"} | body)
    assert made == SentEvent(id="u/1", status="PENDING", runs=("run_1",), deliver_at=NEW_YEAR)


def test_an_event_is_looked_at_and_canceled_by_id_or_by_what_a_call_answered(api: FakeApi) -> None:
    run = {"id": "run_1", "taskIdentifier": "greet", "status": "QUEUED", "startedAt": MOMENT}
    api.answer(TOLD | {"payload": [1], "context": {"a": 1}, "runs": [run]})
    found = events.retrieve("u/1")
    assert sent(api) == ("GET", "/api/v1/events/u%2F1", None)
    api.answer(TOLD | {"status": "CANCELED"})
    events.cancel(found)

    assert sent(api) == ("POST", "/api/v1/events/u%2F1/cancel", None)
    assert found == Event(
        id="u/1",
        name="user.created",
        status="PENDING",
        timestamp=NEW_YEAR,
        source="api",
        created_at=NEW_YEAR,
        payload=[1],
        context={"a": 1},
        deliver_at=NEW_YEAR,
        runs=(EventRun(id="run_1", task="greet", status="QUEUED", started_at=NEW_YEAR),),
    )


def test_a_moment_without_a_zone_is_none(api: FakeApi) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        events.send("a", timestamp=datetime(2030, 1, 1))  # noqa: DTZ001 (that is the point)

    assert api.requests == []


def test_a_task_says_which_events_start_it() -> None:
    @task(id="all", on_event="user.created")
    def all_of_them() -> None: ...

    @task(id="some", on_event="user.created", event_filter={"plan": ["pro"]})
    def some() -> None: ...

    @task(id="several", on_event=["user.created", "user.changed"])
    def several() -> None: ...

    assert settings_of(several)["event"] == {"name": ["user.created", "user.changed"]}
    assert settings_of(all_of_them) == {"id": "all", "event": {"name": "user.created"}}
    assert settings_of(some)["event"] == {"name": "user.created", "filter": {"plan": ["pro"]}}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"event_filter": {"a": [1]}}, "The task 'wrong' has an event_filter and no on_event whose events it would"),
        ({"on_event": ""}, "on_event of the task 'wrong' is the name of an event, or several, not ''."),
        ({"on_event": ["a", 1]}, "on_event of the task 'wrong' is the name of an event, or several, not ['a', 1]."),
        ({"on_event": "a", "event_filter": ["b"]}, "event_filter of the task 'wrong' mirrors the payload as a dict"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:

        @task(id="wrong", **said)
        def wrong() -> None: ...

    assert sentence in str(refused.value)


def test_the_context_tells_of_the_event() -> None:
    event = EventOnWire("u1", "user.created", 1_893_456_000_000, "shop", {"tenant": 7})
    hand = HandOut("run_1", 2, "greet", 0, Environment("env_1", "dev", "DEVELOPMENT"), event=event)
    context = context_of(Attempt(hand, "1", 0), Cancellation())

    assert context.event == EventInfo("u1", "user.created", NEW_YEAR, "shop", {"tenant": 7})


async def test_a_real_engine_understands_all_of_it() -> None:
    async with running_engine() as engine:
        await engine.register({"id": "greet", "event": {"name": "user.created"}})
        to_engine = Transport(
            connect=lambda: httpx.AsyncClient(transport=transport_of(engine)),
            settings=lambda: Settings("http://engine", KEY),
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transport, "default", to_engine)
            made = await aio.send("user.created", {"name": "Ada"}, id="u/1", context={"tenant": 7}, timestamp=NEW_YEAR)
            found = await aio.retrieve(made)
            later = await aio.send("user.created", deliver="1h")
            canceled = await aio.cancel(later)
            with pytest.raises(NotFoundError):
                await aio.retrieve("none")
            with pytest.raises(UnprocessableError):
                await aio.send("")

    assert (found.payload, found.context, found.timestamp) == ({"name": "Ada"}, {"tenant": 7}, NEW_YEAR)
    assert [(run.id, run.task, run.status) for run in found.runs] == [(made.runs[0], "greet", "QUEUED")]
    assert (later.status, canceled.status, canceled.id) == ("PENDING", "CANCELED", later.id)
