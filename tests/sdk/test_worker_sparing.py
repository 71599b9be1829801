"""Whatever goes wrong at one run ends that run, and neither the worker nor the runs beside it."""

import asyncio
import logging
import signal
import sys
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runfold import AuthenticationError, BadRequestError, Context, looping, steps, task
from runfold.aio import wait
from runfold.context import Cancellation
from runfold.journal import Journal
from runfold.worker.spans import Spans
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine, Json

CANCELED = "The code of the run cancelled itself."


class Picky(FakeEngine):
    """Refuses each turn that tells certain things."""

    def __init__(self, *unwanted: str) -> None:
        super().__init__()
        self.unwanted = unwanted

    async def _take(self, turn: Json) -> Json:
        if any(word in str(turn.get("reports", [])) for word in self.unwanted):
            raise ValueError("Expected `int` <= 7 - at `$.reports[0].until`.")
        return await super()._take(turn)

    async def _answer(self, request: Request) -> Response:
        try:
            return await super()._answer(request)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)


@task
async def echo(word: str) -> str:
    return word


async def test_of_many_reports_only_the_one_that_is_refused_fails_its_run(working: WORKERS) -> None:
    engine = Picky("evil")
    words = ["good", "fine", "evil", "well"] * 3
    runs = [await engine.give("echo", word) for word in words]
    async with working(echo, engine=engine, concurrency=20):
        ends = [await engine.end(run) for run in runs]

    sentence = (
        'What was to be told of the run ("succeeded") was refused: 400: Expected `int` <= 7 - at `$.reports[0].until`.'
    )
    failed = {"kind": "failed", "error": {"name": "ReportRefused", "message": sentence}, "retryable": False}
    for word, end in zip(words, ends, strict=True):
        assert end["kind"] == ("failed" if word == "evil" else "succeeded")
        assert word != "evil" or failed.items() <= end.items()
    assert [engine.kinds(run) for run in runs] == [["started", end["kind"]] for end in ends]


async def test_the_code_behind_a_report_that_is_refused_is_stopped(working: WORKERS) -> None:
    engine = Picky("evil")
    stopped = asyncio.Event()
    after: list[str] = []

    @task
    async def pay(_: None, ctx: Context) -> None:
        try:
            await ctx.step("evil", str, 7)
            after.append("ship")
        finally:
            stopped.set()

    async with working(pay, echo, engine=engine):
        run = await engine.give("pay")
        end = await engine.end(run)
        await stopped.wait()
        neighbour = await engine.end(await engine.give("echo", "good"))

    assert (end["kind"], end["error"]["name"], after) == ("failed", "ReportRefused", [])
    assert engine.kinds(run) == ["started", "failed"]
    assert neighbour["kind"] == "succeeded"


async def test_what_cannot_be_written_fails_its_run(
    engine: FakeEngine, working: WORKERS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "is_whole", _yes)

    @task
    async def name(_: None, ctx: Context) -> None:
        await ctx.step("\ud800", str, 7)

    async with working(name, echo):
        run, neighbour = await engine.give("name"), await engine.give("echo", "good")
        end = await engine.end(run)

        assert (await engine.end(neighbour))["kind"] == "succeeded"

    assert end["error"]["name"] == "ReportRefused"
    assert 'What was to be told of the run ("step_succeeded") was refused: It cannot' in end["error"]["message"]


async def test_an_auth_resolver_whose_answer_is_refused_has_found_nobody(working: WORKERS) -> None:
    engine = Picky("evil")

    @task(auth=_evil)
    async def guarded(_: None) -> None: ...

    async with working(guarded, engine=engine):
        end = await engine.end(await engine.give("guarded", kind="auth", attempt=0))

    assert (end["kind"], end["error"]["name"]) == ("unauthorized", "ReportRefused")


async def _evil(_payload: None, _ctx: Context) -> str:
    return "evil"


async def test_a_run_of_which_nothing_is_taken_is_let_go(working: WORKERS) -> None:
    engine = Picky("evil", "ReportRefused")
    async with working(echo, engine=engine):
        run = await engine.give("echo", "evil")
        await engine.turn(lambda turn: turn["sequence"] > 1 and turn.get("holds") == [])
        neighbour = await engine.end(await engine.give("echo", "good"))

    assert engine.kinds(run) == ["started"]
    assert neighbour["kind"] == "succeeded"


async def test_a_refusal_of_a_turn_that_tells_nothing_ends_the_worker(engine: FakeEngine, working: WORKERS) -> None:
    engine.before.append(lambda: JSONResponse({"error": "No such session."}, 400))
    with pytest.raises(BadRequestError, match="No such session"):
        async with working(echo) as worker:
            await worker.result


@pytest.mark.parametrize("place", ["at once", "in a step", "in a wait", "later"])
async def test_a_run_that_cancels_itself_has_failed(engine: FakeEngine, working: WORKERS, place: str) -> None:
    @task
    async def quit_(_: None, ctx: Context) -> None:
        me = asyncio.current_task()
        assert me is not None
        match place:
            case "at once":
                me.cancel()
                await asyncio.sleep(60)
            case "in a step":
                await ctx.step("stop", _cancel_and_sleep)
            case "in a wait":
                asyncio.get_running_loop().call_soon(me.cancel)
                await wait.for_("1h")
            case _:
                asyncio.get_running_loop().call_later(0.01, me.cancel)
                await asyncio.sleep(60)

    async with working(quit_, concurrency=1):
        end = await engine.end(await engine.give("quit_"))
        again = await engine.end(await engine.give("quit_"))

    for each in (end, again):
        assert (each["kind"], each["error"]["name"], each["error"]["message"]) == ("failed", "CancelledError", CANCELED)
        assert each["retryable"] is True


