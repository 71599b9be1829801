"""Pages that follow: parts are sent again when they have changed, and not oftener than anybody reads."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from adapters.http.trust import world
from app.pages import live
from tests.app.harness import Engine, application_of
from tests.app.nodes import listen, serving
from tests.dashboard.visitor import Visitor, parsed


@pytest.fixture
async def real(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Visitor]:
    """Somebody signed in at the same engine behind a port: what is streamed comes through no transport in process."""
    monkeypatch.setattr(live, "PACE_SECONDS", 0.0)
    listening, address = listen()
    async with (
        serving(application_of(engine), listening),
        httpx.AsyncClient(base_url=address, trust_env=False, verify=world()) as client,
    ):
        visitor = Visitor(client)
        await visitor.sign_in()
        yield visitor
        engine.service.watching.close()


@asynccontextmanager
async def following(visitor: Visitor, path: str) -> AsyncGenerator[AsyncIterator[tuple[str, str]]]:
    async with visitor.client.stream("GET", path) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    name, lines = "", list[str]()
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            lines.append(line.removeprefix("data: "))
        elif not line and name:
            yield name, "\n".join(lines)
            name, lines = "", []


async def test_the_list_follows_what_happens(engine: Engine, real: Visitor) -> None:
    version = await engine.register()
    await engine.trigger(tags=["mine"])

    async with asyncio.timeout(10), following(real, "/live/runs?tag=mine") as events:
        said = [await _status(events)]
        await engine.trigger(tags=["others"])
        await engine.perform(version)
        await engine.perform(version)
        while said[-1] != ["Completed"]:
            said.append(await _status(events))
        await engine.trigger(tags=["mine"])
        while len(said[-1]) < 2:
            said.append(await _status(events))

    assert said[0] == ["Queued"]
    assert said[-1] == ["Queued", "Completed"]
    assert all(one != other for one, other in itertools.pairwise(said))


async def test_a_run_is_followed_until_it_is_over(engine: Engine, real: Visitor) -> None:
    version = await engine.register()
    run = await engine.trigger(payload={"a": "b\r\nc\rd"})

    async with asyncio.timeout(10), following(real, f"/live/runs/{run}") as events:
        first = [await anext(events) for _ in range(7)]
        await engine.perform(version, output={"done": True})
        told = first + [event async for event in events]

    assert [name for name, _ in first] == ["summary", "past", "result", "timeline", "journal", "logs", "events"]
    assert told[-1] == ("over", "")
    page = await real.open(f"/runs/{run}")
    last = dict(told)
    for name in ("summary", "past", "result", "timeline", "events"):
        assert parsed(last[name]).words in page.words, name
    assert "Replay Cancel" in parsed(first[0][1]).words
    assert "Cancel" not in parsed(last["summary"]).words
    assert not page.all("div", sse_connect=f"/live/runs/{run}")


async def test_a_bulk_action_is_followed_until_it_is_over(engine: Engine, real: Visitor) -> None:
    run = await engine.trigger(delay="1h")
    bulk = (await engine.post("/api/v1/bulk-actions", {"action": "cancel", "runIds": [run]}))["id"]

    async with asyncio.timeout(10), following(real, f"/live/bulk/{bulk}") as events:
        told = [event async for event in events]

    assert told[-1] == ("over", "")
    assert "Completed" in parsed(dict(told)["progress"]).words


async def test_whoever_is_shut_out_is_told_nothing_more(engine: Engine, real: Visitor) -> None:
    made = await engine.post("/api/v1/environments/dev/keys")
    await real.send("/sign-out")
    await real.sign_in(made["key"])

    async with asyncio.timeout(10), following(real, "/live/runs") as events:
        assert (await anext(events))[0] == "rows"
        await engine.delete(f"/api/v1/environments/dev/keys/{made['id']}")
        await engine.trigger()
        rest = [event async for event in events]

    assert rest == []


@pytest.mark.parametrize("path", ["/live/runs/run_1", "/live/bulk/bulk_1"])
async def test_what_is_not_there_is_not_followed(real: Visitor, path: str) -> None:
    async with asyncio.timeout(10), following(real, path) as events:
        assert [event async for event in events] == []


async def _status(events: AsyncIterator[tuple[str, str]]) -> list[str]:
    name, text = await anext(events)
    assert name == "rows"
    return [each.words for each in parsed(f"<table>{text}</table>").all("span", class_="status")]


@pytest.mark.parametrize(
    ("took", "quiet", "expected"),
    [
        (0.01, 60.0, 0.0),  # the first change after a while is told at once
        (0.01, 0.0, live.PACE_SECONDS),
        (0.01, 0.1, live.PACE_SECONDS - 0.1),
        (2.0, 1.0, 7.0),  # what is slow to make leaves the reader in peace for four times as long
    ],
)
def test_a_page_rests_after_it_was_made_and_not_before_it_is_made_anew(
    took: float, quiet: float, expected: float
) -> None:
    assert live.pause(took, quiet) == pytest.approx(expected)
