"""Whatever users, tasks or other systems wrote is text on every page, where it belongs, and nothing of it runs."""

from typing import Any
from urllib.parse import quote

import pytest

from app.pages.words import PAGES
from tests.app.harness import Engine
from tests.app.waiting import entry
from tests.dashboard.visitor import Node, Visitor

CORPUS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "'><b hx-get='/keys' hx-trigger=load>",
    "</textarea></pre></title></style><iframe src=javascript:alert(1)>",
    "{{ 7*7 }}{% include 'x' %}",
    "javascript:alert(1)",
    "<!--<a href=x sse-connect=/x>-->",
    "&lt;b&gt;&#x3c;",
    "]]><x y='",
]
TAGS = {"script", "img", "svg", "iframe", "style", "object", "embed", "base", "x", "b"}


@pytest.mark.parametrize("text", CORPUS)
async def test_what_was_written_is_shown_as_it_is_and_never_an_element(
    engine: Engine, visitor: Visitor, text: str
) -> None:
    run, token = await _written_everywhere(engine, text)
    job = await _job(engine, text)
    pages = {
        path: await visitor.open(path)
        for path in (
            *("/", f"/runs/{run}", f"/runs/{run}/replay", f"/tokens/{token}", "/tokens", "/queues", "/charts"),
            *("/deployments", "/workers", "/jobs", f"/jobs/{job}", "/schedules", f"/bulk/new?run={run}&action=cancel"),
        )
    }
    response = await visitor.client.get("/", params={"tag": text, "task": text, "queue": text, "version": text})
    pages["/?"] = visitor.read(response, 200)

    for path, page in pages.items():
        assert _foreign(page) == [], path
    shown = pages[f"/runs/{run}"]
    said = shown.text
    # The tags, the error, its stack, the output of a step, a line of the log, the idempotency and the concurrency key.
    assert said.count(text) >= 8, said.count(text)
    assert shown.one("div", class_="failure").one("p").text == f"{text}: {text}"
    assert shown.one("pre", aria_label="Stack trace").text == text.strip()
    assert text in shown.one("ol", class_="lines").text
    assert text in pages["/"].one("tbody").text
    assert text in pages[f"/jobs/{job}"].one("h1").text
    assert pages["/?"].one("form", class_="grid").one("input", name="tag").attributes["value"] == text


@pytest.mark.parametrize("text", [*CORPUS, "\0", "٣", "-1", "9" * 30, "%", "\u202e", "x" * 400])
async def test_what_is_in_an_address_is_text_too(visitor: Visitor, text: str) -> None:
    names = (
        *(
            "action",
            "all",
            "q",
            "task",
            "period",
            "status",
            "page",
            "next",
            "said",
            "after",
            "before",
            "cursor",
            "from",
        ),
        *("tag", "queue", "machine", "test", "run", "days", "event"),
    )
    query = "&".join(f"{name}={quote(text, safe='')}" for name in names)
    for path in ("/", *(path for path, _ in PAGES), "/bulk/new", "/search", "/sign-in", "/live/runs"):
        response = await visitor.client.get(f"{path}?{query}")
        assert response.status_code < 500, path
        if response.status_code != 303 and path != "/live/runs":
            assert _foreign(visitor.read(response, response.status_code)) == [], path
    response = await visitor.client.get(f"/runs/{quote(text.replace('/', ''), safe='')}")
    assert _foreign(visitor.read(response, response.status_code)) == []


async def _written_everywhere(engine: Engine, text: str) -> tuple[str, str]:
    version = await engine.register({"id": "greet"}, {"id": text[:128]})
    made = await engine.client.post(
        "/api/v1/tasks/greet/trigger",
        json={
            "payload": {text: text},
            "options": {
                "tags": [text],
                "metadata": {text: text},
                "idempotencyKey": text,
                "concurrencyKey": text,
                "queue": {"name": text},
                "maxAttempts": 1,
            },
        },
    )
    run = made.json()["id"]
    handed = await engine.take(version)
    at = {"run": run, "token": handed["token"], "at": engine.clock.wall}
    line = {"at": engine.clock.wall, "level": "info", "message": text, "attributes": {text: text}}
    reports: list[dict[str, Any]] = [
        at | {"kind": "step_succeeded", "entry": entry(0, text), "output": {text: text}},
        at | {"kind": "logged", "lines": [line], "first": 0},
        at | {"kind": "failed", "error": {"name": text, "message": text, "stackTrace": text}},
    ]
    assert (await engine.turn(version, *reports, want=0))["refused"] == []
    token = await engine.post("/api/v1/waitpoints/tokens", {"tags": [text], "idempotencyKey": text})
    await engine.post(f"/api/v1/waitpoints/tokens/{token['id']}/complete", {"data": text})
    await engine.post("/api/v1/schedules", {"task": text[:128], "every": 5, "deduplicationKey": text})
    return run, token["id"]


async def _job(engine: Engine, text: str) -> str:
    body = {
        "name": text,
        "kind": "webhook_trigger",
        "request": {"url": "https://example.com/", "method": "POST", "body": text},
    }
    response = await engine.client.post("/v1/jobs", json=body)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def _foreign(page: Node) -> list[str]:
    """Elements and attributes in a page that none of our templates has."""
    main = page.one("main")
    elements = [
        each.tag
        for tag in TAGS
        for each in main.all(tag)
        if not (tag == "svg" and each.attributes.get("role") == "img")
        and not (tag == "img" and each.attributes.get("alt") == "")
    ]
    return elements + [
        f"{node.tag} {name}={value}"
        for node in _walk(page)
        for name, value in node.attributes.items()
        if name.startswith("on")
        or name in {"srcdoc", "style", "hx-get", "hx-trigger"}
        or (name in {"href", "src", "action"} and not value.startswith(("/", "#", "?")))
    ]


def _walk(node: Node) -> list[Node]:
    children = [part for part in node.parts if isinstance(part, Node)]
    return [node, *(each for child in children for each in _walk(child))]
