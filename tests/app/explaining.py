"""Why the engine says that a run is where it is."""

from typing import Any

from tests.app.harness import Engine


async def explained(engine: Engine, run: str) -> tuple[str, str, dict[str, Any]]:
    """Reason, sentence and data. To explain writes nothing."""
    before = engine.head
    told = await engine.get(f"/api/v1/runs/{run}/explain")
    assert engine.head == before
    assert told.keys() == {"reason", "sentence", "data"}
    return told["reason"], told["sentence"], told["data"]
