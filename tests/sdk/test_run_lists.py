"""Filters and pages."""

from datetime import UTC, datetime
from typing import Any

import pytest

import runfold
from runfold import runs
from tests.sdk.conftest import FakeApi
from tests.sdk.test_runs import wire_run


def page(*ids: str, **pagination: str) -> dict[str, Any]:
    return {"data": [wire_run(id=each, env={"id": "env_1"}) for each in ids], "pagination": pagination}


def test_iteration_goes_over_all_pages(api: FakeApi) -> None:
    api.answer(page("run_3", "run_2", next="n1"), page("run_1", previous="p1"))

    found = [run.id for run in runs.list(status=["FAILED", "CRASHED"], bulk_action="bulk_1", limit=2)]

    assert found == ["run_3", "run_2", "run_1"]
    assert [dict(request.url.params) for request in api.requests] == [
        {"filter[status]": "FAILED,CRASHED", "filter[bulkAction]": "bulk_1", "page[size]": "2"},
        {"filter[status]": "FAILED,CRASHED", "filter[bulkAction]": "bulk_1", "page[size]": "2", "page[after]": "n1"},
    ]


def test_pages_lead_forward_and_back(api: FakeApi) -> None:
    api.answer(page("run_2", next="n1"), page("run_1", previous="p1"), page("run_2", next="n1"))

    first = runs.list().page()
    second = first.next_page()
    assert second is not None
    back = second.previous_page()

    assert back is not None
    assert [[run.id for run in each.runs] for each in (first, second, back)] == [["run_2"], ["run_1"], ["run_2"]]
    assert (first.has_next_page, first.has_previous_page) == (True, False)
    assert (second.has_next_page, second.has_previous_page) == (False, True)
    assert (first.previous_page(), second.next_page()) == (None, None)
    assert [dict(request.url.params) for request in api.requests] == [{}, {"page[after]": "n1"}, {"page[before]": "p1"}]


async def test_pages_can_be_awaited(api: FakeApi) -> None:
    api.answer(page("run_2", next="n1"), page("run_1", previous="p1"), page("run_2", next="n1"))
    first = await runfold.aio.runs.list().page()
    second = await first.next_page()
    assert second is not None
    back = await second.previous_page()

    assert back is not None
    assert [run.id for run in back.runs] == ["run_2"]
    assert (await first.previous_page(), await second.next_page()) == (None, None)


async def test_iteration_can_be_awaited(api: FakeApi) -> None:
    api.answer(page("run_2", next="n1"), page("run_1"))

    assert [run.id async for run in runfold.aio.runs.list()] == ["run_2", "run_1"]


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({"task": "send"}, {"filter[taskIdentifier]": "send"}),
        ({"tag": ["a", "b"]}, {"filter[tag]": "a,b"}),
        ({"queue": "task/send"}, {"filter[queue]": "task/send"}),
        ({"batch": "batch_1"}, {"filter[batch]": "batch_1"}),
        ({"version": "20300102.1"}, {"filter[version]": "20300102.1"}),
        ({"created_from": datetime(2030, 1, 1, tzinfo=UTC)}, {"filter[createdAt][from]": "1893456000000"}),
        ({"created_to": datetime(2030, 1, 1, tzinfo=UTC)}, {"filter[createdAt][to]": "1893456000000"}),
        ({"period": "1h"}, {"filter[createdAt][period]": "3600s"}),
        ({"is_test": False}, {"filter[isTest]": "false"}),
        ({"status": None}, {}),
    ],
)
def test_each_filter_has_its_place_in_the_query(api: FakeApi, filters: Any, query: dict[str, str]) -> None:
    api.answer(page())

    assert list(runs.list(**filters)) == []
    assert dict(api.last.url.params) == query


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ({"tags": "a"}, "No filter is called tags; there are: status, task, tag"),
        ({"tag": "a,b"}, "'a,b' has a comma"),
        ({"created_to": datetime(2030, 1, 1)}, "has no time zone"),  # noqa: DTZ001 (that is the point)
    ],
)
def test_a_wrong_filter_is_refused_here(api: FakeApi, filters: Any, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        runs.list(**filters)
