"""`/api/v1/environments`: environments and their keys are made and taken back, by those who may."""

import random
import re
from typing import Any

import httpx
import pytest

from adapters.secrets import Vault
from app.engine.environments import digest_of
from domain.commands import AddKey
from tests.app.harness import (
    ADMIN_KEY,
    KEY,
    START,
    START_MS,
    Engine,
    Log,
    admin,
    environment,
    running_engine,
    transport_of,
)

ENVIRONMENTS = "/api/v1/environments"
DEV_KEYS = f"{ENVIRONMENTS}/dev/keys"
SENT = {"x-trigger-request-idempotency-key": "6f1c1f0e-0000-4000-8000-000000000002"}
PROD = {"slug": "prod", "type": "PRODUCTION"}
DEV_HINT = "tr_dev_…cdef"
DEV_ID = digest_of(KEY)[:12]
WRONG_SLUG = "A slug has 1 to 60 small letters, digits and hyphens, no hyphen first."
WRONG_LIMIT = "The concurrency limit of an environment is 0 to 100000, not 100001."
NAMELESS = {"project": "default", "organization": "default"}


async def status_with(engine: Engine, key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport_of(engine), base_url="http://engine", headers=headers) as client:
        return (await client.get("/api/v1/runs")).status_code


async def test_an_environment_is_made_with_a_key_that_opens_it(engine: Engine) -> None:
    body = PROD | {"project": "shop", "organization": "acme", "concurrencyLimit": 5}

    made = await admin(engine).post(ENVIRONMENTS, body)

    key = made.pop("key")
    assert re.fullmatch("tr_prod_[0-9a-f]{32}", key)
    assert made == body | {"id": made["id"], "hint": f"tr_prod_…{key[-4:]}"}
    assert await status_with(engine, key) == 200
    listed = (await admin(engine).get(ENVIRONMENTS))["data"]
    assert [each["slug"] for each in listed] == ["dev", "prod"]
    assert listed[1] == body | {"id": made["id"]}


@pytest.mark.parametrize(
    ("kind", "prefix"), [("DEVELOPMENT", "dev"), ("staging", "stg"), ("PRODUCTION", "prod"), ("Preview", "preview")]
)
async def test_the_key_tells_the_type(engine: Engine, kind: str, prefix: str) -> None:
    made = await admin(engine).post(ENVIRONMENTS, {"slug": "another", "type": kind})

    assert made["key"].startswith(f"tr_{prefix}_")
    assert made["type"] == kind.upper()


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"slug": "dev", "type": "PRODUCTION"}, 400, "There is an environment dev already."),
        (
            {"slug": "x", "type": "LIVE"},
            422,
            "There is no type 'LIVE'; types are DEVELOPMENT, STAGING, PRODUCTION, PREVIEW.",
        ),
        *(
            ({"slug": slug, "type": "STAGING"}, 422, WRONG_SLUG)
            for slug in ("", "-a", "A", "a/b", "a b", "ä", "a\n", "x" * 61)
        ),
        (PROD | {"project": ""}, 422, "A name of a project has 1 to 128 printable characters."),
        (PROD | {"organization": "x" * 129}, 422, "A name of an organization has 1 to 128 printable characters."),
        (PROD | {"concurrencyLimit": 100_001}, 422, WRONG_LIMIT),
    ],
)  # fmt: skip
async def test_an_environment_that_cannot_be_is_refused(
    engine: Engine, body: dict[str, Any], status: int, sentence: str
) -> None:
    assert await admin(engine).refused("POST", ENVIRONMENTS, status, json=body) == sentence


async def test_no_key_of_an_environment_makes_another(engine: Engine) -> None:
    sentence = await engine.refused("POST", ENVIRONMENTS, 403, json=PROD)

    assert sentence == "Only the admin key makes environments: the engine has it in RUNFOLD_ADMIN_KEY."


async def test_an_engine_without_an_admin_key_has_no_way_in_but_those_of_environments() -> None:
    async with running_engine(admin_key=None) as engine:
        await admin(engine).refused("POST", ENVIRONMENTS, 401, json=PROD)
        await admin(engine).refused("GET", DEV_KEYS, 401)
        assert (await engine.get(DEV_KEYS))["data"]


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/connections", "/api/v1/deployments"])
async def test_the_admin_key_opens_no_environment(engine: Engine, path: str) -> None:
    await admin(engine).refused("GET", path, 401)


async def test_a_key_of_an_environment_sees_that_one_alone(engine: Engine) -> None:
    other = await environment(engine, "stg")

    listed = [(await each.get(ENVIRONMENTS))["data"] for each in (engine, other)]

    assert listed == [
        [{"id": listed[0][0]["id"], "slug": "dev", "type": "DEVELOPMENT"} | NAMELESS],
        [{"id": listed[1][0]["id"], "slug": "stg", "type": "STAGING"} | NAMELESS],
    ]


