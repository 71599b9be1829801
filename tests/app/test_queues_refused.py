"""What is refused of queues: for its status, with its sentence, and without a trace in the ledger."""

from typing import Any

import pytest

from tests.app.harness import Engine, environment
from tests.app.test_queues_api import EMAILS, ROOT, path_of


async def not_found(engine: Engine, method: str, path: str, **request: Any) -> str:
    """Send what names no queue: the word that clients know is under `error`, and nothing is written."""
    before = engine.head
    response = await engine.client.request(method, path, **request)
    assert (response.status_code, response.json()["error"]) == (404, "queue-not-found")
    assert engine.head == before, "a refused request writes nothing"
    detail: str = response.json()["detail"]
    return detail


async def test_another_environment_knows_nothing_of_a_queue(engine: Engine) -> None:
    await engine.register(EMAILS)
    await engine.post(f"{path_of('emails')}/pause", {"type": "custom", "action": "pause"})
    other = await environment(engine, "staging")

    await not_found(other, "GET", path_of("emails"), params={"type": "custom"})
    assert [each["name"] for each in (await other.get(ROOT))["data"]] == ["greet"], "only its own"


@pytest.mark.parametrize("kind", ["id", "task", "custom"])
async def test_an_unknown_queue_is_not_found_and_nothing_is_written(engine: Engine, kind: str) -> None:
    await engine.register(EMAILS)
    path = path_of("nothing")

    for method, suffix, body in (
        ("GET", f"?type={kind}", None),
        ("POST", "/pause", {"action": "pause"}),
        ("POST", "/concurrency/override", {"concurrencyLimit": 1}),
        ("POST", "/concurrency/reset", {}),
    ):
        sent = None if body is None else body | {"type": kind}
        detail = await not_found(engine, method, path + suffix, json=sent)
        assert detail == f"There is no queue of the {kind} 'nothing' in this environment."


async def test_an_override_above_the_limit_of_the_environment_is_refused(engine: Engine) -> None:
    await engine.register(EMAILS)
    await engine.client.put("/api/v1/concurrency", json={"concurrencyLimit": 3})
    path = f"{path_of('emails')}/concurrency/override"

    sentence = await engine.refused("POST", path, 422, json={"type": "custom", "concurrencyLimit": 4})

    assert sentence == "Queue emails cannot have a limit of 4: that of the whole environment is 3."


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{ROOT}/emails/pause", {"type": "custom", "action": "stop"}),
        ("POST", f"{ROOT}/emails/pause", {"type": "custom"}),
        ("POST", f"{ROOT}/emails/pause", {"type": "name", "action": "pause"}),
        ("POST", f"{ROOT}/emails/concurrency/override", {"type": "custom"}),
        ("POST", f"{ROOT}/emails/concurrency/override", {"type": "custom", "concurrencyLimit": -1}),
        ("POST", f"{ROOT}/emails/concurrency/override", {"type": "custom", "concurrencyLimit": 100_001}),
        ("POST", f"{ROOT}/emails/concurrency/reset", {"type": 1}),
        ("PUT", "/api/v1/concurrency", {}),
        ("PUT", "/api/v1/concurrency", {"concurrencyLimit": -1}),
        ("PUT", "/api/v1/concurrency", {"concurrencyLimit": "many"}),
        ("GET", f"{ROOT}?page=0", None),
        ("GET", f"{ROOT}?perPage=all", None),
        ("GET", f"{ROOT}/emails?type=name", None),
    ],
)
async def test_what_is_not_of_the_right_shape_is_refused(engine: Engine, method: str, path: str, body: Any) -> None:
    await engine.register(EMAILS)

    await engine.refused(method, path, 400, json=body)


@pytest.mark.parametrize(
    "rate",
    [
        {"limit": 0, "periodMs": 1_000},
        {"limit": 1_000_001, "periodMs": 1_000},
        {"limit": 1, "periodMs": 999},
        {"limit": 1, "periodMs": 30 * 86_400_000 + 1},
    ],
)
async def test_a_rate_limit_out_of_bounds_is_refused(engine: Engine, rate: dict[str, int]) -> None:
    task = {"id": "greet", "queue": {"name": "slow", "rateLimit": rate}}

    sentence = await engine.refused("POST", "/worker/v1/register", 422, json={"tasks": [task]})

    assert sentence == (
        "The rate limit of queue slow needs a limit from 1 to 1000000 and a periodMs from 1000 to 2592000000."
    )
