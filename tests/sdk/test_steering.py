"""Changing runs that are there: tags, metadata, replays with other options, many at once; and asking why."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runfold import BulkAction, Explanation, RunHandle, aio, runs, task
from runfold.bulk import BulkCounts
from runfold.filters import RunFilters
from tests.sdk.conftest import FakeApi


@task
async def double(number: int) -> int:
    return 2 * number


def sent(api: FakeApi) -> tuple[str, str, Any]:
    """Method, path and body of the last call."""
    content = api.last.content
    return api.last.method, api.last.url.raw_path.decode(), json.loads(content) if content else None


async def test_why_a_run_is_where_it_is(api: FakeApi) -> None:
    told: dict[str, Any] = {"reason": "QUEUE_LIMIT", "sentence": "It waits.", "data": {"limit": 3}}
    api.answer(told)

    why = runs.explain("run_1")

    assert why == await aio.runs.explain("run_1") == Explanation(**told)
    assert sent(api) == ("GET", "/api/v1/runs/run_1/explain", None)


async def test_tags_are_added(api: FakeApi) -> None:
    api.answer({"message": "Added."})

    runs.add_tags(RunHandle("run/1"), "a", "b")

    assert sent(api) == ("POST", "/api/v1/runs/run%2F1/tags", {"tags": ["a", "b"]})


def test_metadata_is_changed_in_the_order_of_the_arguments(api: FakeApi) -> None:
    api.answer({"metadata": {"step": 2}})

    after = runs.update_metadata(
        "run_1",
        increment={"count": 1},
        set={"at": datetime(2030, 1, 1, tzinfo=UTC), "step": 2},
        delete="old",
        append={"log": ["x"]},
        remove={"log": "y"},
    )

    assert after == {"step": 2}
    assert sent(api) == (
        "PUT",
        "/api/v1/runs/run_1/metadata",
        {
            "operations": [
                {"type": "set", "key": "at", "value": "2030-01-01T00:00:00Z"},
                {"type": "set", "key": "step", "value": 2},
                {"type": "delete", "key": "old"},
                {"type": "append", "key": "log", "value": ["x"]},
                {"type": "remove", "key": "log", "value": "y"},
                {"type": "increment", "key": "count", "value": 1},
            ]
        },
    )


def test_no_change_of_metadata_is_a_mistake(api: FakeApi) -> None:
    with pytest.raises(ValueError, match="There is nothing to change: say set, delete"):
        runs.update_metadata("run_1")

    assert api.requests == []


def test_a_replay_can_have_another_payload_and_other_options(api: FakeApi) -> None:
    api.answer({"id": "run_2"})
    run: RunHandle[int, int] = RunHandle("run_1", types=double.body.types)

    again = runs.replay(
        run,
        7,
        version="20261122.1",
        queue="letters",
        machine="large-1x",
        delay="5m",
        tags="a",
        max_attempts=3,
        metadata={"a": 1},
    )

    assert (again.id, again.types) == ("run_2", run.types)
    assert sent(api) == (
        "POST",
        "/api/v1/runs/run_1/replay",
        {
            "payload": 7,
            "version": "20261122.1",
            "queue": "letters",
            "machine": "large-1x",
            "delay": "300s",
            "tags": ["a"],
            "maxAttempts": 3,
            "metadata": {"a": 1},
        },
    )


def test_a_replay_without_options_has_no_body(api: FakeApi) -> None:
    api.answer({"id": "run_2"})

    runs.replay("run_1")

    assert sent(api) == ("POST", "/api/v1/runs/run_1/replay", None)


def test_null_is_another_payload(api: FakeApi) -> None:
    api.answer({"id": "run_2"})

    runs.replay("run_1", None)

    assert sent(api)[2] == {"payload": None}


def test_a_replay_refuses_what_it_does_not_know(api: FakeApi) -> None:
    options: Any = {"debounce": None}
    with pytest.raises(TypeError, match="No replay option is called debounce; there are: delay, ttl, tags"):
        runs.replay("run_1", **options)

    assert api.requests == []


MADE = {"id": "bulk_1"}
UNDER_WAY = {"id": "bulk_1", "type": "CANCEL", "status": "PENDING", "counts": {"total": 3, "success": 1, "failure": 0}}
DONE = {
    **UNDER_WAY,
    "status": "COMPLETED",
    "counts": {"total": 3, "success": 2, "failure": 1},
    "createdAt": "2030-01-01T00:00:00Z",
    "completedAt": "2030-01-01T00:00:09Z",
}


def test_many_runs_are_canceled_by_id_and_waited_for(api: FakeApi) -> None:
    api.answer(MADE, UNDER_WAY, UNDER_WAY, DONE)

    bulk = runs.bulk_cancel(ids=["run_1", RunHandle("run_2")])
    made = sent(api)
    end = bulk.poll(interval=2)

    assert made == ("POST", "/api/v1/bulk-actions", {"action": "cancel", "runIds": ["run_1", "run_2"]})
    assert end == BulkAction(
        id="bulk_1",
        type="CANCEL",
        status="COMPLETED",
        counts=BulkCounts(3, 2, 1),
        created_at=datetime(2030, 1, 1, tzinfo=UTC),
        completed_at=datetime(2030, 1, 1, 0, 0, 9, tzinfo=UTC),
    )
    assert sent(api) == ("GET", "/api/v1/bulk-actions/bulk_1", None)
    assert api.slept == [2, 2]


def test_many_runs_are_replayed_by_filter_and_the_rest_left_alone(api: FakeApi) -> None:
    api.answer(MADE, UNDER_WAY, MADE)
    moment = datetime(2030, 1, 1, tzinfo=UTC)

    bulk = runs.bulk_replay(
        name="again",
        filters={"status": "FAILED", "tag": ["a,b", "c"], "created_from": moment, "period": "1d", "is_test": False},
    )
    made = sent(api)
    counts = bulk.retrieve().counts
    bulk.abort()

    assert made == (
        "POST",
        "/api/v1/bulk-actions",
        {
            "action": "replay",
            "name": "again",
            "filter": {
                "status": ["FAILED"],
                "tag": ["a,b", "c"],
                "from": 1893456000000,
                "period": "86400s",
                "isTest": False,
            },
        },
    )
    assert counts == BulkCounts(3, 1, 0)
    assert sent(api) == ("POST", "/api/v1/bulk-actions/bulk_1/abort", None)


def test_every_filter_of_lists_is_one_of_bulk_actions(api: FakeApi) -> None:
    api.answer(MADE)
    unset: Any = dict.fromkeys(RunFilters.__annotations__.keys() - {"limit"})

    runs.bulk_cancel(filters=unset | {"task": "greet", "schedule": "sched_1"})

    assert sent(api)[2]["filter"] == {"taskIdentifier": ["greet"], "schedule": "sched_1"}


async def test_bulk_actions_can_be_awaited(api: FakeApi) -> None:
    api.answer(MADE, UNDER_WAY)
    bulk = await aio.runs.bulk_cancel(filters={"task": "double"})

    with pytest.raises(TimeoutError, match=r"The bulk action bulk_1 is still under way after 3s: .*total=3, success=1"):
        await bulk.poll(timeout="3s")

    assert (repr(bulk), (await bulk.retrieve()).status) == ("<bulk action bulk_1>", "PENDING")


@pytest.mark.parametrize(
    ("which", "sentence"),
    [
        ({}, r"either ids=\[...\] or filters={...}"),
        ({"ids": ["run_1"], "filters": {"task": "a"}}, r"either ids=\[...\] or filters={...}"),
        ({"ids": []}, "There is nothing to cancel"),
        ({"filters": {}}, "There is nothing to cancel"),
        ({"filters": {"status": None}}, "There is nothing to cancel"),
        ({"filters": {"limit": 3}}, "No filter is called limit; there are: status, task"),
    ],
)
def test_a_bulk_action_needs_to_know_which_runs(api: FakeApi, which: dict[str, Any], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        runs.bulk_cancel(**which)

    assert api.requests == []
