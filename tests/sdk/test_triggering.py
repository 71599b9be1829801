"""What is sent when runs are made, and what comes back."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import runfold
from runfold import BatchItem, Debounce, InvalidPayloadError, Queue, RunHandle, current, task
from tests.sdk.conftest import FakeApi

MADE = {"id": "run_1", "isCached": False}


@dataclass
class Letter:
    to: str


@task(id="send/letter")
async def send(letter: Letter) -> str:
    return letter.to


@task
def sweep() -> None: ...


def test_a_task_is_triggered_with_its_payload(api: FakeApi) -> None:
    api.answer({"id": "run_1", "isCached": True})

    handle = send.trigger(Letter("ada"))

    assert (handle, handle.is_cached) == (RunHandle("run_1", is_cached=True), True)
    assert (api.last.method, str(api.last.url)) == ("POST", "http://engine.test/api/v1/tasks/send%2Fletter/trigger")
    assert json.loads(api.last.content) == {"payload": {"to": "ada"}}


@pytest.mark.parametrize(
    ("option", "value", "wire"),
    [
        ("delay", "1h30m", {"delay": "5400s"}),
        ("delay", 90, {"delay": "90s"}),
        ("delay", timedelta(milliseconds=1500), {"delay": "2s"}),
        ("delay", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), {"delay": "2030-01-02T03:04:05.000Z"}),
        (
            "delay",
            datetime(2030, 1, 2, 3, 4, 5, 600, tzinfo=timezone(timedelta(hours=2))),
            {"delay": "2030-01-02T01:04:05.000Z"},
        ),
        ("ttl", "10m", {"ttl": 600}),
        ("tags", "a", {"tags": ["a"]}),
        ("tags", ("a", "b"), {"tags": ["a", "b"]}),
        ("idempotency_key", "k", {"idempotencyKey": "k"}),
        ("idempotency_key_ttl", "2h", {"idempotencyKeyTTL": "7200s"}),
        ("max_attempts", 4, {"maxAttempts": 4}),
        ("max_duration", "5m", {"maxDuration": 300}),
        ("queue", "letters", {"queue": {"name": "letters"}}),
        ("queue", Queue("letters", 3), {"queue": {"name": "letters"}}),
        ("concurrency_key", "ada", {"concurrencyKey": "ada"}),
        ("priority", 2.5, {"priority": 2.5}),
        ("metadata", {"at": datetime(2030, 1, 1, tzinfo=UTC)}, {"metadata": {"at": "2030-01-01T00:00:00Z"}}),
        ("test", True, {"test": True}),
        ("idempotency_key_on_failure", "return", {"idempotencyKeyOptions": {"onFailure": "return"}}),
        ("version", "20261122.1", {"lockToVersion": "20261122.1"}),
        ("machine", "large-1x", {"machine": "large-1x"}),
        ("debounce", Debounce("k", "5s"), {"debounce": {"key": "k", "delay": "5s", "mode": "leading"}}),
        (
            "debounce",
            Debounce("k", 5, mode="trailing", max_delay="1m"),
            {"debounce": {"key": "k", "delay": "5s", "mode": "trailing", "maxDelay": "60s"}},
        ),
        ("detached", True, None),
        ("tags", None, None),
    ],
)
def test_each_option_has_its_place_on_the_wire(api: FakeApi, option: Any, value: Any, wire: object) -> None:
    api.answer(MADE)

    send.trigger(Letter("ada"), **{option: value})

    assert json.loads(api.last.content).get("options") == wire


def test_a_task_without_parameters_needs_no_payload(api: FakeApi) -> None:
    api.answer(MADE)

    sweep.trigger(tags="nightly")

    assert json.loads(api.last.content) == {"options": {"tags": ["nightly"]}}


def test_a_task_with_a_parameter_needs_a_payload(api: FakeApi) -> None:
    with pytest.raises(TypeError, match="The task 'send/letter' takes a payload"):
        send.trigger()

    assert api.requests == []


def test_none_is_a_payload(api: FakeApi) -> None:
    api.answer(MADE)

    runfold.tasks.trigger("anything", None)

    assert json.loads(api.last.content) == {"payload": None}


def test_a_task_elsewhere_is_triggered_by_id(api: FakeApi) -> None:
    api.answer(MADE)

    handle = runfold.tasks.trigger("elsewhere", {"any": ["json"]}, tags="a")

    assert handle == RunHandle("run_1")
    assert json.loads(api.last.content) == {"payload": {"any": ["json"]}, "options": {"tags": ["a"]}}


def test_a_batch_keeps_the_order_of_its_items(api: FakeApi) -> None:
    api.answer({"batchId": "batch_1", "runs": [{"id": "run_1"}, {"id": "run_2", "isCached": True}]})

    batch = send.batch_trigger([Letter("ada"), BatchItem(Letter("bob"), tags="b")])

    assert (batch.batch_id, batch.runs) == ("batch_1", (RunHandle("run_1"), RunHandle("run_2", is_cached=True)))
    assert str(api.last.url) == "http://engine.test/api/v1/tasks/send%2Fletter/batch"
    assert json.loads(api.last.content) == {
        "items": [{"payload": {"to": "ada"}}, {"payload": {"to": "bob"}, "options": {"tags": ["b"]}}]
    }


def test_a_batch_of_a_task_elsewhere(api: FakeApi) -> None:
    api.answer({"batchId": "batch_1", "runs": [{"id": "run_1"}, {"id": "run_2"}]})

    batch = runfold.tasks.batch_trigger("elsewhere", [1, BatchItem(2, test=True)])

    assert [each.id for each in batch.runs] == ["run_1", "run_2"]
    assert json.loads(api.last.content) == {"items": [{"payload": 1}, {"payload": 2, "options": {"test": True}}]}


def test_a_batch_has_a_limit(api: FakeApi) -> None:
    with pytest.raises(ValueError, match="at most 1000 runs, not 1001"):
        runfold.tasks.batch_trigger("elsewhere", range(1001))

    assert api.requests == []


def test_a_payload_without_a_json_form_is_refused_here(api: FakeApi) -> None:
    with pytest.raises(InvalidPayloadError, match="The payload cannot be written as JSON: objects of <class 'object'>"):
        runfold.tasks.trigger("elsewhere", object())

    assert api.requests == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dely": 3}, "No trigger option is called dely; there are: delay, ttl, tags"),
        ({"delay": datetime(2030, 1, 1)}, "has no time zone"),  # noqa: DTZ001 (that is the point)
        ({"delay": "soon"}, "'soon' is no duration"),
        ({"ttl": -1}, "-1 is no duration"),
        ({"machine": "huge"}, "'huge' is no machine"),
        ({"idempotency_key_on_failure": "keep"}, "idempotency_key_on_failure is \"return\" or left out, not 'keep'"),
    ],
)
def test_a_wrong_option_is_refused_here(api: FakeApi, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        send.trigger(Letter("ada"), **options)

    assert api.requests == []


async def test_the_same_calls_can_be_awaited(api: FakeApi) -> None:
    api.answer(MADE, {"batchId": "batch_1", "runs": [MADE]}, MADE, {"batchId": "batch_2", "runs": [MADE]})

    one = await send.aio.trigger(Letter("ada"))
    batch = await send.aio.batch_trigger([Letter("ada")])
    by_id = await runfold.aio.tasks.trigger("elsewhere", 1)
    batch_by_id = await runfold.aio.tasks.batch_trigger("elsewhere", [1])

    assert (one, by_id, batch.runs, batch_by_id.batch_id) == (RunHandle("run_1"),) * 2 + (
        (RunHandle("run_1"),),
        "batch_2",
    )


async def test_a_run_made_in_the_code_of_a_run_is_its_child(api: FakeApi) -> None:
    api.answer(MADE)

    def options() -> object:
        return json.loads(api.last.content).get("options")

    with current.inside("run_parent"):
        send.trigger(Letter("ada"), tags="a")
        plain = options()
        await send.aio.trigger(Letter("ada"))
        awaited = options()
        await send.aio.trigger(Letter("ada"), detached=True)
        detached = options()
    await send.aio.trigger(Letter("ada"))

    assert plain == {"tags": ["a"], "parentRunId": "run_parent"}
    assert awaited == {"parentRunId": "run_parent"}
    assert (detached, options()) == (None, None)


async def test_all_runs_of_a_batch_made_in_the_code_of_a_run_are_its_children(api: FakeApi) -> None:
    api.answer({"batchId": "batch_1", "runs": [{"id": "run_1"}, {"id": "run_2"}]})

    with current.inside("run_parent"):
        await send.aio.batch_trigger([Letter("ada"), BatchItem(Letter("bob"), detached=True)])

    assert json.loads(api.last.content) == {
        "items": [{"payload": {"to": "ada"}, "options": {"parentRunId": "run_parent"}}, {"payload": {"to": "bob"}}]
    }
