"""Variables of an environment: kept, shown if they are no secrets, and given to workers."""

from typing import Any

import pytest

from tests.app.harness import Engine, environment

PATH = "/api/v1/projects/default/envvars/dev"
WORKER = "/worker/v1/variables"


async def _save(engine: Engine, name: str, value: str, **more: Any) -> None:
    assert await engine.post(PATH, {"name": name, "value": value} | more) == {"success": True}


async def test_a_variable_is_kept_replaced_and_forgotten(engine: Engine) -> None:
    await _save(engine, "B", "1")
    await _save(engine, "A", "zwölf")
    await _save(engine, "B", "2")

    before = await engine.get(PATH)
    of_worker = await engine.get(WORKER)
    await engine.delete(f"{PATH}/B")

    told = [{"name": "A", "value": "zwölf", "isSecret": False}, {"name": "B", "value": "2", "isSecret": False}]
    assert (before, of_worker) == (told, {"variables": {"A": "zwölf", "B": "2"}})
    assert await engine.get(PATH) == told[:1]
    assert await engine.refused("DELETE", f"{PATH}/B", 404) == "This environment has no variable B."


async def test_a_secret_one_is_shown_to_workers_alone(engine: Engine) -> None:
    await _save(engine, "TOKEN", "5ec7e7", isSecret=True)

    shown = await engine.get(f"{PATH}/TOKEN")
    await engine.put(f"{PATH}/TOKEN", {"value": "another"})

    assert shown == {"name": "TOKEN", "value": "<redacted>", "isSecret": True}
    assert await engine.get(f"{PATH}/TOKEN") == shown
    assert await engine.get(WORKER) == {"variables": {"TOKEN": "another"}}


@pytest.mark.parametrize(("override", "after"), [(False, {"A": "1", "B": "3"}), (True, {"A": "2", "B": "3"})])
async def test_many_are_imported_at_once(engine: Engine, *, override: bool, after: dict[str, str]) -> None:
    await _save(engine, "A", "1")

    await engine.post(f"{PATH}/import", {"variables": {"A": "2", "B": "3"}, "override": override})

    assert await engine.get(WORKER) == {"variables": after}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"name": "", "value": ""}, "A variable has a name of 1 to 128 letters, digits and underscores, not ''."),
        ({"name": "1A", "value": ""}, "A variable has a name of 1 to 128 letters, digits and underscores, not '1A'."),
        ({"name": "A=B", "value": ""}, "A variable has a name of 1 to 128 letters, digits and underscores, not 'A=B'."),
        (
            {"name": "A", "value": "x" * 32_769},
            "The value of A has 32769 bytes; at most 32768 are kept, none of them 0.",
        ),
        ({"name": "A", "value": "x\0"}, "The value of A has 2 bytes; at most 32768 are kept, none of them 0."),
    ],
)
async def test_what_can_be_no_variable_is_refused(engine: Engine, body: dict[str, str], sentence: str) -> None:
    assert await engine.refused("POST", PATH, 422, json=body) == sentence


async def test_there_is_a_bound(engine: Engine) -> None:
    sentence = await engine.refused(
        "POST", f"{PATH}/import", 422, json={"variables": {f"V{number}": "" for number in range(501)}}
    )

    assert sentence == "An environment has at most 500 variables; these would be 501."


async def test_each_environment_has_its_own(engine: Engine) -> None:
    other = await environment(engine, "stg")
    await _save(engine, "A", "1")

    assert await other.get(WORKER) == {"variables": {}}
    assert await other.refused("GET", PATH, 403) == "This key opens the environment stg only: use one of dev."
    assert await other.get("/api/v1/projects/default/envvars/stg") == []


async def test_no_value_stands_in_the_ledger(engine: Engine) -> None:
    await _save(engine, "TOKEN", "5ec7e7-5ec7e7")

    records = await engine.service.read(lambda: engine.service.ledger.read_after(0, limit=1_000))

    assert "5ec7e7-5ec7e7" not in repr(records)
