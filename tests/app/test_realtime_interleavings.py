"""Whatever happens between two polls or within one, a subscriber learns how a run ended."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.harness import Engine, running_engine

TURNS = st.lists(st.integers(0, 40), min_size=5, max_size=5)
"""How many turns of the loop pass before each thing that happens to the run."""
SOON_SECONDS = 10.0
KINDS = ("run", "tags", "batch")


async def _pass(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def _live(engine: Engine, version: str, run: str, turns: list[int]) -> None:
    """What happens to a run: it is handed out, begins, is tagged, ends, and is tagged once more."""
    begin, start, tag, end, late = turns
    await _pass(begin)
    (handed,) = (await engine.turn(version, want=1))["runs"]
    said = {"run": run, "token": handed["token"], "at": engine.clock.wall}
    await _pass(start)
    await engine.turn(version, said | {"kind": "started"}, want=0)
    await _pass(tag)
    await engine.post(f"/api/v1/runs/{run}/tags", {"tags": "more"})
    await _pass(end)
    await engine.turn(version, said | {"kind": "succeeded", "output": 1}, want=0)
    await _pass(late)
    await engine.post(f"/api/v1/runs/{run}/tags", {"tags": "late"})


async def _polled(engine: Engine, path: str, query: dict[str, str], run: str) -> list[Any]:
    """The rows of a run that long polls are told, until it has its last tag."""
    rows: list[Any] = []
    more = {"offset": "-1"}
    while not rows or "late" not in rows[-1]["runTags"]:
        answer = await engine.client.get(path, params=query | more)
        assert answer.status_code == 200, answer.text
        rows += [each["value"] for each in answer.json() if each.get("value", {}).get("id") == run]
        headers = answer.headers
        more = {"live": "true", "offset": headers["electric-offset"], "handle": headers["electric-handle"]}
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_ends_between_snapshot_and_live_is_never_missed(kind: str) -> None:
    with asyncio.Runner() as runner:
        context = running_engine()
        engine = runner.run(context.__aenter__())
        version = runner.run(engine.register())

        @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(turns=TURNS, wait=st.integers(0, 60))
        def check(turns: list[int], wait: int) -> None:
            statuses = runner.run(_followed(engine, version, kind, turns, wait))

            assert statuses[-1] == "COMPLETED_SUCCESSFULLY", json.dumps(statuses)

        try:
            check()
        finally:
            runner.run(context.__aexit__(None, None, None))


async def _followed(engine: Engine, version: str, kind: str, turns: list[int], wait: int) -> list[str]:
    made = await engine.post("/api/v1/tasks/greet/batch", {"items": [{"options": {"tags": ["a"]}}]})
    run = made["runs"][0]["id"]
    paths: dict[str, tuple[str, dict[str, str]]] = {
        "run": (f"/realtime/v1/runs/{run}", {}),
        "tags": ("/realtime/v1/runs", {"tags": "a"}),
        "batch": (f"/realtime/v1/batches/{made['batchId']}", {}),
    }
    path, query = paths[kind]
    async with asyncio.timeout(SOON_SECONDS):
        living = asyncio.create_task(_live(engine, version, run, turns))
        await _pass(wait)
        rows = await _polled(engine, path, query, run)
        await living
    return [row["status"] for row in rows]
