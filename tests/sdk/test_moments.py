"""Everything can be asked for as it was."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from runfold import queues, runs, schedules
from tests.sdk.conftest import FakeApi
from tests.sdk.test_runs import wire_run

NONE: dict[str, Any] = {"data": [], "pagination": {}}


@pytest.mark.parametrize(
    ("as_of", "sent"),
    [
        (datetime(2027, 1, 15, 8, tzinfo=UTC), "1800000000000"),
        (42, "42"),
        ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00Z"),
        (None, None),
    ],
)
def test_a_moment_is_a_time_a_position_or_text(api: FakeApi, as_of: Any, sent: str | None) -> None:
    api.answer(wire_run(id="run_1"))

    runs.retrieve("run_1", as_of=as_of)

    assert api.last.url.params.get("asOf") == sent


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda: runs.journal("run_1", as_of=7), {"entries": []}),
        (lambda: runs.logs("run_1", as_of=7), {"lines": []}),
        (lambda: runs.explain("run_1", as_of=7), {"reason": "delay", "sentence": "It is delayed.", "data": {}}),
        (lambda: runs.list(as_of=7, task="greet").page(), NONE),
        (lambda: queues.list(as_of=7), NONE),
        (lambda: queues.retrieve("emails", as_of=7), {"id": "queue_1", "name": "emails", "type": "custom"}),
        (lambda: schedules.list(as_of=7), NONE),
    ],
)
def test_whatever_is_looked_at_has_a_past(api: FakeApi, call: Callable[[], object], answer: Any) -> None:
    api.answer(answer)

    call()

    assert api.last.url.params["asOf"] == "7"


def test_a_time_without_a_zone_names_no_moment(api: FakeApi) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        runs.retrieve("run_1", as_of=datetime(2027, 1, 15))  # noqa: DTZ001 (it is to be refused)
