"""Secrets and variables of requests: sent to the target, and shown to nobody else."""

import base64
import json
from datetime import datetime, tzinfo
from typing import Any, Self
from urllib.parse import quote

import pytest
from msgspec import Raw
from standardwebhooks import Webhook, WebhookVerificationError, webhooks

from adapters.secrets import MasterKey, Vault
from app.requests import call_of
from app.vault.connections import check_keys
from domain.errors import KeyMissing
from domain.requests import HttpRequest
from tests.app.calling import ended, execute, executed, save, start
from tests.app.harness import MASTER_KEY, START, START_MS, Engine, environment, until
from tests.targets import Target

SECRETS = "/v1/secrets"
VALUE = "s3cr3t/value+1"
AUTHORIZED = {"Authorization": "Bearer secret://api-token"}


@pytest.fixture
async def calling(engine: Engine) -> Engine:
    execute(engine)
    return engine


async def test_a_secret_is_sent_in_headers_and_bodies(calling: Engine, target: Target) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": VALUE})
    text = {"method": "POST", "headers": AUTHORIZED, "body": "token=secret://api-token&x=1"}
    tree = {"method": "POST", "body": {"a": ["secret://api-token", 1], "secret://api-token": None}}

    await executed(calling, target, request=text)
    await executed(calling, target, request=tree)

    first, second = target.asked
    assert first.headers["authorization"] == f"Bearer {VALUE}"
    assert (first.body.decode(), first.headers["content-type"]) == (f"token={VALUE}&x=1", "text/plain; charset=utf-8")
    assert json.loads(second.body) == {"a": [VALUE, 1], "secret://api-token": None}
    assert second.headers["content-type"] == "application/json"


async def test_a_missing_secret_fails_the_attempt_before_anything_is_sent(calling: Engine, target: Target) -> None:
    found = await executed(calling, target, request={"headers": AUTHORIZED})

    (attempt,) = found["attempts"]
    assert (attempt["status"], attempt["errorClass"]) == ("CONNECTION_ERROR", "secret_missing")
    assert attempt["error"] == (
        "There is no secret api-token in this environment: save it with PUT /v1/secrets/api-token."
    )
    assert target.asked == []


async def test_a_secret_is_looked_up_at_each_attempt(calling: Engine, target: Target) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": "before-1"})
    target.script = [(500, "", {}), (200, "", {})]
    execution = await start(calling, await save(calling, target.url("/next"), request={"headers": AUTHORIZED}))
    await target.came(1)
    await calling.put(f"{SECRETS}/api-token", {"value": "behind-2"})

    await ended(calling, execution)

    assert [asked.headers["authorization"] for asked in target.asked] == ["Bearer before-1", "Bearer behind-2"]


