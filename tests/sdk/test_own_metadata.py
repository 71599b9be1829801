"""`ctx.metadata`: a run changes its own metadata, its parent's and that of the root of its family."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from runfold import UnprocessableError
from runfold.context import (
    AttemptInfo,
    Cancellation,
    Context,
    EnvironmentInfo,
    QueueInfo,
    RunInfo,
    SyncContext,
    TaskInfo,
)
from tests.sdk.conftest import FakeApi

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RUN = RunInfo("run_1", (), NOW, is_test=False, max_attempts=1, max_duration=None, idempotency_key=None, batch_id=None)
REST = (
    AttemptInfo(1, NOW),
    TaskInfo("tell"),
    QueueInfo("task/tell"),
    EnvironmentInfo("env_1", "dev", "DEVELOPMENT"),
    "1",
    Cancellation(),
)
OPERATIONS = [
    {"type": "set", "key": "at", "value": "2030-01-01T00:00:00Z"},
    {"type": "delete", "key": "old"},
    {"type": "append", "key": "log", "value": [1]},
    {"type": "remove", "key": "log", "value": 2},
    {"type": "increment", "key": "count", "value": 1},
    {"type": "increment", "key": "count", "value": -2.5},
]


def bodies(api: FakeApi) -> list[Any]:
    assert {(each.method, each.url.path) for each in api.requests} == {("PUT", "/api/v1/runs/run_1/metadata")}
    return [json.loads(each.content) for each in api.requests]


async def test_async_code_awaits_each_change(api: FakeApi) -> None:
    api.answer({"metadata": {}})
    metadata = Context(RUN, *REST).metadata

    await metadata.set("at", NOW)
    await metadata.delete("old")
    await metadata.append("log", [1])
    await metadata.remove("log", 2)
    await metadata.increment("count")
    await metadata.increment("count", -2.5)

    assert bodies(api) == [{"operations": [each]} for each in OPERATIONS]


def test_other_code_just_calls(api: FakeApi) -> None:
    api.answer({"metadata": {}})
    metadata = SyncContext(RUN, *REST).metadata

    metadata.set("at", NOW)
    metadata.delete("old")
    metadata.append("log", [1])
    metadata.remove("log", 2)
    metadata.increment("count")
    metadata.increment("count", -2.5)

    assert bodies(api) == [{"operations": [each]} for each in OPERATIONS]


async def test_parent_and_root_are_changed_by_way_of_the_run(api: FakeApi) -> None:
    api.answer({"metadata": {}})

    await Context(RUN, *REST).metadata.parent.increment("done")
    await Context(RUN, *REST).metadata.root.increment("done")
    SyncContext(RUN, *REST).metadata.parent.increment("done")
    SyncContext(RUN, *REST).metadata.root.increment("done")

    operation = {"type": "increment", "key": "done", "value": 1}
    assert bodies(api) == [{"parentOperations": [operation]}, {"rootOperations": [operation]}] * 2


async def test_a_change_that_the_engine_refuses_is_an_error_of_the_code(api: FakeApi) -> None:
    api.replies = [httpx.Response(422, json={"error": "The operation increment needs a number."})]

    with pytest.raises(UnprocessableError, match="The operation increment needs a number"):
        await Context(RUN, *REST).metadata.increment("count", "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
