"""Public tokens: what makes one that counts, and what becomes of it. What each opens is in `test_authorisation`."""

from typing import Any

import httpx
import pytest

from adapters.secrets import Vault
from tests.app.harness import (
    KEY,
    START_MS,
    Engine,
    environment,
    running_engine,
    sentence_of,
    transport_of,
)
from tests.app.tokens import TOKENS, make_token, signed_token

CLAIMS = "/api/v1/auth/jwt/claims"
TRIGGER = "/api/v1/tasks/greet/trigger"


async def _with(engine: Engine, token: str, method: str, path: str, **request: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} | request.pop("headers", {})
    return await engine.client.request(method, path, headers=headers, **request)


@pytest.mark.parametrize(
    ("key", "algorithm", "changed", "reason"),
    [
        (KEY, "HS256", {"exp": START_MS // 1_000}, "it has expired"),
        (KEY, "HS256", {"exp": None}, 'Token is missing the "exp" claim'),
        ("tr_dev_another_key_of_32_characters", "HS256", {}, "no key of the environment has signed it"),
        ("x" * 64, "HS512", {}, "The specified alg value is not allowed"),
        ("", "none", {}, "The specified alg value is not allowed"),
        (KEY, "HS256", {"aud": "https://elsewhere.test"}, "Audience doesn't match"),
        (KEY, "HS256", {"iss": "https://elsewhere.test"}, "Invalid issuer"),
        (KEY, "HS256", {"scopes": None}, "its claims cannot be read: Object missing required field `scopes`"),
        (KEY, "HS256", {"scopes": "admin"}, "its claims cannot be read: Expected `array`, got `str`"),
    ],
)
async def test_a_token_that_does_not_count_says_why(
    engine: Engine, key: str, algorithm: str, changed: dict[str, Any], reason: str
) -> None:
    answer = await _with(engine, signed_token(key, algorithm, sub=_name(engine), **changed), "GET", "/api/v1/runs")

    assert answer.status_code == 401
    assert sentence_of(answer).startswith(f"This public token is not valid: {reason}")


def _name(engine: Engine) -> str:
    return engine.service.environments()[0].id


@pytest.mark.parametrize("sub", ["env_0", "", 7, None])
async def test_a_token_for_no_environment_opens_nothing(engine: Engine, sub: Any) -> None:
    claims = {"sub": sub} if not isinstance(sub, int) else {"sub": str(sub)}

    answer = await _with(engine, signed_token(**claims), "GET", "/api/v1/runs")

    assert (answer.status_code, sentence_of(answer)) == (
        401,
        "Invalid or Missing API Key: this key opens no environment here.",
    )


async def test_a_token_with_an_empty_list_of_scopes_opens_nothing(engine: Engine) -> None:
    answer = await _with(engine, signed_token(sub=_name(engine), scopes=[]), "GET", "/api/v1/runs")

    assert answer.status_code == 403


async def test_an_id_may_have_colons(engine: Engine) -> None:
    await engine.register({"id": "a:b:c"})
    run = await engine.trigger("a:b:c")

    answers = [
        await _with(engine, await make_token(engine, f"read:tasks:{task}"), "GET", f"/api/v3/runs/{run}")
        for task in ("a:b:c", "a:b", "a")
    ]

    assert [answer.status_code for answer in answers] == [200, 403, 403]


async def test_a_token_for_one_use_is_used_once_and_the_same_request_is_answered_again(engine: Engine) -> None:
    token = await make_token(engine, "trigger:tasks:greet", oneTimeUse=True)
    same = {"x-trigger-request-idempotency-key": "1"}

    first, again = [await _with(engine, token, "POST", TRIGGER, json={}, headers=same) for _ in range(2)]
    other = await _with(engine, token, "POST", TRIGGER, json={}, headers={"x-trigger-request-idempotency-key": "2"})
    read = await _with(engine, token, "GET", f"/api/v3/runs/{first.json()['id']}")

    assert first.json() == again.json()
    assert (other.status_code, sentence_of(other)) == (401, "This public token was for one use, and was used before.")
    assert (read.status_code, sentence_of(read, "code")) == (
        403,
        "This public token is for one trigger, and opens nothing else.",
    )


async def test_what_a_token_did_is_told_of_it(engine: Engine) -> None:
    token = await make_token(engine, "trigger:tasks:greet")

    run = (await _with(engine, token, "POST", TRIGGER, json={})).json()["id"]

    assert (await engine.get(f"/api/v1/runs/{run}/events"))["events"][0]["actor"].startswith("token:")


async def test_a_key_that_was_revoked_signs_nothing_any_more(engine: Engine) -> None:
    keys = "/api/v1/environments/dev/keys"
    made = await engine.post(keys)
    token = signed_token(made["key"], sub=_name(engine))

    before = (await _with(engine, token, "GET", "/api/v1/runs")).status_code
    await engine.delete(f"{keys}/{made['id']}")
    after = (await _with(engine, token, "GET", "/api/v1/runs")).status_code

    assert (before, after) == (200, 401)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"scopes": []}, 422, "A public token has 1 to 100 scopes; this one has 0."),
        ({"scopes": ["read:runs"], "expirationTime": 1}, 422, "A public token expires in the future."),
        (
            {"scopes": ["read:runs"], "expirationTime": "soon"},
            400,
            '"soon" is not a duration; write one like "30s", "10m" or "1h30m".',
        ),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(
    engine: Engine, body: dict[str, Any], status: int, sentence: str
) -> None:
    assert await engine.refused("POST", TOKENS, status, json=body) == sentence


