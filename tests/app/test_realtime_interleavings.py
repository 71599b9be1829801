"""Whatever happens between two polls or within one, a subscriber learns how a run ended."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.engine.watching import Seen, Watcher
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


TURNS_MAX = 2_000
HELD_MIN = 5
"""How often a poll is held before it is enough: a thread that reads may be quicker once than at another time."""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_commit_at_each_turn_until_a_poll_is_held_is_told(
    engine: Engine, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One change at turn 0 of the polls, at turn 1, and so on, up to where a poll is held already."""
    news, held, times_held = Watcher.news, False, 0

    async def noted(watcher: Watcher, seconds: float) -> list[Seen]:
        nonlocal held
        held = True
        return await news(watcher, seconds)

    monkeypatch.setattr(Watcher, "news", noted)
    for turns in range(TURNS_MAX):
        options = {"delay": "1h", "tags": [f"at-{turns}"]}
        made = await engine.post("/api/v1/tasks/greet/batch", {"items": [{"options": options}]})
        run, held = made["runs"][0]["id"], False
        path, query = _path_of(kind, run, made["batchId"], f"at-{turns}")
        async with asyncio.timeout(SOON_SECONDS):
            polling = asyncio.create_task(_until_over(engine, path, query, run))
            await _pass(turns)
            times_held += held
            await engine.post(f"/api/v2/runs/{run}/cancel")
            statuses = await polling

        assert statuses[-1] == "CANCELED", (turns, statuses)
        if times_held == HELD_MIN:
            return
    raise AssertionError("no poll was ever held")


async def _until_over(engine: Engine, path: str, query: dict[str, str], run: str) -> list[str]:
    """The statuses of a run that long polls tell, until it is over."""
    rows: list[Any] = []
    more = {"offset": "-1"}
    while not rows or rows[-1]["completedAt"] is None:
        answer = await engine.client.get(path, params=query | more)
        rows += [each["value"] for each in answer.json() if each.get("value", {}).get("id") == run]
        headers = answer.headers
        more = {"live": "true", "offset": headers["electric-offset"], "handle": headers["electric-handle"]}
    return [row["status"] for row in rows]


def _path_of(kind: str, run: str, batch: str, tag: str) -> tuple[str, dict[str, str]]:
    """What to ask for to follow a run in this way."""
    paths: dict[str, tuple[str, dict[str, str]]] = {
        "run": (f"/realtime/v1/runs/{run}", {}),
        "tags": ("/realtime/v1/runs", {"tags": tag}),
        "batch": (f"/realtime/v1/batches/{batch}", {}),
    }
    return paths[kind]


async def _followed(engine: Engine, version: str, kind: str, turns: list[int], wait: int) -> list[str]:
    made = await engine.post("/api/v1/tasks/greet/batch", {"items": [{"options": {"tags": ["a"]}}]})
    run = made["runs"][0]["id"]
    path, query = _path_of(kind, run, made["batchId"], "a")
    async with asyncio.timeout(SOON_SECONDS):
        living = asyncio.create_task(_live(engine, version, run, turns))
        await _pass(wait)
        rows = await _polled(engine, path, query, run)
        await living
    return [row["status"] for row in rows]
