"""Looking at runs and steering them."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

import runfold
from runfold import (
    Attempt,
    InvalidPayloadError,
    JournalEntry,
    NotFoundError,
    Run,
    RunError,
    RunHandle,
    RunResult,
    runs,
    task,
)
from tests.sdk.conftest import FakeApi

CREATED = "2030-01-02T03:04:05.678Z"


@dataclass
class Letter:
    to: str
    day: date


@task
async def send(letter: Letter) -> timedelta:
    return timedelta(seconds=1)


def wire_run(**facts: Any) -> dict[str, Any]:
    helpers = ("isQueued", "isExecuting", "isWaiting", "isCompleted", "isSuccess", "isFailed", "isCancelled", "isTest")
    run: dict[str, Any] = {
        "id": "run_1",
        "status": "QUEUED",
        "taskIdentifier": "send",
        "createdAt": CREATED,
        "updatedAt": CREATED,
        "tags": [],
        "costInCents": 0,
        "relatedRuns": {},
    }
    return {**run, **dict.fromkeys(helpers, False), **facts}


LETTER = {"to": "ada", "day": "2030-01-02"}


async def handle(api: FakeApi) -> RunHandle[Letter, timedelta]:
    api.answer({"id": "run_1", "isCached": False})
    return await send.aio.trigger(Letter("ada", date(2030, 1, 2)))


async def test_a_run_retrieved_by_handle_has_the_types_of_its_task(api: FakeApi) -> None:
    made = await handle(api)
    api.answer(wire_run(payload=LETTER, output="PT1S", status="COMPLETED", isCompleted=True, isSuccess=True))

    run = runs.retrieve(made)

    assert (run.payload, run.output) == (Letter("ada", date(2030, 1, 2)), timedelta(seconds=1))
    assert (run.is_completed, run.is_success, run.is_failed) == (True, True, False)
    assert (api.last.method, str(api.last.url)) == ("GET", "http://engine.test/api/v3/runs/run_1")


def test_a_run_retrieved_by_id_has_plain_json(api: FakeApi) -> None:
    api.answer(wire_run(payload=LETTER))

    run = runs.retrieve("run_1")

    assert (run.payload, run.output) == (LETTER, None)


async def test_a_payload_that_does_not_fit_the_handles_type_is_said_to(api: FakeApi) -> None:
    made = await handle(api)
    api.answer(wire_run(payload={"to": "ada"}))

    with pytest.raises(InvalidPayloadError, match="missing required field `day`"):
        runs.retrieve(made)


def test_a_run_has_all_that_the_engine_tells(api: FakeApi) -> None:
    error = {"name": "ValueError", "message": "no such city", "stackTrace": "Traceback"}
    api.answer(
        wire_run(
            status="FAILED",
            isCompleted=True,
            isFailed=True,
            isTest=True,
            tags=["a", "b"],
            startedAt=CREATED,
            finishedAt=CREATED,
            delayedUntil=CREATED,
            expiredAt=CREATED,
            error=error,
            attempts=[
                {
                    "id": "run_1.1",
                    "number": 1,
                    "status": "FAILED",
                    "startedAt": CREATED,
                    "finishedAt": CREATED,
                    "worker": "worker_1",
                    "version": "20300102.1",
                    "error": error,
                }
            ],
            attemptCount=1,
            queue="task/send",
            version="20300102.1",
            ttl="10m",
            batchId="batch_1",
            idempotencyKey="k",
            metadata={"m": 1},
        )
    )
    moment = datetime(2030, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    failure = RunError(name="ValueError", message="no such city", stack_trace="Traceback")

    assert runs.retrieve("run_1") == Run(
        id="run_1",
        task="send",
        status="FAILED",
        is_queued=False,
        is_executing=False,
        is_waiting=False,
        is_completed=True,
        is_success=False,
        is_failed=True,
        is_cancelled=False,
        is_test=True,
        created_at=moment,
        updated_at=moment,
        started_at=moment,
        finished_at=moment,
        delayed_until=moment,
        expired_at=moment,
        tags=("a", "b"),
        error=failure,
        attempts=(
            Attempt(
                id="run_1.1",
                number=1,
                status="FAILED",
                started_at=moment,
                finished_at=moment,
                worker="worker_1",
                version="20300102.1",
                error=failure,
            ),
        ),
        attempt_count=1,
        queue="task/send",
        version="20300102.1",
        ttl="10m",
        batch_id="batch_1",
        idempotency_key="k",
        metadata={"m": 1},
    )


def test_polling_ends_with_a_final_status(api: FakeApi) -> None:
    api.answer(wire_run(), wire_run(status="EXECUTING"), wire_run(status="EXPIRED", isCompleted=True))

    run = runs.poll("run_1", interval="2s")

    assert run.status == "EXPIRED"
    assert api.slept == [2.0, 2.0]


def test_polling_ends_with_its_timeout(api: FakeApi) -> None:
    api.answer(wire_run(status="EXECUTING"))

    with pytest.raises(TimeoutError, match="The run run_1 is still EXECUTING after 3"):
        runs.poll("run_1", timeout=3)

    assert api.slept == [1.0, 1.0, 1.0]


async def test_a_result_has_the_type_of_its_task(api: FakeApi) -> None:
    made = await handle(api)
    api.answer({"ok": True, "id": "run_1", "output": '"PT1S"', "outputType": "application/json"})

    assert runs.result(made) == RunResult(id="run_1", ok=True, output=timedelta(seconds=1))
    assert str(api.last.url) == "http://engine.test/api/v1/runs/run_1/result"


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (
            {"ok": True, "id": "run_1", "output": "plain", "outputType": "text/plain"},
            RunResult[Any](id="run_1", ok=True, output="plain"),
        ),
        ({"ok": True, "id": "run_1", "outputType": "application/json"}, RunResult[Any](id="run_1", ok=True)),
        (
            {
                "ok": False,
                "id": "run_1",
                "error": {"type": "BUILT_IN_ERROR", "name": "E", "message": "m", "stackTrace": "s"},
            },
            RunResult[Any](id="run_1", ok=False, error=RunError(name="E", message="m", stack_trace="s")),
        ),
        (
            {"ok": False, "id": "run_1", "error": {"type": "STRING_ERROR", "raw": "Canceled by user"}},
            RunResult[Any](id="run_1", ok=False, error=RunError(message="Canceled by user")),
        ),
        (
            {"ok": False, "id": "run_1", "error": {"type": "INTERNAL_ERROR", "code": "WORKER_LOST", "message": "m"}},
            RunResult[Any](id="run_1", ok=False, error=RunError(name="WORKER_LOST", message="m")),
        ),
    ],
)
def test_a_result_is_an_output_or_an_error(api: FakeApi, body: Any, result: RunResult[Any]) -> None:
    api.answer(body)

    assert runs.result("run_1") == result


def test_an_unfinished_run_has_no_result(api: FakeApi) -> None:
    api.replies = [httpx.Response(404, json={"error": "Run not found"})]

    assert runs.result("run_1") is None


def test_a_run_that_is_unknown_cannot_be_retrieved(api: FakeApi) -> None:
    api.replies = [httpx.Response(404, json={"error": "Run not found"})]

    with pytest.raises(NotFoundError, match="Run not found"):
        runs.retrieve("run_1")


def test_events_come_as_the_engine_tells_them(api: FakeApi) -> None:
    api.answer({"events": [{"type": "RunTriggered"}, {"type": "RunCanceled"}]})

    assert runs.events("run/1") == ({"type": "RunTriggered"}, {"type": "RunCanceled"})
    assert str(api.last.url) == "http://engine.test/api/v1/runs/run%2F1/events"


def test_a_journal_is_read_page_by_page(api: FakeApi) -> None:
    step = {"index": 0, "name": "charge", "number": 1, "kind": "step", "status": "COMPLETED", "attempt": 1, "result": 7}
    wait = {"index": 1, "name": "wait", "number": 2, "kind": "wait", "status": "WAITING", "attempt": 2, "after": 0}
    at = {"at": "2030-01-01T00:00:00.000Z"}
    api.answer({"entries": [step | at], "next": 0}, {"entries": [wait | at | {"targets": ["run_2"], "any": True}]})

    journal = runs.journal("run/1")

    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert journal == (
        JournalEntry(index=0, name="charge", kind="step", status="COMPLETED", attempt=1, at=moment, result=7),
        JournalEntry(
            index=1,
            name="wait",
            number=2,
            kind="wait",
            status="WAITING",
            attempt=2,
            at=moment,
            after=0,
            targets=("run_2",),
            any=True,
        ),
    )
    path = "http://engine.test/api/v1/runs/run%2F1/journal"
    assert [str(request.url) for request in api.requests] == [f"{path}?after=-1", f"{path}?after=0"]


async def test_a_run_is_canceled_by_id_or_handle(api: FakeApi) -> None:
    made = await handle(api)
    api.answer({"id": "run_1"})

    runs.cancel("run_1")
    runs.cancel(made)

    assert {(each.method, str(each.url), each.content) for each in api.requests[1:]} == {
        ("POST", "http://engine.test/api/v2/runs/run_1/cancel", b"")
    }


async def test_a_replay_is_a_run_of_the_same_types(api: FakeApi) -> None:
    made = await handle(api)
    api.answer({"id": "run_2"}, wire_run(id="run_2", payload=LETTER))

    again = runs.replay(made)

    assert again == RunHandle("run_2")
    assert runs.retrieve(again).payload == Letter("ada", date(2030, 1, 2))
    assert str(api.requests[1].url) == "http://engine.test/api/v1/runs/run_1/replay"


def test_a_delayed_run_gets_another_time(api: FakeApi) -> None:
    api.answer(wire_run(status="DELAYED", delayedUntil=CREATED))

    run = runs.reschedule("run_1", delay="30m")

    assert run.status == "DELAYED"
    assert str(api.last.url) == "http://engine.test/api/v1/runs/run_1/reschedule"
    assert json.loads(api.last.content) == {"delay": "1800s"}


async def test_the_same_calls_can_be_awaited(api: FakeApi) -> None:
    api.answer(wire_run(), wire_run(isCompleted=True), {"events": []}, {"id": "run_2"})

    assert (await runfold.aio.runs.retrieve("run_1")).id == "run_1"
    assert (await runfold.aio.runs.poll("run_1")).is_completed
    assert await runfold.aio.runs.events("run_1") == ()
    assert (await runfold.aio.runs.replay("run_1")).id == "run_2"