async def test_a_token_makes_no_other(engine: Engine) -> None:
    token = await make_token(engine, "admin")

    answers = [
        await _with(engine, token, "POST", CLAIMS),
        await _with(engine, token, "POST", TOKENS, json={"scopes": ["admin"]}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]


async def test_without_an_encryption_key_there_are_no_tokens_and_everything_else_goes_on() -> None:
    async with running_engine(vault=Vault([], lambda size: b"0" * size)) as engine:
        sentence = await engine.refused("POST", CLAIMS, 422)
        token = signed_token(sub=_name(engine))
        answer = await _with(engine, token, "GET", "/api/v1/runs")

        assert sentence == (
            "Public tokens need secret keys that are kept encrypted: start the engine with RUNFOLD_ENCRYPTION_KEY."
        )
        assert answer.status_code == 401
        assert "this environment has no key that public tokens can be verified with" in sentence_of(answer)
        assert await engine.trigger()


async def test_a_key_from_before_is_kept_when_claims_are_asked_with_it(engine: Engine) -> None:
    """As keys were made before they were kept, which only `AddKey` without `sealed` still does."""
    other = await environment(engine, "stg")
    name = engine.service.environments()[-1].id
    key = other.client.headers["authorization"].removeprefix("Bearer ")
    token = signed_token(key, sub=name)

    before = (await _with(engine, token, "GET", "/api/v1/runs")).status_code
    claims = await other.post(CLAIMS)
    after = (await _with(engine, token, "GET", "/api/v1/runs")).status_code

    assert (before, claims, after) == (401, {"sub": name, "pub": True, "jti": claims["jti"]}, 200)


async def test_no_two_tokens_are_one(engine: Engine) -> None:
    """Also those of the same second, of which each may be for one use."""
    claims = [await engine.post(CLAIMS) for _ in range(2)]
    tokens = [await make_token(engine, "trigger:tasks:greet", oneTimeUse=True) for _ in range(2)]

    runs = [await _with(engine, token, "POST", TRIGGER, json={}) for token in tokens]

    assert claims[0] != claims[1]
    assert [run.status_code for run in runs] == [200, 200]


async def test_pages_of_other_origins_may_ask(engine: Engine) -> None:
    asked = {"origin": "https://shop.test", "access-control-request-method": "POST"}
    asked |= {"access-control-request-headers": "authorization,x-trigger-api-version"}
    async with httpx.AsyncClient(transport=transport_of(engine), base_url="http://engine") as browser:
        preflight = await browser.options(TRIGGER, headers=asked)
    answer = await engine.client.post(
        TRIGGER, json={}, headers={"origin": "https://shop.test", "x-trigger-api-version": "2025-07-16"}
    )

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "x-trigger-api-version" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "*"
    assert "x-trigger-jwt-claims" in answer.headers