@pytest.mark.parametrize("by_admin", [True, False])
async def test_a_second_key_is_made_told_once_and_taken_back(engine: Engine, *, by_admin: bool) -> None:
    keeper = admin(engine) if by_admin else engine

    made = await keeper.post(DEV_KEYS)

    assert re.fullmatch("tr_dev_[0-9a-f]{32}", made["key"])
    assert await status_with(engine, made["key"]) == 200
    listed = (await keeper.get(DEV_KEYS))["data"]
    creator = "admin" if by_admin else f"key:{DEV_ID}"
    assert listed == [
        {"id": DEV_ID, "hint": DEV_HINT, "createdAt": START, "createdBy": "engine"},
        {"id": made["id"], "hint": made["hint"], "createdAt": START, "createdBy": creator},
    ]
    assert await keeper.delete(f"{DEV_KEYS}/{made['id']}") == {"id": made["id"], "hint": made["hint"]}
    assert await status_with(engine, made["key"]) == 401
    assert (await keeper.get(DEV_KEYS))["data"] == listed[:1]


async def test_a_key_that_is_made_twice_by_one_request_is_one_and_told_to_its_maker_alone(engine: Engine) -> None:
    first = await engine.post(DEV_KEYS, **SENT)
    before = engine.head

    assert await engine.post(DEV_KEYS, **SENT) == first
    assert engine.head == before
    others = [await engine.post(DEV_KEYS), await admin(engine).post(DEV_KEYS, **SENT)]
    assert len({each["key"] for each in (first, *others)}) == 3


async def test_a_key_that_was_revoked_is_not_told_again(engine: Engine) -> None:
    made = await engine.post(DEV_KEYS, **SENT)
    await engine.delete(f"{DEV_KEYS}/{made['id']}")

    sentence = await engine.refused("POST", DEV_KEYS, 400, headers=SENT)

    assert (
        sentence == f"Key {made['id']}, which was made when this was sent first, was revoked since: make another one."
    )


async def test_a_key_that_is_kept_nowhere_is_not_told_again() -> None:
    async with running_engine(vault=Vault([], random.Random(1).randbytes)) as engine:
        made = await engine.post(DEV_KEYS, **SENT)

        sentence = await engine.refused("POST", DEV_KEYS, 400, headers=SENT)

        assert sentence == (
            f"Key {made['id']} was made when this was sent first, and cannot be told again, because it is not kept:"
            " revoke it and make another one."
        )
        assert len((await engine.get(DEV_KEYS))["data"]) == 2


@pytest.mark.parametrize("name", [DEV_ID, DEV_HINT, digest_of(KEY), digest_of(KEY)[:20]])
async def test_a_key_is_named_by_its_id_its_hint_or_its_hash(engine: Engine, name: str) -> None:
    await engine.post(DEV_KEYS)

    assert await engine.delete(f"{DEV_KEYS}/{name}") == {"id": DEV_ID, "hint": DEV_HINT}
    assert await status_with(engine, KEY) == 401


async def test_the_last_key_stays(engine: Engine) -> None:
    sentence = await engine.refused("DELETE", f"{DEV_KEYS}/{DEV_ID}", 400)

    assert sentence == "The last key of an environment cannot be revoked; create another one first."


@pytest.mark.parametrize("name", ["tr_dev_…0000", digest_of(KEY)[:11], "0" * 12, KEY])
async def test_a_key_that_is_not_there_is_not_revoked(engine: Engine, name: str) -> None:
    await engine.post(DEV_KEYS)

    assert await engine.refused("DELETE", f"{DEV_KEYS}/{name}", 404) == f"This environment has no key {name}."


async def test_a_hint_that_two_keys_have_names_neither(engine: Engine) -> None:
    service = engine.service
    for key in ("tr_dev_one_key_that_ends_with_cdef", "tr_dev_another_key_that_ends_with_cdef"):
        origin: dict[str, Any] = {
            "environment": service.environments()[0].id,
            "actor": "test",
            "cause": "test",
            "at": START_MS,
        }
        await service.loop.submit(AddKey(sha256=digest_of(key), hint="tr_dev_…cdef", **origin))

    sentence = await engine.refused("DELETE", f"{DEV_KEYS}/{DEV_HINT}", 400)

    assert sentence == f"3 keys of this environment look like {DEV_HINT}: name one by its id."


