"""Looking at queues and steering them."""

import json
from functools import partial
from typing import Any

import pytest

from runfold import Queue, QueueState, aio, queues, task
from runfold.aio.queues import QueueConcurrency
from tests.sdk.conftest import FakeApi

WIRE = {"id": "queue_1", "name": "emails", "type": "custom", "running": 2, "queued": 5, "paused": True}


@task(id="a/b")
def plain() -> None: ...


@task(id="queued", queue="emails")
def queued() -> None: ...


def sent(api: FakeApi) -> tuple[str, str, Any]:
    content = api.last.content
    return api.last.method, api.last.url.raw_path.decode(), json.loads(content) if content else None


@pytest.mark.parametrize(
    ("queue", "path"),
    [
        ("emails", "/api/v1/queues/emails?type=custom"),
        ("e/m", "/api/v1/queues/e%252Fm?type=custom"),
        (Queue("emails", 3), "/api/v1/queues/emails?type=custom"),
        ("task/send", "/api/v1/queues/send?type=task"),
        (plain, "/api/v1/queues/a%252Fb?type=task"),
        (queued, "/api/v1/queues/emails?type=custom"),
    ],
)
def test_a_queue_is_retrieved_by_name_or_by_task(api: FakeApi, queue: Any, path: str) -> None:
    concurrency = {"current": 1, "base": 3, "override": 1, "overriddenBy": "api"}
    api.answer({**WIRE, "concurrencyLimit": 1, "concurrency": concurrency})

    found = queues.retrieve(queue)

    assert sent(api) == ("GET", path, None)
    assert found == QueueState(
        id="queue_1",
        name="emails",
        type="custom",
        running=2,
        queued=5,
        paused=True,
        concurrency_limit=1,
        concurrency=QueueConcurrency(1, 3, 1, overridden_by="api"),
    )


def test_queues_are_paused_and_given_other_limits(api: FakeApi) -> None:
    api.answer(WIRE)

    calls: list[object] = []
    for call in (queues.pause, queues.resume, partial(queues.override, concurrency_limit=0), queues.reset_override):
        call("emails")
        calls.append(sent(api))

    path = "/api/v1/queues/emails"
    assert calls == [
        ("POST", f"{path}/pause", {"type": "custom", "action": "pause"}),
        ("POST", f"{path}/pause", {"type": "custom", "action": "resume"}),
        ("POST", f"{path}/concurrency/override", {"type": "custom", "concurrencyLimit": 0}),
        ("POST", f"{path}/concurrency/reset", {"type": "custom"}),
    ]


async def test_a_list_has_the_queues_of_all_pages(api: FakeApi) -> None:
    pages = {"currentPage": 1, "totalPages": 2, "count": 2}
    api.answer({"data": [WIRE], "pagination": pages}, {"data": [{**WIRE, "name": "b"}], "pagination": pages})

    found = await aio.queues.list()

    assert [queue.name for queue in found] == ["emails", "b"]
    assert [str(request.url.query, "ascii") for request in api.requests] == [
        "page=1&perPage=100",
        "page=2&perPage=100",
    ]
