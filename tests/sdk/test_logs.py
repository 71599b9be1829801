"""`ctx.log`: what code logs reaches the engine before the end of its attempt, and never holds the code up."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from runfold import Task, aio, runs
from runfold.log import BYTES_MAX, DROPPED, LINES_MAX, MESSAGE_MAX, Line, LogLine, RunLog
from runfold.worker.gathering import Gathered, without_secrets
from runfold.worker.wire import Environment, HandOut
from tests.sdk import log_jobs
from tests.sdk.conftest import WORKERS, FakeApi
from tests.sdk.fake_engine import FakeEngine, lost

LOCAL = logging.LoggerAdapter(logging.getLogger("runfold.task.test"), {})
RUN = HandOut("run_1", 1, "tell", 0, Environment("env_1", "dev", "DEVELOPMENT"))


def logged(engine: FakeEngine, run: str) -> list[dict[str, Any]]:
    """The lines that were reported of a run, but for their times."""
    reports = [each for each in engine.reports if each["run"] == run and each["kind"] == "logged"]
    lines = [line for each in reports for line in each["lines"]]
    firsts = [each.get("first", 0) for each in reports]
    assert firsts == [sum(len(each["lines"]) for each in reports[:place]) for place in range(len(reports))]
    return [{name: value for name, value in line.items() if name != "at"} for line in lines]


@pytest.mark.parametrize("task", [log_jobs.tell, log_jobs.tell_sync])
async def test_lines_come_in_order_before_the_end_and_without_secrets(
    engine: FakeEngine, working: WORKERS, task: Task[Any, Any]
) -> None:
    async with working(task):
        run = await engine.give(task.id, connections={"shop": {"key": "ada-secret", "pin": "123456"}})
        await engine.end(run)

    assert engine.kinds(run)[-1] == "succeeded"
    redacted = {"key": "[redacted]", "inner": {"list": ["[redacted]", "[redacted]", 5]}}
    assert logged(engine, run) == [
        {"level": "debug", "message": "begun", "attributes": {"payload": None}},
        {"level": "info", "message": "The key is [redacted].", "attributes": redacted},
        {"level": "warning", "message": "from a thread"},
        {"level": "error", "message": "over"},
    ]


@pytest.mark.parametrize("task", [log_jobs.tell_and_fail, log_jobs.tell_and_fail_sync])
async def test_what_was_logged_before_a_failure_is_told_before_it(
    engine: FakeEngine, working: WORKERS, task: Task[Any, Any]
) -> None:
    async with working(task):
        run = await engine.give(task.id)
        await engine.end(run)

    assert engine.kinds(run) == ["started", "logged", "failed"]


@pytest.mark.parametrize("task", [log_jobs.tell_and_wait, log_jobs.tell_and_wait_sync])
async def test_lines_are_told_while_the_code_goes_on(
    engine: FakeEngine, working: WORKERS, task: Task[Any, Any]
) -> None:
    async with working(task, grace_seconds=0):
        run = await engine.give(task.id)
        await engine.report(run, "logged")

        assert engine.kinds(run) == ["started", "logged"]


async def test_code_that_logs_without_end_tells_as_much_as_is_kept_and_that_there_was_more(
    engine: FakeEngine, working: WORKERS
) -> None:
    async with working(log_jobs.tell_much):
        run = await engine.give("tell_much")
        await engine.end(run)

    lines = logged(engine, run)
    assert len(lines) == LINES_MAX + 1
    assert lines[-2]["attributes"] == {"number": LINES_MAX - 1}
    assert lines[-1] == {"level": "warning", "message": DROPPED}


async def test_lines_whose_report_was_lost_are_told_again_by_the_same_turn(
    engine: FakeEngine, working: WORKERS
) -> None:
    async with working(log_jobs.tell_and_wait, grace_seconds=0):
        run = await engine.give("tell_and_wait")
        await engine.report(run, "started")
        engine.after.extend([lost] * 2)
        report = await engine.report(run, "logged")
        await engine.turn(lambda turn: report in turn.get("reports", []))

    assert [line["message"] for line in logged(engine, run)] == ["waiting"]


def log_of(kept: list[Line]) -> RunLog:
    return RunLog(LOCAL, kept.append)


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_whatever_is_logged_nothing_is_raised() -> None:
    kept: list[Line] = []
    odd: Any = {"when": datetime(2030, 1, 1, tzinfo=UTC), "what": object, "rude": Rude(), "half": "\ud800"}

    log_of(kept).info("caf\ud800é", level=1, message=float("nan"), **odd)
    log_of(kept).info(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert kept[0].message == "caf\\ud800é"
    assert kept[0].attributes == {
        "level": 1,
        "message": None,
        "when": "2030-01-01T00:00:00Z",
        "what": "<class 'object'>",
        "rude": "<Rude whose repr raised RuntimeError>",
        "half": "'\\ud800'",
    }
    assert kept[1].message == "5"


def test_attributes_that_are_too_large_are_told_of() -> None:
    kept: list[Line] = []

    log_of(kept).info("large", data="x" * 9_000)

    assert kept[0].attributes == {"dropped": "9011 bytes of attributes; at most 8192 are kept"}


def test_bytes_are_bounded_too() -> None:
    kept: list[Line] = []
    log = log_of(kept)

    for _ in range(100):
        log.info("x" * 100_000)

    assert len(kept) == BYTES_MAX // MESSAGE_MAX + 1
    assert kept[-1].message == DROPPED


def test_the_log_of_the_worker_has_every_line_where_it_was_called(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = log_of([])

    for _ in range(LINES_MAX + 5):
        log.debug("100% done", at="50%")

    # Garbage of other tests may be found meanwhile, which asyncio logs.
    written = [each for each in caplog.records if each.name != "asyncio"]
    assert len(written) == LINES_MAX + 5
    assert written[0].getMessage() == "100% done at='50%'"
    assert written[0].funcName == "test_the_log_of_the_worker_has_every_line_where_it_was_called"


def test_a_message_is_cut_behind_its_secrets() -> None:
    kept: list[Line] = []
    secret = "s" * 40
    run = HandOut("run_1", 1, "tell", 0, RUN.environment, auth={"token": secret})

    without_secrets(run, kept.append)(Line(0, "info", "x" * (MESSAGE_MAX - 20) + secret))

    assert kept[0].message == "x" * (MESSAGE_MAX - 20) + "[redacted]"


def test_a_thread_that_outlives_its_attempt_is_not_heard() -> None:
    news: list[None] = []
    gathered = Gathered(lambda: news.append(None))
    line = Line(0, "info", "a")

    gathered.add(line)
    gathered.add(line)
    first = gathered.take()
    gathered.add(line)
    second = gathered.take()
    gathered.close()
    gathered.add(line)

    assert (first, second, gathered.take()) == ((0, [line, line]), (2, [line]), (3, []))
    assert len(news) == 2


async def test_the_lines_of_a_run_are_read(api: FakeApi) -> None:
    told = {"index": 3, "at": "2030-01-01T00:00:00.000Z", "level": "info", "message": "a", "attempt": 1}
    api.answer({"lines": [told, told | {"index": 4, "attributes": {"n": 1}}]})

    lines = runs.logs("run_1", after=2, level="info")

    assert lines == await aio.runs.logs("run_1", after=2, level="info")
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert lines == (
        LogLine(index=3, at=moment, level="info", message="a", attempt=1),
        LogLine(index=4, at=moment, level="info", message="a", attempt=1, attributes={"n": 1}),
    )
    assert api.last.url.raw_path.decode() == "/api/v1/runs/run_1/logs?after=2&level=info"


def test_all_of_them_need_no_parameters(api: FakeApi) -> None:
    api.answer({"lines": []})

    assert runs.logs("run_1") == ()
    assert api.last.url.raw_path.decode() == "/api/v1/runs/run_1/logs"