async def test_a_call_that_waited_for_its_host_sends_the_secret_and_the_time_of_when_it_begins(
    engine: Engine, target: Target
) -> None:
    executor = execute(engine, per_host=1)
    await engine.put(f"{SECRETS}/api-token", {"value": "before-1"})
    await engine.put(f"{SECRETS}/signing", {"value": f"whsec_{base64.b64encode(bytes(32)).decode()}"})
    first = await start(engine, await save(engine, target.url("/gate")))
    await target.came(1)
    request = {"headers": AUTHORIZED, "sign_with": ["signing"]}
    second = await start(engine, await save(engine, target.url(), request=request))
    await until(lambda: executor.limits.waiting == 1)

    await engine.put(f"{SECRETS}/api-token", {"value": "behind-2"})
    engine.clock.wall += 5_000
    target.release.set()
    await ended(engine, first)
    await ended(engine, second)

    sent = target.asked[1].headers
    assert sent["authorization"] == "Bearer behind-2"
    assert sent["webhook-timestamp"] == str(START_MS // 1_000 + 5)


async def test_what_a_target_echoes_of_a_secret_is_kept_nowhere(calling: Engine, target: Target) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": VALUE})
    forms = [VALUE, quote(VALUE, safe=""), base64.b64encode(VALUE.encode()).decode(), json.dumps(VALUE)]
    target.script = [(500, " ".join(forms), {"etag": VALUE}), (200, VALUE, {})]

    found = await executed(calling, target, "/next", request={"headers": AUTHORIZED})

    told = str(found) + str(await calling.get("/api/v1/ledger/events", limit=1_000))
    assert found["attempts"][0]["responseHeaders"]["etag"] == "[redacted]"
    assert found["attempts"][1]["bodyPreview"] == "[redacted]"
    assert [form for form in forms if form in told] == []
    assert target.asked[0].headers["authorization"].endswith(VALUE)


async def test_the_cut_end_of_a_header_holds_no_part_of_a_secret(calling: Engine, target: Target) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": VALUE})
    target.script = [(200, "", {"etag": "x" * 995 + VALUE, "via": "y" * 2_000})]

    found = await executed(calling, target, "/next", request={"headers": AUTHORIZED})

    shown = found["attempts"][0]["responseHeaders"]
    assert (shown["etag"], shown["via"]) == ("x" * 995 + "[reda", "y" * 1_000)


async def test_what_is_told_of_an_answer_that_is_no_http_holds_no_part_of_a_secret(
    calling: Engine, target: Target
) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": VALUE})
    answers = [b"HTTP/1.1 200 OK\r\n" + b"bad " * length + VALUE.encode() + b"\r\n\r\n" for length in range(30, 50)]

    found = [
        await executed(
            calling, target, f"/raw/{each.hex()}", request={"headers": AUTHORIZED}, retry_policy={"max_attempts": 1}
        )
        for each in answers
    ]

    assert {each["attempts"][0]["errorClass"] for each in found} == {"protocol_error"}
    assert VALUE[:4] not in str([each["attempts"] for each in found])


async def test_the_cut_end_of_a_body_holds_no_part_of_a_secret(calling: Engine, target: Target) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": VALUE})
    target.script = [(200, "x" * 65_530 + VALUE, {})]

    found = await executed(calling, target, "/next", request={"headers": AUTHORIZED})

    assert found["attempts"][0]["bodyPreview"] == "x" * 65_530


async def test_a_secret_that_no_header_can_carry_is_not_sent_and_not_told(calling: Engine, target: Target) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": "a\r\nX-Injected: 1"})

    found = await executed(calling, target, request={"headers": AUTHORIZED})

    assert [each["errorClass"] for each in found["attempts"]] == ["invalid_request"]
    assert "Injected" not in str(found["attempts"])
    assert target.asked == []


@pytest.mark.parametrize(
    ("body", "holds_one"),
    [
        (r'{"a": ["secret://token"]}', True),
        (r'{"a": ["secret:\/\/token"]}', True),
        (r'"token=secret:\/\/token"', True),
        (r'"token=\u0073ecret://token"', True),
        (r'{"secret://token": "no value"}', False),
        ("null", False),
    ],
)
def test_a_body_that_was_given_a_secret_is_known_however_its_json_is_written(body: str, holds_one: bool) -> None:  # noqa: FBT001
    call = call_of(HttpRequest("http://a.test/", "POST", body=Raw(body.encode())), {}, lambda _: VALUE)

    assert call.has_secret_body is holds_one
    assert (VALUE in (call.body or b"").decode()) is holds_one


async def test_the_value_of_a_secret_is_not_looked_into(calling: Engine, target: Target) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": "secret://other {{uuid}}"})

    await executed(calling, target, request={"headers": AUTHORIZED})

    assert target.asked[0].headers["authorization"] == "Bearer secret://other {{uuid}}"


async def test_variables_are_the_same_in_each_attempt_of_an_execution_and_others_in_the_next(
    calling: Engine, target: Target
) -> None:
    request = {
        "url": target.url("/status/500?at={{timestamp}}&id={{execution_id}}"),
        "method": "POST",
        "headers": {"Idempotency-Key": "{{uuid}}"},
        "body": {"{{uuid}}": ["{{ uuid }}", "{{unknown}}"]},
    }
    job = await save(calling, target.url(), request=request)

    found = [await ended(calling, await start(calling, job)) for _ in range(2)]

    keys = [asked.headers["idempotency-key"] for asked in target.asked]
    assert len(set(keys[:3])) == len(set(keys[3:])) == 1
    assert keys[0] != keys[3]
    assert target.asked[0].path == f"/status/500?at={START}&id={found[0]['id']}"
    assert json.loads(target.asked[0].body) == {"{{uuid}}": [keys[0], "{{unknown}}"]}


async def test_a_secret_is_shown_without_its_value(engine: Engine) -> None:
    created = await engine.client.post(SECRETS, json={"name": "api-token", "value": VALUE})
    await engine.advance(1_000)
    item: dict[str, Any] = created.json()

    changed = await engine.put(f"{SECRETS}/api-token", {"value": "another"})

    assert created.status_code == 201
    assert item == {
        "id": item["id"],
        "name": "api-token",
        "version": 1,
        "created_at": START,
        "updated_at": START,
        "key_name": MASTER_KEY.name,
    }
    assert changed == item | {"version": 2, "updated_at": "2027-01-15T08:00:01.000Z"}
    assert await engine.get(f"{SECRETS}/api-token") == changed
    assert await engine.get(SECRETS) == {"data": [changed]}
    assert VALUE not in str(await engine.get("/api/v1/ledger/events", limit=1_000))


async def test_a_new_secret_replaces_none(engine: Engine) -> None:
    await engine.put(f"{SECRETS}/a", {"value": "1"})

    response = await engine.client.post(SECRETS, json={"name": "a", "value": "2"})

    assert response.status_code == 400
    assert "PUT /v1/secrets/a gives it another value" in response.json()["error"]["message"]


async def test_a_removed_secret_is_gone(engine: Engine) -> None:
    await engine.put(f"{SECRETS}/a", {"value": "1"})

    assert await engine.delete(f"{SECRETS}/a") == {"name": "a", "deleted": True}

    assert (await engine.client.get(f"{SECRETS}/a")).status_code == 404
    assert (await engine.client.delete(f"{SECRETS}/a")).status_code == 404
    assert await engine.get(SECRETS) == {"data": []}
    assert (await engine.put(f"{SECRETS}/a", {"value": "2"}))["version"] == 2


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [("a b", "x", 422), ("x" * 129, "x", 422), ("ä", "x", 422), ("a", "", 422), ("a", "x" * 65_537, 422)],
)
async def test_what_is_no_secret_is_refused(engine: Engine, name: str, value: str, status: int) -> None:
    before = engine.head

    response = await engine.client.put(f"{SECRETS}/{quote(name)}", json={"value": value})

    assert response.status_code == status
    assert response.json()["error"]["code"] == "validation_error"
    assert engine.head == before


