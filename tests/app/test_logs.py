"""Logs of runs over HTTP: reported by a worker, read by anybody who may read the run."""

from typing import Any

import pytest

from tests.app.harness import START, START_MS, Engine, ledger_mistakes, report


def line(message: str, level: str = "info", **more: Any) -> dict[str, Any]:
    return {"at": START_MS, "level": level, "message": message} | more


async def logging(engine: Engine, *lines: dict[str, Any], kind: str = "") -> str:
    """A run that has logged these lines."""
    version = await engine.register()
    run = await engine.trigger()
    hand = await engine.take(version)
    ends = [report(hand, kind)] if kind else []
    answer = await engine.turn(version, report(hand, "logged", lines=list(lines)), *ends, want=0)
    assert answer["refused"] == []
    return run


async def test_lines_are_told_in_order_with_the_attempt_that_logged_them(engine: Engine) -> None:
    run = await logging(engine, line("a", attributes={"n": 1}), line("b", "error"), kind="succeeded")

    told = await engine.get(f"/api/v1/runs/{run}/logs")

    assert told == {
        "lines": [
            {"index": 0, "at": START, "level": "info", "message": "a", "attempt": 1, "attributes": {"n": 1}},
            {"index": 1, "at": START, "level": "error", "message": "b", "attempt": 1},
        ],
    }
    assert (await engine.events(run))[-2:] == ["RunLogged", "AttemptSucceeded"]
    assert await ledger_mistakes(engine) == []


@pytest.mark.parametrize(
    ("parameters", "messages"),
    [
        ({"level": "debug"}, "dwie"),
        ({"level": "info"}, "wie"),
        ({"level": "warning"}, "we"),
        ({"level": "error"}, "e"),
        ({"after": 1}, "ie"),
        ({"after": -1}, "dwie"),
        ({"after": 2, "level": "warning"}, "e"),
        ({"after": 9}, ""),
    ],
)
async def test_a_part_of_them_can_be_asked_for(engine: Engine, parameters: Any, messages: str) -> None:
    run = await logging(engine, line("d", "debug"), line("w", "warning"), line("i"), line("e", "error"))

    told = await engine.get(f"/api/v1/runs/{run}/logs", **parameters)

    assert "".join(each["message"] for each in told["lines"]) == messages


@pytest.mark.parametrize("query", ["level=loud", "after=x", "after=-2"])
async def test_what_cannot_be_asked_for_is_refused(engine: Engine, query: str) -> None:
    run = await engine.trigger()

    await engine.refused("GET", f"/api/v1/runs/{run}/logs?{query}", 400)


async def test_a_run_without_lines_has_none_and_one_that_is_not_there_no_answer(engine: Engine) -> None:
    run = await engine.trigger()

    assert await engine.get(f"/api/v1/runs/{run}/logs") == {"lines": []}
    assert await engine.refused("GET", "/api/v1/runs/run_1/logs", 404) == "Run run_1 not found."


async def test_what_a_worker_says_wrongly_of_a_line_spoils_nothing_else(engine: Engine) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    given = [
        line("x" * 10_000),
        line("list", attributes=[1]),
        line("large", attributes={"a": "x" * 9_000}),
        line("deep", attributes={"a": deep}),
        line("late", at=START_MS + 10**12),
        line("early", at=-(10**15)),
    ]

    run = await logging(engine, *given)

    told = (await engine.get(f"/api/v1/runs/{run}/logs"))["lines"]
    assert [len(told[0]["message"]), *(each["message"] for each in told[1:])] == [
        *(8_192, "list", "large", "deep", "late", "early")
    ]
    assert all("attributes" not in each for each in told)
    assert [each["at"] for each in told[4:]] == [START, "1970-01-01T00:00:00.000Z"]


async def test_a_level_that_there_is_not_is_a_bug_in_the_worker(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    hand = await engine.take(version)
    turn = {"session": engine.session, "version": version, "sequence": engine.sequence + 1}
    body = turn | {"reports": [report(hand, "logged", lines=[line("a", "loud")])]}

    await engine.refused("POST", "/worker/v1/turn", 400, json=body)


async def test_a_full_log_says_so(engine: Engine) -> None:
    run = await logging(engine, *(line(str(n)) for n in range(1_200)))

    told = await engine.get(f"/api/v1/runs/{run}/logs", after=998)

    assert [each["message"] for each in told["lines"]] == [
        "999",
        "What follows was dropped: 1000 lines and 262144 bytes of a run are kept.",
    ]
