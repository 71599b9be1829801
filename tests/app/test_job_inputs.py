"""What webhooks and events bring to HTTP jobs: sent as it is, or in parts, and never taken for more than data."""

import json
from typing import Any

import pytest

from tests.app.calling import EXECUTIONS, JOBS, ended, execute, executed, save
from tests.app.harness import Engine
from tests.targets import Asked, Target

EVENT = {"name": "user.created", "filter": {"plan": ["pro"]}}
PAYLOAD = {"plan": "pro", "user": {"name": "Ada", "tags": ["a", "b"], "age": 36}, "nothing": None}
TEMPLATE = {
    "method": "PUT",
    "headers": {"X-User": "{{ input.user.name }} of {{event.id}}"},
    "body": {
        "user": "{{event.payload.user}}",
        "text": "{{input.user.age}} {{input.user.tags.1}} {{input.nothing}} {{input.user.tags}}",
        "name": "{{event.name}}",
        "at": "{{event.timestamp}}",
        "source": "{{event.source}}",
        "tenant": "{{event.context.tenant}}",
        "{{input}}": 1,
    },
}


@pytest.fixture
async def calling(engine: Engine) -> Engine:
    execute(engine)
    return engine


async def triggered(engine: Engine, job: dict[str, Any], **content: Any) -> dict[str, Any]:
    """What becomes of the execution that a call of a webhook starts."""
    response = await engine.client.post(f"/v1/triggers/{job['webhook_token']}", **content)
    assert response.status_code == 200, response.text
    (newest, *_) = (await engine.get(f"{JOBS}/{job['id']}/executions", sort="created_at"))["data"]
    return await ended(engine, newest["id"])


async def asked(engine: Engine, target: Target, request: dict[str, Any], path: str = "/", **content: Any) -> Asked:
    """What the target is asked when a webhook with this request is called."""
    found = await triggered(engine, await save(engine, target.url(path), request=request), **content)
    assert found["status"] == "succeeded", found
    return target.asked[-1]


async def test_what_a_webhook_brings_is_the_body_of_a_request_that_has_none(calling: Engine, target: Target) -> None:
    post = {"method": "POST"}
    as_it_is = await asked(calling, target, post, content=b' {"a": 1.0,\n "b": "{{uuid}} secret://x"}')
    text = await asked(calling, target, post, content="hällo, {{input}}".encode())
    own = await asked(calling, target, post | {"body": "mine"}, json=PAYLOAD)
    empty = await asked(calling, target, post)
    got = await asked(calling, target, {}, json=PAYLOAD)

    assert (as_it_is.body.strip(), as_it_is.headers["content-type"]) == (
        b'{"a": 1.0,\n "b": "{{uuid}} secret://x"}',
        "application/json",
    )
    assert (text.body.decode(), text.headers["content-type"]) == ("hällo, {{input}}", "text/plain; charset=utf-8")
    assert [each.body for each in (own, empty, got)] == [b"mine", b"", b""]


async def test_an_event_starts_a_job_whose_filter_fits_and_fills_its_request(calling: Engine, target: Target) -> None:
    job = await save(calling, target.url("/users/{{input.user.name}}"), kind="event", event=EVENT, request=TEMPLATE)
    sent = {"name": "user.created", "id": "u1", "payload": PAYLOAD, "source": "shop", "context": {"tenant": 7}}
    assert job["event"] == EVENT
    assert (await calling.post("/api/v1/events", sent | {"id": "u0", "payload": {"plan": "free"}}))["runs"] == []
    (run,) = (await calling.post("/api/v1/events", sent))["runs"]
    found = await ended(calling, run["id"])

    assert (found["status"], found["source"], found["job_id"]) == ("succeeded", "event", job["id"])
    assert (found["event"]["id"], found["trigger_input"]) == ("u1", PAYLOAD)
    (came,) = target.asked
    assert (came.path, came.headers["x-user"]) == ("/users/Ada", "Ada of u1")
    assert json.loads(came.body) == {
        "user": PAYLOAD["user"],
        "text": '36 b null ["a","b"]',
        "name": "user.created",
        "at": "2027-01-15T08:00:00.000Z",
        "source": "shop",
        "tenant": 7,
        "{{input}}": 1,
    }
    again = (await calling.client.post(f"{EXECUTIONS}/{run['id']}/replay")).json()
    replayed = await ended(calling, again["id"])
    assert (replayed["event"], replayed["trigger_input"]) == (found["event"], PAYLOAD)
    assert target.asked[1].body == came.body


