"""Payloads that are uploaded: by URLs that are good for one thing, for a while, and for so many bytes."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from app.packets import GOOD_FOR_MS
from app.values import PAYLOAD_MAX_BYTES
from tests.app.harness import Engine, environment, sentence_of, transport_of

PATH = "/api/v2/packets/trigger%2Fpacket_1%2Fpayload.json"
NOT_GIVEN = "This URL was not given out here, or not for this, or its time is over: ask for another."
SUPER = "application/super+json"
LARGE = {"json": {"text": "x" * 200_000}, "meta": {}}


async def _presigned(engine: Engine) -> tuple[str, str]:
    answer = await engine.put(PATH, None)
    return answer["presignedUrl"], answer["storagePath"]


async def _upload(engine: Engine, url: str, body: bytes, kind: str = SUPER, **more: Any) -> httpx.Response:
    """As the SDK does, without a key."""
    async with httpx.AsyncClient(transport=transport_of(engine)) as client:
        return await client.request("PUT", url, content=body, headers={"content-type": kind}, **more)


async def _download(engine: Engine, url: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport_of(engine)) as client:
        return await client.get(url)


async def test_what_was_uploaded_is_what_the_run_works_on(engine: Engine) -> None:
    version = await engine.register()
    url, path = await _presigned(engine)
    assert (await _upload(engine, url, json.dumps(LARGE).encode())).status_code == 200

    run = await engine.trigger(payload=path, payloadType="application/store")
    handed = await engine.perform(version)

    assert (handed["payload"], handed["payloadType"]) == (LARGE["json"], "application/json")
    assert (await engine.retrieve(run))["payload"] == LARGE["json"]


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=utf-8"])
async def test_text_stays_text(engine: Engine, kind: str) -> None:
    version = await engine.register()
    url, path = await _presigned(engine)
    await _upload(engine, url, 'a „quoted“ "text"\n'.encode(), kind)

    await engine.trigger(payload=path, payloadType="application/store")

    assert (await engine.perform(version))["payload"] == 'a „quoted“ "text"\n'


async def test_items_of_batches_may_be_uploaded_too(engine: Engine) -> None:
    version = await engine.register()
    url, path = await _presigned(engine)
    await _upload(engine, url, b'{"json":7}')
    item = {"payload": path, "options": {"payloadType": "application/store"}}

    await engine.post("/api/v1/tasks/greet/batch", {"items": [item]})
    batch = (await engine.client.post("/api/v3/batches", json={"runCount": 1})).json()["id"]
    line = json.dumps({"index": 0, "task": "greet"} | item)
    await engine.client.post(
        f"/api/v3/batches/{batch}/items", content=line, headers={"content-type": "application/x-ndjson"}
    )

    assert [(await engine.perform(version))["payload"] for _ in range(2)] == [7, 7]


async def test_an_upload_may_be_repeated_but_not_replaced(engine: Engine) -> None:
    url, path = await _presigned(engine)

    answers = [await _upload(engine, url, body) for body in (b'{"json":1}', b'{"json":1}', b'{"json":2}')]

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert sentence_of(answers[2]) == f"Packet {path} was uploaded already, with other content."


@pytest.mark.parametrize("content", [b'{"text": "\xff"}', b"[" * 100_000 + b"]" * 100_000, b"{"])
async def test_what_is_no_json_is_refused_as_a_payload(engine: Engine, content: bytes) -> None:
    url, path = await _presigned(engine)
    body = {"payload": path, "options": {"payloadType": "application/store"}}

    await _upload(engine, url, content, "application/json")

    await engine.refused("POST", "/api/v1/tasks/greet/trigger", 422, json=body)


async def test_an_upload_has_a_bound(engine: Engine) -> None:
    url, path = await _presigned(engine)
    head = engine.head

    answer = await _upload(engine, url, b"x" * (PAYLOAD_MAX_BYTES + 1))

    assert (answer.status_code, sentence_of(answer)) == (
        413,
        f"Request body too large: at most {PAYLOAD_MAX_BYTES} bytes.",
    )
    assert engine.head == head
    await engine.refused(
        "POST",
        "/api/v1/tasks/greet/trigger",
        422,
        json={"payload": path, "options": {"payloadType": "application/store"}},
    )


@pytest.mark.parametrize("changed", ["expires", "signature", "environment", "path", "late", "none"])
async def test_a_url_is_good_for_what_it_was_given_out_for(engine: Engine, changed: str) -> None:
    url, _ = await _presigned(engine)
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    path = parts.path
    match changed:
        case "expires":
            query["expires"] = str(int(query["expires"]) + 1)
        case "signature":
            query["signature"] = "0" * 64
        case "environment":
            query["environment"] = (await environment(engine, "stg")).service.environments()[-1].id
        case "path":
            path = path.replace("packet_", "packet_0")
        case "late":
            await engine.advance(GOOD_FOR_MS + 1)
        case _:
            query = {}
    head = engine.head

    answer = await _upload(engine, f"http://engine{path}?{urlencode(query)}", b"1")

    assert (answer.status_code, sentence_of(answer)) == (401, NOT_GIVEN)
    assert engine.head == head


async def test_a_url_to_download_does_not_upload(engine: Engine) -> None:
    run = await engine.trigger(payload={"a": 1})
    url = (await engine.get(f"/api/v1/runs/{run}/packets/payload"))["presignedUrl"]

    assert (await _upload(engine, url, b"1")).status_code == 401


async def test_payload_and_output_are_downloaded_as_they_are_typed(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger(payload='{"json":{"a":1}}', payloadType=SUPER)
    await engine.perform(version, output="done", outputType="text/plain")

    found: list[tuple[str, str]] = []
    for name in ("payload", "output"):
        answer = await _download(engine, (await engine.get(f"/api/v1/runs/{run}/packets/{name}"))["presignedUrl"])
        found.append((answer.text, answer.headers["content-type"].partition(";")[0]))

    assert found == [('{"json":{"a":1}}', SUPER), ("done", "text/plain")]


async def test_a_packet_is_downloaded(engine: Engine) -> None:
    url, path = await _presigned(engine)
    await _upload(engine, url, b'{"json":1}')

    answer = await _download(engine, (await engine.get(f"/api/v1/packets/{path}"))["presignedUrl"])

    assert (answer.content, answer.headers["content-type"]) == (b'{"json":1}', SUPER)


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml"])
async def test_what_was_uploaded_is_no_page_of_this_address(engine: Engine, kind: str) -> None:
    url, path = await _presigned(engine)
    await _upload(engine, url, b"<script>alert(1)</script>", kind)
    run = await engine.trigger(payload="<script>alert(1)</script>", payloadType=kind)

    for source in (f"/api/v1/packets/{path}", f"/api/v1/runs/{run}/packets/payload"):
        got = await _download(engine, (await engine.get(source))["presignedUrl"])

        assert got.headers["content-disposition"] == "attachment"
        assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert got.headers["x-content-type-options"] == "nosniff"


async def test_a_packet_of_another_environment_is_not_there(engine: Engine) -> None:
    other = await environment(engine, "stg")
    url, path = await _presigned(engine)
    await _upload(engine, url, b'{"json":1}')
    options = {"payloadType": "application/store"}

    sentence = await other.refused("GET", f"/api/v1/packets/{path}", 404)
    refused = await other.refused(
        "POST", "/api/v1/tasks/greet/trigger", 422, json={"payload": path, "options": options}
    )

    assert sentence == f"There is no packet {path}: upload it before it is used."
    assert refused.startswith("A payload of the type application/store names a packet that was uploaded: There is no")


async def test_a_run_that_has_none_is_told(engine: Engine) -> None:
    run = await engine.trigger()

    sentences = [
        await engine.refused("GET", f"/api/v1/runs/{run}/packets/{name}", 404) for name in ("output", "metadata")
    ]

    assert sentences == [f"Run {run} has no output.", "There is no packet metadata: a run has payload and output."]
