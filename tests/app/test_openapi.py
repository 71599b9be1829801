"""/openapi.json and /docs: what they say is well formed, complete, and true of every route."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from app.pages.rendering import POLICY
from tests.app.harness import Engine, application_of
from tests.app.routes import BODIES, needs_key, routes_of

SCHEMA_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}


@pytest.fixture
async def document(engine: Engine) -> Any:
    return await engine.get("/openapi.json")


async def test_the_document_describes_exactly_the_routes_there_are(engine: Engine, document: Any) -> None:
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}

    assert described == set(routes_of(application_of(engine)))


async def test_the_document_is_well_formed(document: Any) -> None:
    operations = [
        (path, operation) for path, operations in document["paths"].items() for operation in operations.values()
    ]
    ids = [operation["operationId"] for _, operation in operations]

    assert document["openapi"].startswith("3.1")
    assert document["info"].keys() >= {"title", "version"}
    assert len(ids) == len(set(ids))
    for path, operation in operations:
        parameters = operation.get("parameters", [])
        in_path = {each["name"] for each in parameters if each["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert all(each["required"] for each in parameters if each["in"] == "path")
        assert operation["description"].endswith("."), path
        assert operation["responses"].keys() - {"204"} in ({status, "default"} for status in ("200", "201", "202"))
        error = "ExecutionsError" if path.startswith("/v1/") else "Error"
        assert operation["responses"]["default"] == {"$ref": f"#/components/responses/{error}"}


async def test_every_reference_leads_somewhere_and_every_schema_has_known_types(document: Any) -> None:
    references = list(_find(document, "$ref"))

    assert len(references) > 20
    for reference in references:
        here = document
        for part in reference.removeprefix("#/").split("/"):
            here = here[part]
    types = set(_find(document["components"]["schemas"], "type"))
    assert {each for each in types if isinstance(each, str)} <= SCHEMA_TYPES | {"about:blank"}


async def test_every_route_with_a_body_describes_it(document: Any) -> None:
    with_body = {
        path
        for path, operations in document["paths"].items()
        if any("requestBody" in each for each in operations.values())
    }

    assert with_body == BODIES.keys() | {
        "/api/v1/runs/{run}/replay",
        "/api/v1/runs/{run}/erase",
        "/api/v3/batches/{batch}/items",
        "/api/v1/waitpoints/tokens/{token}/callback/{secret}",
        "/v1/triggers/{token}",
    }


async def test_every_route_but_the_open_ones_asks_for_the_key(document: Any) -> None:
    assert document["components"]["securitySchemes"]["secretKey"]["scheme"] == "bearer"
    assert document["security"] == [{"secretKey": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" not in operation) is needs_key(path)


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/waitpoints/tokens"])
async def test_the_filters_that_are_described_are_those_that_are_taken(
    engine: Engine, document: Any, path: str
) -> None:
    described = [each["name"] for each in document["paths"][path]["get"]["parameters"]]
    refusal = await engine.refused("GET", f"{path}?nothing=1", 400)

    taken = refusal.partition("there are ")[2].rstrip(".").split(", ")

    assert sorted(described) == sorted(taken)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/alerts", {"name": "ops", "kind": "webhook", "url": "https://a.test"}),
        ("/api/v1/sinks", {"name": "audit", "url": "https://a.test"}),
    ],
)
async def test_what_is_made_is_answered_with_the_status_that_the_document_says(
    engine: Engine, document: Any, path: str, body: dict[str, str]
) -> None:
    answer = await engine.client.post(path, json=body)

    assert answer.status_code == 201, answer.text
    assert document["paths"][path]["post"]["responses"].keys() == {"201", "default"}


async def test_the_page_for_people_shows_the_document(engine: Engine, document: Any) -> None:
    response = await engine.client.get("/docs", headers={"authorization": ""})

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    page = unescape(response.text)
    assert 'href="/openapi.json"' in page
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} <code>{path}</code></strong> <span>{operation['description']}</span>" in page
            assert all(f"<code>{each['name']}</code>" in page for each in operation.get("parameters", []))
    asked = set(re.findall(r"The body is a <a href=\"#(\w+)\">", page))
    assert len(asked) > 30
    assert all(f'<h3 id="{name}">' in page for name in asked)


async def test_the_page_for_people_brings_nothing_from_elsewhere(engine: Engine) -> None:
    response = await engine.client.get("/docs")

    addresses = re.findall(r"""(?:src|href|action)="([^"]*)\"""", response.text)
    assert len(addresses) > 20
    assert [each for each in addresses if not re.match("/[^/]|/$|#", each)] == []
    assert response.headers["content-security-policy"] == POLICY


def _find(part: Any, name: str) -> Iterator[Any]:
    match part:
        case dict():
            for key, value in part.items():  # pyright: ignore[reportUnknownVariableType]
                if key == name and isinstance(value, str):
                    yield value
                else:
                    yield from _find(value, name)
        case list():
            for value in part:  # pyright: ignore[reportUnknownVariableType]
                yield from _find(value, name)
        case _:
            pass