async def test_a_large_event_reaches_the_target_and_is_kept_once(calling: Engine, target: Target) -> None:
    for name in ("one", "two"):
        await save(calling, target.url(), kind="event", event={"name": "file"}, request={"method": "POST"}, name=name)
    payload = {"text": "x" * 100_000}
    runs = (await calling.post("/api/v1/events", {"name": "file", "payload": payload}))["runs"]
    for run in runs:
        await ended(calling, run["id"])

    assert [json.loads(each.body) for each in target.asked] == [payload, payload]
    kept = [each for run in runs for each in (await calling.get(f"/api/v1/runs/{run['id']}/events"))["events"]]
    assert "x" * 1_000 not in str(kept)


async def test_a_stranger_who_names_a_secret_does_not_get_it(calling: Engine, target: Target) -> None:
    await calling.put("/v1/secrets/token", {"value": "s3cr3t"})
    request = {
        "method": "POST",
        "headers": {"X-Text": "{{input.text}}"},
        "body": {"whole": "{{input.text}}", "part": "<{{input.text}}>", "own": "secret://token"},
    }
    text = "secret://token {{uuid}}"
    came = await asked(calling, target, request, json={"text": text})

    assert came.headers["x-text"] == text
    assert json.loads(came.body) == {"whole": text, "part": f"<{text}>", "own": "s3cr3t"}


async def test_what_is_given_cannot_leave_its_place_in_a_url(calling: Engine, target: Target) -> None:
    came = await asked(calling, target, {}, "/users/{{input}}?x=1", json="../admin?y=2#z")

    assert came.path == "/users/..%2Fadmin%3Fy%3D2%23z?x=1"
    for url, given in (
        ("/users/{{input}}/x", ".."),
        ("/users/{{input.0}}{{input.1}}", [".", "."]),
        ("/{{input}}", "."),
    ):
        found = await triggered(calling, await save(calling, target.url(url)), json=given)
        assert found["attempts"][0]["error"].startswith("The URL would lead elsewhere")
    assert len(target.asked) == 1


async def test_what_was_not_given_fails_the_execution_before_anything_is_sent(calling: Engine, target: Target) -> None:
    job = await save(calling, target.url(), request={"headers": {"X-User": "{{input.user.name}}"}})
    wrong: list[dict[str, Any]] = [{"json": {"user": {}}}, {"json": [1]}, {}, {"json": {"user": {"name": "a\nb"}}}]
    for content in wrong:
        found = await triggered(calling, job, **content)
        (attempt,) = found["attempts"]
        assert (found["status"], attempt["errorClass"]) == ("failed", "invalid_request")

    by_hand = await executed(calling, target, request={"headers": {"X-User": "{{event.id}}"}})
    assert by_hand["attempts"][0]["error"] == (
        "The request refers to {{event.id}}, which this execution was not given."
    )
    assert target.asked == []


async def test_what_cannot_be_given_is_refused(engine: Engine, target: Target) -> None:
    job = await save(engine, target.url())
    path = f"/v1/triggers/{job['webhook_token']}"
    binary = await engine.client.post(path, content=b"\xff\xfe")
    large = await engine.client.post(path, content=b"x" * 300_000)

    assert (binary.status_code, binary.json()["error"]["message"]) == (
        400,
        "The body is neither JSON nor a text in UTF-8.",
    )
    assert large.status_code == 413


async def test_what_a_job_needs_for_its_input_is_refused_when_it_is_not_there(engine: Engine) -> None:
    request = {"url": "https://example.com", "headers": {"X": "{{ input }}"}}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"kind": "event"}, "A job of the kind event has an event with a name."),
        (
            {"kind": "one_time", "event": {"name": "a"}},
            "A job of the kind one_time has no event: that is for the kind event.",
        ),
        ({"kind": "event", "event": {"name": ""}}, "A name of an event has 1 to 128 printable characters."),
        (
            {"kind": "event", "event": {"name": "a", "filter": {"b": [{"$gt": "1"}]}}},
            "The filter is wrong at b: $gt takes a number.",
        ),
        ({"kind": "one_time", "request": request}, "The request refers to {{input}} or {{event}}, and a job of the"),
        (
            {
                "kind": "event",
                "event": {"name": "a"},
                "request": {"url": "https://a.io", "method": "PUT", "body": "x" * 40_000},
            },
            "The request of a job that runs at times or by events has",
        ),
    ]
    for more, sentence in cases:
        body = {"name": "ping", "request": {"url": "https://example.com"}} | more
        response = await engine.client.post(JOBS, json=body)
        assert response.status_code == 422, response.text
        assert response.json()["error"]["message"].startswith(sentence)
