"""Keys: without a valid one nothing is answered, and nothing is written."""

from typing import Any

import pytest

from app.engine.environments import digest_of
from domain.commands import AddKey, RevokeKey
from tests.app.harness import KEY, Engine, environment, running_engine, sentence_of

MISSING = "Invalid or Missing API Key: send the header Authorization: Bearer <secret key>."
WRONG = "Invalid or Missing API Key: this key opens no environment here."


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (None, MISSING),
        ("", MISSING),
        ("Bearer", MISSING),
        ("Bearer  ", MISSING),
        (KEY, MISSING),
        (f"Basic {KEY}", MISSING),
        ("Bearer wrong", WRONG),
        (f"Bearer {KEY}x", WRONG),
        (f"Bearer {KEY} x", WRONG),
        (f"Bearer {KEY.upper()}", WRONG),
        ("Bearer \xe4\xff", WRONG),
    ],
)
async def test_what_is_no_key_opens_nothing(engine: Engine, header: str | None, sentence: str) -> None:
    """On one route; `test_authorisation` asks all of them."""
    engine.client.headers.pop("authorization")
    headers = [] if header is None else [(b"authorization", header.encode("latin-1"))]

    sent = await engine.client.get("/api/v1/runs", headers=headers)

    assert (sent.status_code, sentence_of(sent)) == (401, sentence)


async def test_a_body_is_not_read_for_those_who_have_no_key(engine: Engine) -> None:
    engine.client.headers["authorization"] = "Bearer wrong"

    response = await engine.client.post("/api/v1/tasks/greet/trigger", content=b"not JSON")

    assert (response.status_code, sentence_of(response)) == (401, WRONG)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/openapi.json"])
async def test_whether_it_is_up_and_what_it_can_do_anyone_may_ask(engine: Engine, path: str) -> None:
    engine.client.headers.pop("authorization")

    assert (await engine.client.get(path)).status_code == 200


@pytest.mark.parametrize("header", [f"bearer {KEY}", f"BEARER {KEY}", f"Bearer   {KEY}  "])
async def test_the_scheme_may_be_in_any_case(engine: Engine, header: str) -> None:
    response = await engine.client.get("/api/v1/runs", headers={"authorization": header})

    assert response.status_code == 200


async def test_an_environment_may_have_two_keys_and_one_may_be_taken_back(engine: Engine) -> None:
    name = (await engine.retrieve(await engine.trigger()))["env"]["id"]
    first, second = engine.service.environments()[0].keys, "tr_dev_another_key"
    origin: dict[str, Any] = {"environment": name, "actor": "test", "cause": "test", "at": engine.clock.wall}
    sha256 = digest_of(second)
    await engine.service.loop.submit(AddKey(sha256=sha256, hint="tr_…", **origin))

    both = [await _status_with(engine, key) for key in (KEY, second)]
    await engine.service.loop.submit(RevokeKey(sha256=next(iter(first)), **origin))
    after = [await _status_with(engine, key) for key in (KEY, second)]

    assert (both, after) == ([200, 200], [401, 200])


async def test_each_key_opens_its_own_environment(engine: Engine) -> None:
    other = await environment(engine, "stg")
    await engine.trigger()

    names = [
        (await each.post("/worker/v1/register", {"tasks": [{"id": "a"}]}))["environment"] for each in (engine, other)
    ]

    assert [name["slug"] for name in names] == ["dev", "stg"]


async def test_an_environment_that_a_key_opens_needs_no_other() -> None:
    async with running_engine(secret_key=None) as engine:
        made = engine.client.headers["authorization"].removeprefix("Bearer ")

        await engine.service.ensure_environment(None)

        assert made.startswith("tr_dev_")
        assert not engine.service.needs_key
        assert await _status_with(engine, made) == 200


async def test_another_key_in_the_settings_closes_the_one_before() -> None:
    async with running_engine() as engine:
        await engine.service.ensure_environment("tr_dev_a_key_of_the_next_start")

        assert await _status_with(engine, KEY) == 401
        assert await _status_with(engine, "tr_dev_a_key_of_the_next_start") == 200


async def _status_with(engine: Engine, key: str) -> int:
    response = await engine.client.get("/api/v1/runs", headers={"authorization": f"Bearer {key}"})
    return response.status_code