async def test_a_key_looks_after_its_own_environment_only(engine: Engine) -> None:
    await environment(engine, "stg")

    for method, path in (("GET", "keys"), ("POST", "keys"), ("DELETE", f"keys/{DEV_ID}")):
        sentence = await engine.refused(method, f"{ENVIRONMENTS}/stg/{path}", 403)
        assert sentence == "This key opens the environment dev only: use one of stg."


async def test_an_environment_that_is_not_there_has_no_keys(engine: Engine) -> None:
    assert (
        await admin(engine).refused("POST", f"{ENVIRONMENTS}/nowhere/keys", 404) == "There is no environment nowhere."
    )


async def test_no_key_stands_in_the_ledger(engine: Engine) -> None:
    made = await admin(engine).post(ENVIRONMENTS, PROD)
    second = await admin(engine).post(f"{ENVIRONMENTS}/prod/keys")

    records = await engine.service.read(lambda: engine.service.ledger.read_after(0, limit=1_000))

    told = repr(records)
    assert made["hint"] in told
    assert [key for key in (KEY, ADMIN_KEY, made["key"], second["key"]) if key in told] == []
    assert records[-1].actor == "admin"


@pytest.mark.parametrize(
    ("key", "slug", "kind"),
    [
        ("tr_prod_0123456789abcdef", "prod", "PRODUCTION"),
        ("tr_stg_0123456789abcdef", "staging", "STAGING"),
        ("tr_preview_0123456789abcdef", "preview", "PREVIEW"),
        ("tr_dev_0123456789abcdef", "dev", "DEVELOPMENT"),
        ("a key of my own, 0123456789", "dev", "DEVELOPMENT"),
    ],
)
async def test_the_key_in_the_settings_tells_which_environment_there_is(key: str, slug: str, kind: str) -> None:
    async with running_engine(secret_key=key.replace(" ", "_").replace(",", "")) as engine:
        assert [(each.slug, each.type) for each in engine.service.environments()] == [(slug, kind)]
        assert (await engine.get(ENVIRONMENTS))["data"][0]["slug"] == slug


async def test_another_key_in_the_settings_takes_back_only_what_settings_gave(engine: Engine) -> None:
    made = (await engine.post(DEV_KEYS))["key"]

    await engine.service.ensure_environment("tr_dev_a_key_of_the_next_start")

    assert [await status_with(engine, key) for key in (KEY, made, "tr_dev_a_key_of_the_next_start")] == [401, 200, 200]


async def test_a_key_of_the_settings_that_somebody_revoked_stays_revoked(engine: Engine, log: Log) -> None:
    made = (await engine.post(DEV_KEYS))["key"]
    await admin(engine).delete(f"{DEV_KEYS}/{DEV_ID}")
    head = engine.head

    await engine.service.ensure_environment(KEY)

    assert engine.head == head
    assert [await status_with(engine, key) for key in (KEY, made)] == [401, 200]
    warning = next(entry for entry in log if entry["log_level"] == "warning" and "RUNFOLD_SECRET_KEY" in entry["event"])
    assert (warning["key"], warning["revoked_by"], warning["revoked_at"]) == (DEV_ID, "admin", START)


async def test_a_revoked_key_in_the_settings_makes_no_environment_either(engine: Engine) -> None:
    made = (await admin(engine).post(ENVIRONMENTS, {"slug": "live", "type": "PRODUCTION"}))["key"]
    await admin(engine).post(f"{ENVIRONMENTS}/live/keys")
    await admin(engine).delete(f"{ENVIRONMENTS}/live/keys/{digest_of(made)[:12]}")

    await engine.service.ensure_environment(made)

    assert await status_with(engine, made) == 401
    assert [each.slug for each in engine.service.environments()] == ["dev", "live"]


async def test_settings_may_go_back_to_the_key_that_they_had_before(engine: Engine) -> None:
    for key in ("tr_dev_a_key_of_the_next_start", KEY):
        await engine.service.ensure_environment(key)

    assert [await status_with(engine, key) for key in (KEY, "tr_dev_a_key_of_the_next_start")] == [200, 401]


async def test_a_key_that_was_made_here_may_stand_in_the_settings(engine: Engine) -> None:
    made = (await admin(engine).post(ENVIRONMENTS, {"slug": "live", "type": "PRODUCTION"}))["key"]
    head = engine.head

    await engine.service.ensure_environment(made)

    assert engine.head == head
    assert [each.slug for each in engine.service.environments()] == ["dev", "live"]


async def test_without_a_key_in_the_settings_what_is_there_is_enough() -> None:
    async with running_engine(secret_key="tr_prod_0123456789abcdef") as engine:
        assert not engine.service.needs_key

        await engine.service.ensure_environment(None)

        assert [each.slug for each in engine.service.environments()] == ["prod"]