async def _cancel_and_sleep() -> None:
    me = asyncio.current_task()
    assert me is not None
    me.cancel()
    await asyncio.sleep(60)


async def test_a_worker_that_ends_at_once_calls_nothing_a_failure(
    engine: FakeEngine, working: WORKERS, caplog: pytest.LogCaptureFixture
) -> None:
    @task
    async def linger() -> None:
        await asyncio.sleep(60)

    async def work() -> None:
        async with working(linger) as worker:
            await engine.report(await engine.give("linger"), "started")
            engine.before.append(lambda: JSONResponse({"error": "The key was revoked."}, 401))
            await engine.cancel("run_99")
            await worker.result

    with pytest.raises(AuthenticationError):
        await work()
    for each in asyncio.all_tasks() - {asyncio.current_task()}:
        each.cancel()
        await asyncio.wait({each})

    assert "an attempt failed" not in caplog.text


async def test_code_that_leaves_while_its_result_is_written_ends_its_run_only(
    engine: FakeEngine, working: WORKERS
) -> None:
    class Leaving:
        def model_dump_json(self, **_: Any) -> str:
            return sys.exit(7)

    @task
    async def leave() -> Any:
        return Leaving()

    async with working(leave, echo):
        end = await engine.end(await engine.give("leave"))
        neighbour = await engine.end(await engine.give("echo", "good"))

    assert (end["kind"], end["error"]["name"]) == ("failed", "SystemExit")
    assert neighbour["kind"] == "succeeded"


async def test_a_mistake_at_the_end_of_a_wait_ends_its_run_only(
    engine: FakeEngine, working: WORKERS, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a mistake of Runfold")

    @task
    async def nap() -> None:
        await wait.for_("1h")

    async with working(nap, echo):
        run = await engine.give("nap")
        await engine.report(run, "waiting")
        monkeypatch.setattr(Journal, "wake", fail)
        await engine.wake(run)
        end = await engine.end(run)
        neighbour = await engine.end(await engine.give("echo", "good"))

    assert (end["kind"], end["error"]["message"]) == ("crashed", "a mistake of Runfold")
    assert neighbour["kind"] == "succeeded"


async def test_logging_and_tracing_that_fail_leave_no_run_without_an_end(
    engine: FakeEngine, working: WORKERS, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Spans):
        def __init__(self) -> None: ...

        def begin(self, run: Any) -> Any:
            raise RuntimeError("no collector")

    def refuse(_: logging.LogRecord) -> bool:
        raise RuntimeError("no disk")

    monkeypatch.setattr(logging.getLogger("runfold.worker"), "filters", [refuse])
    async with working(jobs.fail, echo, spans=Broken()):
        end = await engine.end(await engine.give("fail", "no such city"))
        neighbour = await engine.end(await engine.give("echo", "good"))

    assert (end["error"]["message"], neighbour["kind"]) == ("no such city", "succeeded")


@pytest.mark.parametrize("leave", [SystemExit, KeyboardInterrupt])
def test_what_leaves_the_event_loop_does_not_end_what_runs_on_it(
    leave: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "getsignal", _nothing)

    async def go() -> None:
        raise leave

    async def main() -> str:
        with pytest.raises(leave):
            await asyncio.create_task(go())
        asyncio.get_running_loop().call_soon(_raise, leave)
        await asyncio.sleep(0)
        return "all done"

    assert looping.run(main()) == "all done"


def test_ctrl_c_ends_what_has_no_handler_for_it() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(_raise, KeyboardInterrupt)
        await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        looping.run(main())


def test_a_loop_that_runs_for_ever_does_so_until_it_is_stopped() -> None:
    loop = asyncio.new_event_loop()
    done: list[str] = []
    loop.call_soon(_raise, SystemExit)
    loop.call_soon(done.append, "went on")
    loop.call_soon(loop.stop)

    looping.run_forever(loop)
    loop.close()

    assert done == ["went on"]


def _yes(_: Any) -> bool:
    return True


def _nothing(_: Any) -> None:
    return None


def _raise(error: type[BaseException]) -> None:
    raise error


async def test_what_a_synchronous_task_says_and_nobody_can_read_ends_its_run_only(
    engine: FakeEngine, working: WORKERS
) -> None:
    async with working(jobs.raise_half, jobs.return_garbage, jobs.name_half, jobs.double):
        half = await engine.end(await engine.give("raise_half"))
        garbage = await engine.end(await engine.give("return_garbage"))
        named = await engine.end(await engine.give("name_half"))
        neighbour = await engine.end(await engine.give("double", 4))

    assert (half["kind"], half["error"]["message"]) == ("failed", "caf\\udce9")
    assert (garbage["kind"], garbage["error"]["name"]) == ("crashed", "DecodeError")
    assert (named["kind"], named["error"]["name"]) == ("failed", "UnicodeEncodeError")
    assert neighbour["output"] == 8


def test_a_loop_that_was_closed_does_not_keep_a_run_from_being_stopped() -> None:
    loop, cancellation = asyncio.new_event_loop(), Cancellation()
    waiting = loop.create_task(cancellation.wait())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    cancellation.set()

    assert cancellation.is_set()
    del waiting