async def test_another_environment_has_secrets_of_its_own(calling: Engine, target: Target) -> None:
    other = await environment(calling, "stg")
    await other.put(f"{SECRETS}/api-token", {"value": VALUE})

    found = await executed(calling, target, request={"headers": AUTHORIZED})
    theirs = await executed(other, target, request={"headers": AUTHORIZED})

    assert [each["errorClass"] for each in found["attempts"]] == ["secret_missing"]
    assert theirs["status"] == "succeeded"
    assert await calling.get(SECRETS) == {"data": []}


async def test_secrets_are_sealed_anew_with_the_first_key(calling: Engine, target: Target) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": VALUE})
    other = MasterKey(bytes(32))
    vault = calling.service.vault
    calling.service.vault = Vault([other, MASTER_KEY], vault.randbytes)

    told = await calling.post("/api/v1/connections/rotate")

    assert told == {"rotated": 1, "unchanged": 0}
    found = await calling.get(f"{SECRETS}/api-token")
    assert (found["key_name"], found["version"]) == (other.name, 1)
    calling.service.vault = Vault([other], vault.randbytes)
    check_keys(calling.service)
    assert (await executed(calling, target, request={"headers": AUTHORIZED}))["status"] == "succeeded"
    assert target.asked[0].headers["authorization"] == f"Bearer {VALUE}"


async def test_an_engine_without_the_key_of_a_secret_says_so_when_it_starts_and_at_each_attempt(
    calling: Engine, target: Target
) -> None:
    await calling.put(f"{SECRETS}/api-token", {"value": VALUE})
    calling.service.vault = Vault([MasterKey(bytes(32))], calling.service.vault.randbytes)

    with pytest.raises(KeyMissing, match=f"Secret api-token is encrypted with key {MASTER_KEY.name}, which is not"):
        check_keys(calling.service)
    found = await executed(calling, target, request={"headers": AUTHORIZED})

    assert [each["errorClass"] for each in found["attempts"]] == ["secret_missing"]
    assert target.asked == []


class SameTime(datetime):
    """The clock of who verifies, which looks at how old a message is."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(START_MS / 1_000, tz)


async def test_a_target_can_verify_who_calls_with_any_of_the_secrets(
    calling: Engine, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ["whsec_" + base64.b64encode(bytes([byte]) * 32).decode() for byte in (1, 2, 3)]
    for number, key in enumerate(keys[:2]):
        await calling.put(f"{SECRETS}/signing-{number}", {"value": key})
    monkeypatch.setattr(webhooks, "datetime", SameTime)
    request = {"method": "POST", "body": {"a": "ä"}, "sign_with": ["signing-0", "signing-1"]}

    found = await executed(calling, target, "/status/500", request=request)

    assert {asked.headers["webhook-id"] for asked in target.asked} == {found["id"]}
    for asked in target.asked:
        assert Webhook(keys[0]).verify(asked.body, asked.headers) == {"a": "ä"}
        assert Webhook(keys[1]).verify(asked.body, asked.headers) == {"a": "ä"}
        with pytest.raises(WebhookVerificationError):
            Webhook(keys[2]).verify(asked.body, asked.headers)


@pytest.mark.parametrize("value", ["hush hush", "whsec_hush", "whsec_" + base64.b64encode(bytes(23)).decode()])
async def test_nothing_is_sent_that_cannot_be_signed(calling: Engine, target: Target, value: str) -> None:
    await calling.put(f"{SECRETS}/signing", {"value": value})

    found = await executed(calling, target, request={"sign_with": ["signing"]})
    missing = await executed(calling, target, request={"sign_with": ["signing-2"]})

    assert [each["errorClass"] for each in found["attempts"]] == ["invalid_request"]
    assert [each["errorClass"] for each in missing["attempts"]] == ["secret_missing"]
    assert value not in str(found)
    assert target.asked == []
