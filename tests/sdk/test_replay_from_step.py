"""`runs.replay(from_step=...)`, and how code meets what its run took over from another one."""

import json
from typing import Any

import msgspec
import pytest

from runfold import current, runs
from runfold.entries import Entry
from runfold.errors import JournalMismatchError
from runfold.journal import Journal
from tests.sdk.conftest import FakeApi


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"from_step": "charge"}, {"fromStep": "charge"}),
        ({"from_step": ("charge", 2)}, {"fromStep": "charge#2"}),
        (
            {"from_step": "ship", "step_results": {"charge": {"id": 7}, ("pack", 2): None}, "tags": "a"},
            {"fromStep": "ship", "stepResults": {"charge": {"id": 7}, "pack#2": None}, "tags": ["a"]},
        ),
    ],
)
def test_the_step_and_the_results_are_sent(api: FakeApi, options: Any, body: Any) -> None:
    api.answer({"id": "run_2"})

    runs.replay("run_1", **options)

    assert json.loads(api.last.content) == body


def test_results_that_come_before_no_step_are_a_mistake(api: FakeApi) -> None:
    with pytest.raises(TypeError, match="step_results replaces results of what comes before a step"):
        runs.replay("run_1", step_results={"charge": 1})

    assert api.requests == []


def test_a_run_tells_what_it_has_taken_over(api: FakeApi) -> None:
    told = {
        "id": "run_2",
        "taskIdentifier": "order",
        "status": "QUEUED",
        "isTest": False,
        **dict.fromkeys(("isQueued", "isExecuting", "isWaiting", "isCompleted", "isSuccess", "isFailed"), False),
        "isCancelled": False,
        "createdAt": "2030-01-01T00:00:00Z",
        "updatedAt": "2030-01-01T00:00:00Z",
        "replayOf": "run_1",
        "takenOver": {"runId": "run_1", "entries": 3, "edited": [1]},
    }
    api.answer(told)

    run = runs.retrieve("run_2")

    assert run.replay_of == "run_1"
    assert run.taken_over is not None
    assert (run.taken_over.run_id, run.taken_over.entries, run.taken_over.edited) == ("run_1", 3, (1,))


class Nobody:
    """A link to no engine: what was taken over is not reported again."""

    def report(self, kind: Any, facts: dict[str, Any], landed: Any) -> None:
        raise AssertionError(f"{kind} was reported: {facts}")

    def block(self, waits: tuple[int, ...]) -> None:
        assert not waits


def journal(*entries: Entry) -> Journal:
    return Journal("run_2", 1, entries, Nobody(), str)


def entry(index: int, number: int, digest: str | None, attempt: int = 0) -> Entry:
    after = index - 1 if index else None
    return Entry(index, "pack", "succeeded", attempt, number, after, digest=digest, result=msgspec.Raw(b"1"))


async def test_steps_of_a_name_are_known_by_their_arguments() -> None:
    told = journal(entry(0, 1, "a", attempt=1), entry(1, 2, "b", attempt=1))

    with current.inside("run_2", told):
        told.begin("pack", "step", "a")
        with pytest.raises(JournalMismatchError, match='"pack" number 2 has other arguments now'):
            told.begin("pack", "step", "c")


async def test_a_run_with_another_payload_takes_over_steps_that_were_called_with_other_arguments() -> None:
    told = journal(entry(0, 1, "a"), entry(1, 2, "b"))

    with current.inside("run_2", told):
        calls = [told.begin("pack", "step", digest) for digest in ("c", "d")]

    assert [call.known is not None for call in calls] == [True, True]
