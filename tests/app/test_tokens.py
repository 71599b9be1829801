"""Waitpoint tokens: made, completed with a key and by their URL, timed out, shown."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.app.harness import START, Engine, environment, sentence_of

TOKENS = "/api/v1/waitpoints/tokens"
NOT_ITS_URL = "This is not the callback URL of any token."


async def create(engine: Engine, **asked: Any) -> Any:
    return await engine.post(TOKENS, asked)


async def retrieve(engine: Engine, token: str) -> Any:
    return await engine.get(f"{TOKENS}/{token}")


async def complete(engine: Engine, token: str, **body: Any) -> None:
    assert await engine.post(f"{TOKENS}/{token}/complete", body) == {"success": True}


async def call_back(engine: Engine, url: str, content: bytes, **headers: str) -> httpx.Response:
    """As somebody does who has no key."""
    async with httpx.AsyncClient(transport=engine.client._transport) as stranger:  # pyright: ignore[reportPrivateUsage]
        return await stranger.post(url, content=content, headers=headers)


async def test_a_token_waits_until_somebody_completes_it(engine: Engine) -> None:
    made = await create(engine, timeout="1h", tags=["b", "a", "b"], idempotencyKey="approve 1", idempotencyKeyTTL="5m")
    token = made["id"]
    waiting = {
        "id": token,
        "url": made["url"],
        "status": "WAITING",
        "tags": ["a", "b"],
        "createdAt": START,
        "timeoutAt": "2027-01-15T09:00:00.000Z",
        "idempotencyKey": "approve 1",
        "idempotencyKeyExpiresAt": "2027-01-15T08:05:00.000Z",
    }

    assert made["isCached"] is False
    assert made["url"].startswith(f"http://engine{TOKENS}/{token}/callback/")
    assert await retrieve(engine, token) == waiting

    await engine.advance(60_000)
    await complete(engine, token, data={"approved": True})

    completed = waiting | {"status": "COMPLETED", "completedAt": "2027-01-15T08:01:00.000Z"}
    output = {"output": '{"approved":true}', "outputType": "application/json", "outputIsError": False}
    assert await retrieve(engine, token) == completed | output
    assert await engine.get(TOKENS) == {"data": [completed], "pagination": {}}


async def test_what_completed_a_token_first_stays(engine: Engine) -> None:
    token = (await create(engine))["id"]
    await complete(engine, token, data=1)
    before = engine.head

    await complete(engine, token, data=2)
    await complete(engine, token, data="x" * 40_000)

    assert (await retrieve(engine, token))["output"] == "1"
    assert engine.head == before


async def test_a_token_that_nobody_completes_times_out_and_stays_so(engine: Engine) -> None:
    token = (await create(engine, timeout="2027-01-15T10:00:00+01:00"))["id"]
    await engine.advance(3_600_000)
    await complete(engine, token, data="too late")

    assert await retrieve(engine, token) == {
        "id": token,
        "url": (await retrieve(engine, token))["url"],
        "status": "TIMED_OUT",
        "tags": [],
        "createdAt": START,
        "timeoutAt": "2027-01-15T09:00:00.000Z",
        "completedAt": "2027-01-15T09:00:00.000Z",
        "output": '{"code":"TRIGGER_WAITPOINT_TIMEOUT","message":"Waitpoint timed out at 2027-01-15T09:00:00.000Z"}',
        "outputType": "application/json",
        "outputIsError": True,
    }


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"data":null,"unknown":1}', b'{"outputType":null}'])
async def test_a_token_may_be_completed_with_nothing(engine: Engine, body: bytes) -> None:
    token = (await engine.client.post(TOKENS)).json()["id"]
    response = await engine.client.post(f"{TOKENS}/{token}/complete", content=body)

    found = await retrieve(engine, token)

    assert response.json() == {"success": True}
    assert (found["status"], found.get("output")) == ("COMPLETED", "null" if b"data" in body else None)


async def test_an_output_keeps_its_type_and_may_be_large(engine: Engine) -> None:
    token = (await create(engine))["id"]
    data = {"json": {"at": "x" * 3_000_000}, "meta": {"values": {"at": ["Date"]}}}
    await complete(engine, token, data=data, outputType="application/super+json")

    found = await retrieve(engine, token)

    assert httpx.Response(200, content=found["output"]).json() == data
    assert found["outputType"] == "application/super+json"
    assert len(str(await engine.get("/api/v1/ledger/events"))) < 40_000


@pytest.mark.parametrize(("data", "output"), [('hi "you"', 'hi "you"'), ("", ""), (5, "5"), ({"a": 1}, '{"a":1}')])
async def test_plain_text_is_shown_as_it_is(engine: Engine, data: Any, output: str) -> None:
    token = (await create(engine))["id"]
    await complete(engine, token, data=data, outputType="text/plain; charset=utf-8")

    found = await retrieve(engine, token)

    assert (found["output"], found["outputType"]) == (output, "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("content", "output"),
    [
        (b'{"approved": true}', '{"approved": true}'),
        (b" [1,\n2] ", "[1,\n2]"),
        (b"null", "null"),
        (b'"text"', '"text"'),
        (b"", "{}"),
        (b"approved=true", "{}"),
        (b"\xff\xfe", "{}"),
        (b"NaN", "{}"),
        (b'"\\ud800"', "{}"),
    ],
)
async def test_whoever_has_the_url_completes_the_token(engine: Engine, content: bytes, output: str) -> None:
    made = await create(engine)

    response = await call_back(engine, made["url"], content, **{"content-type": "text/plain"})

    found = await retrieve(engine, made["id"])
    assert (response.status_code, response.json()) == (200, {"success": True})
    assert (found["status"], found["output"]) == ("COMPLETED", output)
    again = await call_back(engine, made["url"], b"7")
    assert again.json() == {"success": True}
    assert (await retrieve(engine, made["id"]))["output"] == output
    last = (await engine.get("/api/v1/ledger/events"))["events"][-1]
    assert (last["actor"], last["cause"]) == ("callback", f"POST {TOKENS}/{made['id']}/callback")


async def test_a_wrong_url_completes_nothing_and_tells_nothing(engine: Engine) -> None:
    made, other = await create(engine), await create(engine)
    before = engine.head
    path, _, secret = made["url"].rpartition("/")
    wrong = [
        f"{path}/{other['url'].rpartition('/')[2]}",
        f"{path}/{secret[:-1]}",
        f"{path}/{secret}0",
        f"{path}/{secret.upper()}x",
        f"{path}/%C3%BC%00",
        f"http://engine{TOKENS}/waitpoint_unknown/callback/{secret}",
        f"http://engine{TOKENS}/waitpoint_%00/callback/{secret}",
        f"http://engine{TOKENS}/run_1/callback/{secret}",
    ]

    answers = [await call_back(engine, url, b"{}") for url in wrong]

    assert [(each.status_code, sentence_of(each)) for each in answers] == [(401, NOT_ITS_URL)] * len(wrong)
    assert engine.head == before
    assert (await retrieve(engine, made["id"]))["status"] == "WAITING"


async def test_a_callback_says_how_long_it_is_and_is_not_too_long(engine: Engine) -> None:
    made = await create(engine)
    before = engine.head

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    unsaid = await engine.client.post(made["url"], content=pieces())
    too_long = await call_back(engine, made["url"], b'"' + b"x" * 3_145_727 + b'"')
    too_deep = await call_back(engine, made["url"], b"[" * 201 + b"]" * 201)
    far_too_deep = await call_back(engine, made["url"], b"[" * 100_000 + b"]" * 100_000)
    short_enough = await call_back(engine, made["url"], b'"' + b"x" * 3_145_726 + b'"')

    assert [(each.status_code, sentence_of(each)) for each in (unsaid, too_long, too_deep, far_too_deep)] == [
        (411, "A callback says how long its body is: send the header Content-Length."),
        (413, "Request body too large: at most 3145728 bytes."),
        (422, "The output is nested too deeply: more than 200 levels."),
        (422, "The output is nested too deeply: more than 200 levels."),
    ]
    assert short_enough.status_code == 200
    assert engine.head == before + 1


async def test_the_same_key_is_the_same_token_until_it_expires(engine: Engine) -> None:
    first = await create(engine, idempotencyKey="k", idempotencyKeyTTL="1h", tags="a")
    await complete(engine, first["id"], data=1)
    again = await create(engine, idempotencyKey="k", tags="b", timeout="1s")
    await engine.advance(3_600_000)
    later = await create(engine, idempotencyKey="k")

    assert again == first | {"isCached": True}
    assert (await retrieve(engine, first["id"]))["tags"] == ["a"]
    assert (later["isCached"], later["id"] != first["id"]) == (False, True)
    assert (await retrieve(engine, later["id"]))["idempotencyKeyExpiresAt"] == "2027-02-14T09:00:00.000Z"


async def test_of_many_who_make_a_token_with_one_key_at_once_all_get_the_same(engine: Engine) -> None:
    before = engine.head
    made = await asyncio.gather(*(create(engine, idempotencyKey="k") for _ in range(20)))

    assert len({(each["id"], each["url"]) for each in made}) == 1
    assert sorted(each["isCached"] for each in made) == [False, *[True] * 19]
    # The token, and the claim of its key.
    assert engine.head == before + 2


async def test_the_same_request_sent_again_makes_no_second_token(engine: Engine) -> None:
    key = {"x-trigger-request-idempotency-key": "5f0e"}
    first = await engine.post(TOKENS, {"tags": "a"}, **key)
    again = await engine.post(TOKENS, {"tags": "a"}, **key)
    await engine.advance(3_600_000)
    later = await engine.post(TOKENS, {"tags": "a"}, **key)

    assert again == first == first | {"isCached": False}
    assert later["id"] != first["id"]
    assert "idempotencyKey" not in await retrieve(engine, first["id"])
    assert "idempotencyKeyExpiresAt" not in await retrieve(engine, first["id"])


async def test_keys_of_runs_and_of_other_environments_are_others(engine: Engine) -> None:
    run = await engine.trigger(idempotencyKey="k")
    other = await environment(engine, "stg")
    tokens = [(await create(each, idempotencyKey="k"))["id"] for each in (engine, other)]

    assert len({run, *tokens}) == 3
    for path in (f"{TOKENS}/{tokens[1]}", f"{TOKENS}/{run}", f"{TOKENS}/waitpoint_1", f"{TOKENS}/%00"):
        name = path.rpartition("/")[2].replace("%00", "\0")
        assert await engine.refused("GET", path, 404) == f"Waitpoint {name} not found."
        assert await engine.refused("POST", f"{path}/complete", 404, json={}) == f"Waitpoint {name} not found."
    assert [each["id"] for each in (await engine.get(TOKENS))["data"]] == tokens[:1]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"timeout": "soon"}, 422, '"soon" is neither a duration like "1h30m" nor an ISO 8601 date.'),
        ({"timeout": "4000d"}, 422, '"4000d" is longer than ten years.'),
        ({"timeout": 5}, 400, "The body is not of the right shape: Expected `str | null`, got `int` - at `$.timeout`."),
        ({"idempotencyKey": ""}, 422, "An idempotency key has 1 to 2048 characters; this one has 0."),
        ({"idempotencyKey": "x" * 2_049}, 422, "An idempotency key has 1 to 2048 characters; this one has 2049."),
        (
            {"idempotencyKey": "k", "idempotencyKeyTTL": "1w"},
            422,
            '"1w" is not a TTL of an idempotency key; write one like "60s", "5m", "24h" or "7d".',
        ),
        ({"tags": list("abcdefghijk")}, 422, "A token has at most 10 tags; these are 11."),
        ({"tags": ["x" * 129]}, 422, "A tag has 1 to 128 characters."),
        ({"tags": [""]}, 422, "A tag has 1 to 128 characters."),
        ({"tags": "x" * 140_000}, 413, "Request body too large: at most 131072 bytes."),
    ],
)
async def test_a_token_that_cannot_be_is_refused(
    engine: Engine, body: dict[str, Any], status: int, sentence: str
) -> None:
    assert await engine.refused("POST", TOKENS, status, json=body) == sentence


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"[]", 400, "The body is not of the right shape: Expected `object`, got `array`."),
        (b'{"data":', 400, "Invalid JSON: Input data was truncated."),
        (b'{"outputType":"\\u0000"}', 400, None),
        (b'{"data":1e999}', 422, None),
        (b'{"data":' + b"[" * 201 + b"]" * 201 + b"}", 422, "The output is nested too deeply: more than 200 levels."),
        (
            b'{"data":"' + b"x" * 3_145_727 + b'"}',
            422,
            "The output has 3145729 bytes; at most 3145728 are taken.",
        ),
        (b'{"data":"' + b"x" * 3_700_000 + b'"}', 413, "Request body too large: at most 3670016 bytes."),
    ],
)
async def test_an_output_that_cannot_be_is_refused(
    engine: Engine, content: bytes, status: int, sentence: str | None
) -> None:
    token = (await create(engine))["id"]
    said = await engine.refused("POST", f"{TOKENS}/{token}/complete", status, content=content)

    assert sentence in {None, said}
    assert (await retrieve(engine, token))["status"] == "WAITING"


async def test_a_url_is_where_the_client_found_the_engine(engine: Engine) -> None:
    named = {"host": "runfold.example:8443"}
    made = await engine.post(TOKENS, {}, **named)
    sent_on = await engine.post(TOKENS, {}, **{"x-runfold-forwarded": "https://node-2.example/"})
    senseless = await engine.post(TOKENS, {}, **{"x-runfold-forwarded": "1"})

    urls = [httpx.URL(each["url"]) for each in (made, sent_on, senseless)]
    assert [f"{url.scheme}://{url.netloc.decode()}" for url in urls] == [
        "http://runfold.example:8443",
        "https://node-2.example",
        "http://engine",
    ]
    assert {url.path.rpartition("/")[0].rpartition("/")[2] for url in urls} == {"callback"}
