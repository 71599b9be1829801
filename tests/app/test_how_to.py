"""The how-to pages are true: every `curl` in them is sent to an engine, in order, and must be answered."""

import re
import shlex
from collections.abc import Iterator
from string import Template
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from tests.app.harness import KEY, Engine
from tests.app.references.pages import FOLDER

PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted((FOLDER.parent / "how-to").glob("*.md"))}
COMMAND = re.compile(
    r"(?:(?P<name>\w+)=\$\()?curl (?P<arguments>.+?)(?:\s*\| jq -r (?P<path>'[^']+'|\S+)\))?", re.DOTALL
)


class Request(NamedTuple):
    """What a `curl` sends."""

    method: str
    target: str
    headers: dict[str, str]
    body: str | None


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if "curl " in page])
async def test_every_curl_of_a_page_is_answered(engine: Engine, name: str) -> None:
    await follow(engine, PAGES[name], runs=2)


async def test_pages_are_turned_where_there_is_only_one(engine: Engine) -> None:
    await follow(engine, PAGES["find-runs"], runs=0)  # the page makes one


async def follow(engine: Engine, page: str, runs: int) -> None:
    """Send what the page says, to an engine that has as many runs."""
    version = await engine.register({"id": "send-email", "queue": {"name": "emails", "concurrencyLimit": 10}})
    for _ in range(runs):
        await engine.trigger("send-email")
        await engine.perform(version)
    known = {"RUNFOLD_API_URL": "", "RUNFOLD_SECRET_KEY": KEY}
    sent = 0
    del engine.client.headers["authorization"]

    for command in _commands(page):
        request = _request_of(Template(command["arguments"]).substitute(known))
        response = await engine.client.request(
            request.method, request.target, headers=request.headers, content=request.body
        )
        sent += 1

        assert response.status_code in {200, 201, 202}, f"{command['arguments']}: {response.text}"
        if command["name"]:
            known[command["name"]] = str(_at(response.json(), command["path"]))

    assert sent == page.count("curl ")


def _commands(page: str) -> Iterator[dict[str, str]]:
    for block in re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL):
        for line in block.replace("\\\n", " ").strip().splitlines():
            match = COMMAND.fullmatch(line.strip())
            assert match, line
            yield match.groupdict()


def _request_of(arguments: str) -> Request:
    words = iter(shlex.split(arguments))
    method, target, body = "GET", "", None
    headers: dict[str, str] = {}
    query: list[tuple[str, str]] = []
    for word in words:
        match word:
            case "-s" | "-G":
                pass
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                method, body = "POST" if method == "GET" else method, next(words)
            case "--data-urlencode":
                name, _, value = next(words).partition("=")
                query.append((name, value))
            case _:
                target = word
    return Request(method, f"{target}?{urlencode(query)}" if query else target, headers, body)


def _at(value: Any, path: str) -> Any:
    """What `jq -r` says: null where there is nothing, but for a path that ends in `// empty`."""
    path, _, otherwise = path.strip("'").partition(" // ")
    for step in re.findall(r"[\w]+", path):
        value = value[int(step)] if step.isdigit() else value.get(step)
    return ("" if otherwise == "empty" else "null") if value is None else value
