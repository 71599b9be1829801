"""`GET /api/v1/runs/{id}/trace` and `/spans/{id}`: what a run did and the runs below it, as spans."""

from typing import Any

import pytest

from app.web import traces
from tests.app.harness import START_MS, Engine, report
from tests.app.statuses import ERROR
from tests.app.waiting import entry, stepped, waits


async def _family(engine: Engine) -> tuple[str, str, dict[str, Any]]:
    """A run that made a step, failed at one, triggered a child, and waits for that."""
    version = await engine.register()
    run = await engine.trigger()
    child = await engine.trigger(delay="1h", parentRunId=run)
    handed = await engine.take(version)
    engine.clock.wall += 500
    failed = report(handed, "step_failed", at=engine.clock.wall, entry=entry(1, "charge", number=2), error=ERROR)
    # The run itself is among what it triggered: it has the idempotency key that the code named.
    children = report(handed, "triggered", entry=entry(2, "ship"), runs=[child, run])
    wait = waits(handed, 3, child, until=START_MS + 86_400_000)
    await engine.turn(version, stepped(handed, 0, None), failed, children, wait, want=0)
    return run, child, handed


def _names(node: dict[str, Any]) -> list[Any]:
    return [node["data"]["message"], [_names(each) for each in node["children"]]]


async def test_a_trace_is_a_tree_of_attempts_steps_and_children(engine: Engine) -> None:
    run, child, _ = await _family(engine)
    await engine.advance(1_000)

    told = (await engine.get(f"/api/v1/runs/{run}/trace"))["trace"]

    root = told["rootSpan"]
    assert (told["traceId"], root["id"], root["runId"]) == (run, run, run)
    assert _names(root) == [
        "greet",
        [["Attempt 1", [["charge", []], ["charge", []], ["ship", [["greet", []]]], ["wait", []]]]],
    ]
    attempt = root["children"][0]
    step, failed, ship, wait = attempt["children"]
    assert (root["data"]["isPartial"], root["data"]["duration"]) == (True, 1_500)
    assert [each["data"]["isError"] for each in (root, attempt, step, failed)] == [False, False, False, True]
    assert failed["data"]["events"][0]["properties"] == {"exception": {"message": ERROR["message"]}}
    assert (ship["children"][0]["runId"], ship["children"][0]["parentId"]) == (child, ship["id"])
    assert (wait["data"]["isPartial"], "parentId" in root) == (True, False)


async def test_pages_of_a_trace_put_together_are_all_of_it(engine: Engine) -> None:
    run, child, _ = await _family(engine)

    whole = await engine.get(f"/api/v1/runs/{run}/trace", **{"page[size]": "10000"})
    first = await engine.get(f"/api/v1/runs/{run}/trace", **{"page[size]": "4"})
    after = first["pagination"]["next"]
    second = await engine.get(f"/api/v1/runs/{run}/trace", **{"page[size]": "4", "page[after]": after})

    assert whole["data"] == first["data"] + second["data"]
    assert len(first["data"]) == 4
    assert (whole["pagination"], second["pagination"]) == ({}, {})
    assert [each["runId"] for each in whole["data"]].count(child) == 1


async def test_a_failed_attempt_is_named_and_the_end_is_told(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.perform(version, "failed", error=ERROR)

    page = await engine.get(f"/api/v1/runs/{run}/trace", **{"page[size]": "10"})

    assert page["attemptFailures"] == [{"spanId": f"{handed['id']}.1", "attemptNumber": 1, "runId": run}]
    assert [(each["isError"], each["isPartial"]) for each in page["data"]] == [(True, False), (True, False)]


async def test_a_span_tells_of_the_runs_that_it_triggered(engine: Engine) -> None:
    run, child, _ = await _family(engine)

    told = await engine.get(f"/api/v1/runs/{run}/spans/{run}.1.2")

    assert (told["message"], told["parentId"], told["isError"]) == ("ship", f"{run}.1", False)
    assert [each["runId"] for each in told["triggeredRuns"]] == [child, run]
    assert {"GET": await engine.refused("GET", f"/api/v1/runs/{run}/spans/nothing", 404)} == {
        "GET": f"Span nothing not found in the trace of run {run}."
    }


async def test_a_canceled_run_is_no_error_in_its_trace(engine: Engine) -> None:
    run = await engine.trigger(delay="1h")
    await engine.post(f"/api/v2/runs/{run}/cancel")

    data = (await engine.get(f"/api/v1/runs/{run}/trace"))["trace"]["rootSpan"]["data"]

    assert (data["isCancelled"], data["isError"], data["isPartial"]) == (True, False, False)


async def test_a_trace_that_is_cut_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "RUNS_MAX", 1)
    run, child, _ = await _family(engine)

    page = await engine.get(f"/api/v1/runs/{run}/trace", **{"page[size]": "100"})

    assert page["pagination"] == {"truncated": True}
    assert child not in {each["runId"] for each in page["data"]}


@pytest.mark.parametrize("query", ["page[size]=0", "page[size]=10001", "page[size]=1&page[after]=x"])
async def test_a_page_that_cannot_be_is_refused(engine: Engine, query: str) -> None:
    run = await engine.trigger(delay="1h")

    assert await engine.refused("GET", f"/api/v1/runs/{run}/trace?{query}", 400)
