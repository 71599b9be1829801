"""Waits: what the engine is told, and what the code gets when they are over."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from msgspec import Raw

from runfold import (
    BatchHandle,
    BatchResult,
    NotFoundError,
    RunError,
    RunfoldError,
    RunHandle,
    StepFailedError,
    Token,
    TokenResult,
    UnprocessableError,
    WaitTimeoutError,
    aio,
    batches,
    events,
    step,
    task,
    tasks,
    transport,
    wait,
)
from runfold.codec import Types
from runfold.config import Settings
from runfold.entries import Outcome
from runfold.run import RunResult
from runfold.steps import Arguments, run_step
from runfold.transport import Transport
from tests.sdk.journals import Code, Killed, Story

Answers = dict[str, Any]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What the engine answers, by method and path; what it was asked is there under "asked"."""
    answers: Answers = {"asked": []}

    async def handle(request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        answers["asked"].append((call, json.loads(request.content or b"null")))
        status, body = answers.get(call, (404, {"error": "Not found."}))
        return httpx.Response(status, json=body)

    fake = Transport(
        connect=lambda: httpx.AsyncClient(transport=httpx.MockTransport(handle)),
        settings=lambda: Settings("http://engine.test", "secret"),
    )
    monkeypatch.setattr(transport, "default", fake)
    return answers


def run_ended(answers: Answers, run: str, output: Any = None, **error: str) -> None:
    body = {"id": run, "ok": not error, "output": json.dumps(output), "error": error or None}
    answers[f"GET /api/v1/runs/{run}/result"] = (200, body)


def token_ended(answers: Answers, token: str, output: Any, *, is_error: bool = False) -> None:
    body = {
        "id": token,
        "url": f"http://engine.test/{token}",
        "status": "TIMED_OUT" if is_error else "COMPLETED",
        "createdAt": "2026-11-22T12:00:00Z",
        "output": json.dumps(output),
        "outputIsError": is_error,
    }
    answers[f"GET /api/v1/waitpoints/tokens/{token}"] = (200, body)


async def until_woken(story: Story, code: Code, outcome: Outcome) -> Any:
    """Wait, lose the process, and go on in another one with this outcome."""
    story.wakes = False
    with pytest.raises(Killed):
        await story.play(code, is_killed_when_blocked=True)
    story.wake(len(story.entries) - 1, outcome)
    return await story.play(code)


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
APPROVAL = Token(id="waitpoint_1", url="http://127.0.0.1/approve")


TARGETS: dict[str, tuple[Callable[[], Awaitable[Any]], dict[str, Any]]] = {
    "for": (lambda: aio.wait.for_("90s"), {"targets": (), "for_ms": 90_000, "until": None, "is_any": False}),
    "until": (
        lambda: aio.wait.until(NOON),
        {"targets": (), "for_ms": None, "until": round(NOON.timestamp() * 1000), "is_any": False},
    ),
    "token": (
        lambda: aio.wait.for_token("waitpoint_1"),
        {"targets": ("waitpoint_1",), "for_ms": None, "until": None, "is_any": False},
    ),
    "token object": (
        lambda: aio.wait.for_token(APPROVAL, timeout="1d"),
        {"targets": ("waitpoint_1",), "for_ms": 86_400_000, "until": None, "is_any": False},
    ),
    "run": (
        lambda: aio.wait.for_run(RunHandle("run_2")),
        {"targets": ("run_2",), "for_ms": None, "until": None, "is_any": False},
    ),
    "batch": (
        lambda: aio.wait.for_batch(BatchHandle("batch_1", ())),
        {"targets": ("batch_1",), "for_ms": None, "until": None, "is_any": False},
    ),
    "all": (
        lambda: aio.wait.all("run_2", BatchHandle("batch_1", ()), "run_2", timeout=5),
        {"targets": ("run_2", "batch_1"), "for_ms": 5_000, "until": None, "is_any": False},
    ),
    "any": (
        lambda: aio.wait.any(APPROVAL, "run_2"),
        {"targets": ("waitpoint_1", "run_2"), "for_ms": None, "until": None, "is_any": True},
    ),
}


@pytest.mark.parametrize(("waiting", "said"), TARGETS.values(), ids=TARGETS)
async def test_the_engine_is_told_what_is_waited_for(waiting: Any, said: dict[str, Any]) -> None:
    class Listening(Story):
        def report(self, kind: str, facts: dict[str, Any], landed: Callable[[bool], object]) -> None:
            told.append({name: fact for name, fact in facts.items() if name != "entry"})
            super().report(kind, facts, landed)

    told: list[dict[str, Any]] = []
    story = Listening()
    story.wakes = False
    with pytest.raises(Killed):
        await story.play(lambda _: waiting(), is_killed_when_blocked=True)

    assert told == [said]
    assert story.blocked == [(0,)]


async def test_a_run_that_is_over_gives_its_result_in_the_type_of_its_task(answers: Answers) -> None:
    handle: RunHandle[Any, datetime] = RunHandle("run_2", False, Types(result=datetime))
    run_ended(answers, "run_2", "2030-01-01T12:00:00Z")

    result = await until_woken(Story(), lambda _: aio.wait.for_run(handle), Outcome(("run_2",)))

    assert result == RunResult(id="run_2", ok=True, output=NOON)


async def test_a_run_that_failed_gives_a_result_to_look_at(answers: Answers) -> None:
    run_ended(answers, "run_2", message="no such city", name="LookupError")

    result = await until_woken(Story(), lambda _: aio.wait.for_run(RunHandle("run_2")), Outcome(("run_2",)))

    assert (result.ok, result.error) == (False, RunError(message="no such city", name="LookupError"))
    with pytest.raises(RunfoldError, match="The run run_2 did not complete: LookupError: no such city"):
        result.unwrap()


async def test_a_batch_gives_its_results_in_order(answers: Answers) -> None:
    items = [{"id": "run_2", "ok": True, "output": "2"}, {"id": "run_3", "ok": False, "error": {"message": "no"}}]
    answers["GET /api/v1/batches/batch_1/results"] = (200, {"items": items})

    batch: BatchHandle[Any, int] = BatchHandle("batch_1", ())

    result: BatchResult[int] = await until_woken(Story(), lambda _: aio.wait.for_batch(batch), Outcome(("batch_1",)))

    assert [(run.id, run.ok, run.output) for run in result.runs] == [("run_2", True, 2), ("run_3", False, None)]


@pytest.mark.parametrize("is_error", [False, True])
async def test_a_token_gives_what_it_was_completed_with(answers: Answers, *, is_error: bool) -> None:
    said = {"message": "Nobody came.", "code": "TOKEN_TIMED_OUT"}
    token_ended(answers, "waitpoint_1", said, is_error=is_error)

    result = await until_woken(Story(), lambda _: aio.wait.for_token("waitpoint_1"), Outcome(("waitpoint_1",)))

    assert result == (
        TokenResult(id="waitpoint_1", ok=False, error=RunError(message="Nobody came.", name="TOKEN_TIMED_OUT"))
        if is_error
        else TokenResult(id="waitpoint_1", ok=True, output=said)
    )


@pytest.mark.parametrize(
    ("told", "result"),
    [
        (
            {"status": "COMPLETED", "output": '{"a": 1}', "outputIsError": False},
            TokenResult(id="waitpoint_1", ok=True, output={"a": 1}),
        ),
        (
            {"status": "COMPLETED", "output": "{as it is}", "outputType": "text/plain", "outputIsError": False},
            TokenResult(id="waitpoint_1", ok=True, output="{as it is}"),
        ),
        ({"status": "COMPLETED", "outputIsError": False}, TokenResult(id="waitpoint_1", ok=True)),
        (
            {"status": "TIMED_OUT", "output": '{"code": "C", "message": "Nobody came."}', "outputIsError": True},
            TokenResult(id="waitpoint_1", ok=False, error=RunError(message="Nobody came.", name="C")),
        ),
    ],
)
async def test_a_token_of_which_is_told_along_is_not_asked_for(
    answers: Answers, told: dict[str, Any], result: TokenResult
) -> None:
    outcome = Outcome(("waitpoint_1",), results={"waitpoint_1": Raw(json.dumps(told | {"id": "waitpoint_1"}).encode())})

    assert await until_woken(Story(), lambda _: aio.wait.for_token("waitpoint_1"), outcome) == result
    assert answers["asked"] == []


async def test_a_run_of_which_is_told_along_is_not_asked_for(answers: Answers) -> None:
    told = Raw(json.dumps({"id": "run_2", "ok": True, "output": "3"}).encode())
    handle: RunHandle[Any, int] = RunHandle("run_2", types=Types(result=int))

    both = await until_woken(
        Story(),
        lambda _: aio.wait.all(handle, "run_2"),
        Outcome(("run_2",), results={"run_2": told}),
    )

    assert both == (RunResult(id="run_2", ok=True, output=3),) * 2
    assert answers["asked"] == []


async def test_a_wait_for_a_token_that_takes_too_long_is_not_ok(answers: Answers) -> None:
    result = await until_woken(
        Story(), lambda _: aio.wait.for_token("waitpoint_1", timeout="1h"), Outcome(timed_out=True)
    )

    assert (result.ok, answers["asked"]) == (False, [])
    with pytest.raises(WaitTimeoutError, match=r"^It was not completed within 1h\.$"):
        result.unwrap()


async def test_all_gives_the_results_in_the_order_of_the_arguments(answers: Answers) -> None:
    run_ended(answers, "run_2", 2)
    token_ended(answers, "waitpoint_1", "yes")

    results = await until_woken(
        Story(), lambda _: aio.wait.all("waitpoint_1", "run_2", "waitpoint_1"), Outcome(("run_2", "waitpoint_1"))
    )

    assert [each.output for each in results] == ["yes", 2, "yes"]


async def test_any_gives_the_place_of_the_first_and_its_result(answers: Answers) -> None:
    run_ended(answers, "run_2", 2)

    place, result = await until_woken(Story(), lambda _: aio.wait.any("waitpoint_1", "run_2"), Outcome(("run_2",)))

    assert (place, result.output) == (1, 2)


@pytest.mark.parametrize(
    ("waiting", "outcome", "sentence"),
    [
        (
            lambda: aio.wait.all("run_2", "run_3", timeout=5),
            Outcome(("run_2",), timed_out=True),
            "After 5 s, 1 of 2 are",
        ),
        (lambda: aio.wait.any("run_2", "run_3", timeout="1m"), Outcome(timed_out=True), "After 1m, none of 2 is over"),
    ],
)
async def test_several_that_take_too_long_raise_an_error(waiting: Any, outcome: Outcome, sentence: str) -> None:
    with pytest.raises(WaitTimeoutError, match=sentence):
        await until_woken(Story(), lambda _: waiting(), outcome)


async def test_what_is_not_there_is_not_waited_for() -> None:
    with pytest.raises(NotFoundError, match="run_9 not found, so there is nothing to wait for"):
        await until_woken(Story(), lambda _: aio.wait.all("run_2", "run_9"), Outcome(unknown=("run_9",)))


async def test_nothing_and_a_time_of_nowhere_cannot_be_waited_for() -> None:
    async def code(_: Story) -> None:
        with pytest.raises(ValueError, match="There is nothing to wait for"):
            await aio.wait.all()
        with pytest.raises(ValueError, match="has no time zone, so it names no moment"):
            await aio.wait.until(datetime(2030, 1, 1))  # noqa: DTZ001 (that is what is wrong with it)
        with pytest.raises(ValueError, match="is too late: a wait ends before the year 10000"):
            await aio.wait.until(datetime.max.replace(tzinfo=UTC))

    story = Story()
    await story.play(code)

    assert story.entries == []


def test_the_blocking_names_do_the_same(answers: Answers) -> None:
    run_ended(answers, "run_2", 2)
    token_ended(answers, "waitpoint_1", "yes")
    answers["GET /api/v1/batches/batch_1/results"] = (200, {"items": []})

    def code(_: Story) -> list[Any]:
        wait.for_("1h")
        wait.until(NOON)
        return [
            wait.for_token("waitpoint_1").output,
            wait.for_run(RunHandle("run_2")).output,
            wait.for_batch(BatchHandle("batch_1", ())).runs,
            [each.output for each in wait.all("run_2", "waitpoint_1")],
            wait.any("run_2")[0],
        ]

    story = Story()

    first = story.play_blocking(code)

    assert first == ["yes", 2, (), [2, "yes"], 0] == story.play_blocking(code)
    assert [each.name.removeprefix("wait.") for each in story.entries] == [
        "for",
        "until",
        "token",
        "run",
        "batch",
        "all",
        "any",
    ]


@task(id="child")
async def child(number: int) -> int:
    return number


MADE = {"id": "run_2", "isCached": False}


async def test_a_child_is_triggered_once_and_its_result_waited_for(answers: Answers) -> None:
    answers["POST /api/v1/tasks/child/trigger"] = (200, MADE)
    run_ended(answers, "run_2", 7)

    async def code(_: Story) -> Any:
        return (await child.aio.trigger_and_wait(7)).unwrap()

    story = Story()

    result = await until_woken(story, code, Outcome(("run_2",)))

    assert result == 7 == await story.play(code)
    assert [call for call, _ in answers["asked"]].count("POST /api/v1/tasks/child/trigger") == 1
    assert [(each.name, each.runs) for each in story.entries] == [("trigger child", ("run_2",)), ("wait.run", ())]


async def test_a_child_that_may_have_been_made_is_asked_for_by_the_same_key(answers: Answers) -> None:
    answers["POST /api/v1/tasks/child/trigger"] = (200, MADE)

    async def code(_: Story) -> Any:
        return await asyncio.gather(child.aio.trigger(1), child.aio.trigger(2), child.aio.trigger(2))

    story = Story()
    with pytest.raises(Killed):
        await story.play(code, until=0)
    await story.play(code)

    keys = [body["options"]["idempotencyKey"] for _, body in answers["asked"]]
    assert keys[:3] == keys[3:]
    assert len(set(keys)) == 3


async def test_a_batch_of_children_is_triggered_once(answers: Answers) -> None:
    answers["POST /api/v1/tasks/child/batch"] = (200, {"batchId": "batch_1", "runs": [MADE, {"id": "run_3"}]})
    items = [{"id": "run_2", "ok": True, "output": "1"}, {"id": "run_3", "ok": True, "output": "2"}]
    answers["GET /api/v1/batches/batch_1/results"] = (200, {"items": items})

    async def code(_: Story) -> Any:
        return (await child.aio.batch_trigger_and_wait([1, 2])).unwrap()

    story = Story()

    assert await story.play(code) == (1, 2) == await story.play(code)
    (body,) = (body for call, body in answers["asked"] if call.startswith("POST"))
    assert len({item["options"]["idempotencyKey"] for item in body["items"]}) == 2


async def test_a_batch_of_nothing_is_no_batch_and_over_at_once(answers: Answers) -> None:
    async def code(_: Story) -> Any:
        return await child.aio.batch_trigger_and_wait([])

    story = Story()
    result = await story.play(code)

    assert (result.id, result.runs, result.ok, result.unwrap()) == ("", (), True, ())
    assert (story.entries, answers["asked"]) == ([], [])


async def test_a_run_or_a_batch_is_waited_for_by_its_id_too(answers: Answers) -> None:
    run_ended(answers, "run_2", 2)
    answers["GET /api/v1/batches/batch_1/results"] = (200, {"items": []})

    async def code(_: Story) -> Any:
        return (await aio.wait.for_run("run_2")).output, (await aio.wait.for_batch("batch_1")).runs

    story = Story()
    story.wakes = True

    assert await story.play(code) == (2, ())


async def test_a_trigger_within_a_step_is_a_part_of_it_with_a_key_of_it(answers: Answers) -> None:
    answers["POST /api/v1/tasks/child/trigger"] = (200, MADE)

    @step
    async def both() -> list[str]:
        return [(await child.aio.trigger(1)).id, (await tasks_trigger("child", 1)).id]

    tasks_trigger = aio.tasks.trigger
    story = Story()
    with pytest.raises(Killed):
        await story.play(lambda _: both(), until=0)
    await story.play(lambda _: both())

    keys = [body["options"]["idempotencyKey"] for _, body in answers["asked"]]
    assert keys[:2] == keys[2:]
    assert len(set(keys)) == 2
    assert [each.name for each in story.entries] == ["both"]


@pytest.mark.parametrize("status", [422, 404])
async def test_a_refused_trigger_is_refused_again_by_the_journal(answers: Answers, status: int) -> None:
    answers["POST /api/v1/tasks/child/trigger"] = (status, {"error": "No."})

    async def code(story: Story) -> Any:
        try:
            await child.aio.trigger(1)
        except (UnprocessableError, NotFoundError) as error:
            return [str(error), error.status, await story.step("instead")]

    story = Story()

    first = await story.play(code)
    answers["POST /api/v1/tasks/child/trigger"] = (200, MADE)

    assert first == [f"{status}: No.", status, ["instead", 1]] == await story.play(code)
    assert len(answers["asked"]) == 1


OUTSIDE: dict[str, Callable[[], Any]] = {
    "for": lambda: wait.for_(1),
    "until": lambda: wait.until(NOON),
    "token": lambda: wait.for_token("waitpoint_1"),
    "run": lambda: wait.for_run(RunHandle("run_2")),
    "all": lambda: wait.all("run_2"),
    "trigger and wait": lambda: child.trigger_and_wait(1),
    "batch trigger and wait": lambda: child.batch_trigger_and_wait([1]),
}


@pytest.mark.parametrize("call", OUTSIDE.values(), ids=OUTSIDE)
def test_outside_of_a_task_nothing_waits_and_no_run_is_made(answers: Answers, call: Callable[[], Any]) -> None:
    with pytest.raises(RunfoldError, match="Only the code of a task can wait"):
        call()

    assert answers["asked"] == []


AWAITED = {
    "for": "runfold.aio.wait.for_",
    "until": "runfold.aio.wait.until",
    "token": "runfold.aio.wait.for_token",
    "run": "runfold.aio.wait.for_run",
    "all": "runfold.aio.wait.all",
    "trigger and wait": "task.aio.trigger_and_wait",
    "batch trigger and wait": "task.aio.batch_trigger_and_wait",
}


@pytest.mark.parametrize(("name", "call"), OUTSIDE.items(), ids=OUTSIDE)
async def test_in_an_async_task_the_blocking_names_say_which_to_await(
    answers: Answers, name: str, call: Callable[[], Any]
) -> None:
    async def code(_: Story) -> None:
        with pytest.raises(RunfoldError, match=rf"^This task is async: `await {AWAITED[name]}\(\.\.\.\)`\.$"):
            call()

    story = Story()
    await story.play(code)

    assert (answers["asked"], story.entries) == ([], [])


MAKING: dict[str, tuple[str, Callable[[], Any]]] = {
    "trigger": (r"task.aio.trigger", lambda: child.trigger(1)),
    "batch trigger": (r"task.aio.batch_trigger", lambda: child.batch_trigger([1])),
    "trigger by id": (r"runfold.aio.tasks.trigger", lambda: tasks.trigger("child", 1)),
    "batch trigger by id": (r"runfold.aio.tasks.batch_trigger", lambda: tasks.batch_trigger("child", [1])),
    "batch": (r"runfold.aio.batches.trigger", lambda: batches.trigger([(child, 1)])),
    "token": (r"runfold.aio.tokens.create_token", wait.create_token),
    "event": (r"runfold.aio.events.send", lambda: events.send("order.paid")),
}


@pytest.mark.parametrize(("awaitable", "call"), MAKING.values(), ids=MAKING)
async def test_what_an_async_task_makes_without_awaiting_it_is_not_made_and_told_how_to_await(
    answers: Answers, awaitable: str, call: Callable[[], Any]
) -> None:
    async def code(_: Story) -> None:
        with pytest.raises(RunfoldError, match=re.escape(f"`await {awaitable}(...)`")):
            call()

    story = Story()
    await story.play(code)

    assert (answers["asked"], story.entries) == ([], [])


async def test_a_step_of_an_async_task_may_trigger_without_awaiting_by_its_own_key(answers: Answers) -> None:
    answers["POST /api/v1/tasks/child/trigger"] = (200, MADE)

    def body() -> str:
        return child.trigger(1).id

    story = Story()

    assert await story.play(lambda _: run_step(story.journal, "hand on", body, Arguments((), {}))) == "run_2"
    ((_, sent),) = answers["asked"]
    assert sent["options"]["idempotencyKey"].endswith(":1")


def test_a_child_of_code_that_has_an_event_loop_of_its_own_is_triggered_once(answers: Answers) -> None:
    answers["POST /api/v1/tasks/child/trigger"] = (200, MADE)

    async def inner() -> str:
        return child.trigger(1).id

    story = Story()

    assert story.play_blocking(lambda _: asyncio.run(inner())) == "run_2"
    assert story.play_blocking(lambda _: asyncio.run(inner())) == "run_2"
    assert ([each.name for each in story.entries], len(answers["asked"])) == (["trigger child"], 1)


@pytest.mark.parametrize("call", [lambda: aio.wait.for_(1), lambda: child.aio.trigger_and_wait(1)])
async def test_a_step_cannot_wait(answers: Answers, call: Callable[[], Any]) -> None:
    @step
    async def sleepy() -> None:
        await call()

    with pytest.raises(StepFailedError, match="A step cannot wait: it is done at once or not at all"):
        await Story().play(lambda _: sleepy())

    assert answers["asked"] == []


async def test_outside_of_runs_a_trigger_has_no_key(answers: Answers) -> None:
    answers["POST /api/v1/tasks/child/trigger"] = (200, MADE)

    await asyncio.to_thread(tasks.trigger, "child", 1)

    assert answers["asked"] == [("POST /api/v1/tasks/child/trigger", {"payload": 1})]


async def test_code_is_blocked_only_while_nothing_but_waits_goes_on() -> None:
    going = asyncio.Event()

    async def long(story: Story) -> None:
        await going.wait()
        await story.step("x", turns=20)

    async def code(story: Story) -> None:
        step = asyncio.create_task(long(story))
        waiting = [asyncio.create_task(aio.wait.for_(each)) for each in ("1h", "2h")]
        await _until(lambda: story.blocked == [(0, 1)])
        going.set()
        await step
        await _until(lambda: story.blocked == [(0, 1), (), (0, 1)])
        story.wake(0, Outcome())
        await _until(lambda: story.blocked[3:] == [(1,)])
        story.wake(1, Outcome())
        await asyncio.wait(waiting)
        await _until(lambda: story.blocked[4:] == [()])

    story = Story()
    story.wakes = False
    await story.play(code)


async def test_that_many_waits_begin_or_end_at_once_is_told_once() -> None:
    async def code(story: Story) -> None:
        waiting = [asyncio.create_task(aio.wait.for_(each)) for each in range(1, 501)]
        await _until(lambda: len(story.journal.open_waits) == 500)
        await _until(lambda: bool(story.blocked))
        for each in range(499):
            story.wake(each, Outcome())
        await _until(lambda: len([waits for waits in story.blocked if waits]) > 1)
        story.wake(499, Outcome())
        await asyncio.wait(waiting)

    story = Story()
    story.wakes = False
    await story.play(code)

    assert [waits for waits in story.blocked if waits][:2] == [tuple(range(500)), (499,)]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (it comes about by turns of this very loop)
            await asyncio.sleep(0)
