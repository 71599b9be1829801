"""Any JSON value at all comes back from the worker's hands, the run and the replay as it was sent."""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.harness import Engine, running_engine

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


async def _there_and_back(engine: Engine, version: str, text: str, metadata: dict[str, Any]) -> list[Any]:
    """The payload as every reader gets it, and the metadata."""
    sent = f'{{"payload": {text}, "options": {{"metadata": {json.dumps(metadata)}}}}}'.encode()
    run = (await engine.client.post("/api/v1/tasks/greet/trigger", content=sent)).json()["id"]
    (handed,) = (await engine.turn(version))["runs"]
    said = f'{{"run":"{run}","token":{handed["token"]},"kind":"succeeded","at":1,"output":{text}}}'
    engine.sequence += 1
    head = f'{{"session":"worker_1","version":"{version}","sequence":{engine.sequence},"received":{engine.sequence - 1}'
    await engine.client.post("/worker/v1/turn", content=f'{head},"reports":[{said}]}}'.encode())
    body = await engine.retrieve(run)
    result = await engine.get(f"/api/v1/runs/{run}/result")
    replayed = (await engine.post(f"/api/v1/runs/{run}/replay"))["id"]
    replay = await engine.retrieve(replayed)
    await engine.post(f"/api/v2/runs/{replayed}/cancel")
    (item,) = (await engine.get("/api/v1/runs", **{"filter[status]": "COMPLETED", "page[size]": 1}))["data"]
    values = [handed["payload"], body["payload"], body["output"], json.loads(result["output"]), replay["payload"]]
    return [*values, body["metadata"], replay["metadata"], item["metadata"]]


def test_any_json_value_comes_back_as_it_was_sent() -> None:
    with asyncio.Runner() as runner:
        context = running_engine()
        engine = runner.run(context.__aenter__())
        version = runner.run(engine.register())

        @settings(max_examples=60, deadline=None)
        @given(VALUES, OBJECTS, st.booleans(), st.sampled_from((None, 1)))
        def check(value: Any, metadata: dict[str, Any], ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001 (hypothesis gives it by place)
            text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)

            back = runner.run(_there_and_back(engine, version, text, metadata))

            assert back == 5 * [value] + 3 * [metadata]

        try:
            check()
        finally:
            runner.run(context.__aexit__(None, None, None))
