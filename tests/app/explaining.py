"""Why the engine says that a run is where it is."""

from typing import Any

from tests.app.harness import Engine

OF_WORKERS = {"turn": "ready", "no_worker": "ready", "auth": "auth"}
"""What rests on which workers are connected is told in other words of the past."""


async def explained(engine: Engine, run: str) -> tuple[str, str, dict[str, Any]]:
    """Reason, sentence and data, which are the same when this moment is asked for. To explain writes nothing."""
    before = engine.head
    told = await engine.get(f"/api/v1/runs/{run}/explain")
    then = await engine.get(f"/api/v1/runs/{run}/explain", asOf=engine.clock.wall)
    assert engine.head == before
    assert told.keys() == {"reason", "sentence", "data"}
    assert then == told or then["reason"] == OF_WORKERS[told["reason"]], then
    return told["reason"], told["sentence"], told["data"]
