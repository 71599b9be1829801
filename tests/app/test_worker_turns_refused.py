"""Turns that are refused: unknown versions, and what does not fit the protocol."""

from typing import Any

import pytest

from tests.app.harness import Engine

TURN = "/worker/v1/turn"


def _body(version: str, sequence: int, **fields: Any) -> dict[str, Any]:
    return {"session": "worker_1", "version": version, "sequence": sequence} | fields


async def test_a_version_that_was_never_registered_is_unknown(engine: Engine) -> None:
    await engine.register()
    head = engine.head

    response = await engine.client.post(TURN, json=_body("20200101.1", 1))

    assert (response.status_code, response.json()["code"], engine.head) == (404, "unknown_version", head)
    expected = "Version 20200101.1 was never registered here: register the tasks again."
    assert response.json()["error"] == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"session": "worker_"},
        {"session": "w_1"},
        {"session": "worker_a b"},
        {"session": "worker_\n"},
        {"session": "worker_" + "x" * 58},
        {"received": 1},
        {"received": 2},
        {"reports": [{"run": "run_1", "token": 1, "kind": "exploded", "at": 1}]},
    ],
    ids=str,
)
async def test_a_turn_that_cannot_be_is_refused(engine: Engine, wrong: dict[str, Any]) -> None:
    version = await engine.register()

    await engine.refused("POST", TURN, 422, json=_body(version, 1) | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sequence": 0},
        {"sequence": -1},
        {"sequence": 2**60},
        {"want": -1},
        {"waitMs": "1s"},
        {"version": None},
        {"holds": [["run_1"]]},
        {"holds": [["run_1", 2**70]]},
        {"reports": [{"run": "run_1", "token": 2**70, "kind": "started", "at": 1}]},
        {"reports": [{"run": "run_1", "kind": "started", "at": 1}]},
        {"reports": [{"run": "run_1", "token": 1, "kind": "waiting", "at": 1, "until": 2**50}]},
        {"reports": [{"run": "run_1", "token": 1, "kind": "waiting", "at": 1, "for": 2**50}]},
        {"reports": [{"run": "run_1", "token": 1, "kind": "failed", "at": 1, "error": "oh"}]},
    ],
    ids=str,
)
async def test_a_turn_of_another_shape_is_refused(engine: Engine, wrong: dict[str, Any]) -> None:
    version = await engine.register()

    await engine.refused("POST", TURN, 400, json=_body(version, 1) | wrong)
