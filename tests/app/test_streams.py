"""Server-sent events: what is told, how a reader goes on where it was, and how streams end."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from unittest.mock import Mock

import httpx
import pytest
from starlette.types import Message

from adapters.http.trust import world
from app.web import streaming, subscriptions
from tests.app.harness import Engine, application_of, environment
from tests.app.nodes import listen, serving
from tests.app.tokens import signed_token

UNKNOWN = "run_00000000000000000000000000000000"


class Told(NamedTuple):
    """An event of a stream."""

    id: int | None
    type: str
    data: Any


@pytest.fixture
async def real(engine: Engine) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the same engine behind a port: what is streamed does not come through a transport in process."""
    listening, address = listen()
    async with serving(application_of(engine), listening):
        headers = dict(engine.client.headers)
        async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, verify=world()) as client:
            yield client
            engine.service.watching.close()


@asynccontextmanager
async def stream(client: httpx.AsyncClient, path: str, last: int | None = None) -> AsyncGenerator[AsyncIterator[Told]]:
    headers = {} if last is None else {"last-event-id": str(last)}
    async with client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _told(response)


async def _told(response: httpx.Response) -> AsyncIterator[Told]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            if "data" in fields:
                at = int(fields["id"]) if "id" in fields else None
                yield Told(at, fields["event"], json.loads(fields["data"]))
            fields = {}


async def test_a_run_tells_all_that_happens_to_it_until_it_is_over(engine: Engine, real: httpx.AsyncClient) -> None:
    version = await engine.register()
    run = await engine.trigger(payload={"a": 1})

    async with stream(real, f"/api/v1/runs/{run}/stream") as events:
        first = await anext(events)
        await engine.perform(version)
        told = [first, *[event async for event in events]]

    history = (await engine.get(f"/api/v1/runs/{run}/events"))["events"]
    assert [event.data for event in told] == history
    assert [(event.id, event.type) for event in told] == [(each["position"], each["type"]) for each in history]


@pytest.mark.parametrize("known", [0, 1, 2, 3])
async def test_a_reader_that_comes_back_gets_exactly_what_it_has_not(
    engine: Engine, real: httpx.AsyncClient, known: int
) -> None:
    version = await engine.register()
    run = await engine.trigger()
    await engine.perform(version)
    history = (await engine.get(f"/api/v1/runs/{run}/events"))["events"]
    assert len(history) == 4

    last = history[known - 1]["position"] if known else None
    async with stream(real, f"/api/v1/runs/{run}/stream", last) as events:
        told = [event.data async for event in events]

    assert told == history[known:]


async def test_a_reader_of_a_run_that_is_over_need_not_come_back(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    await engine.perform(version)
    last = str((await engine.get(f"/api/v1/runs/{run}/events"))["events"][-1]["position"])

    paths = [f"/api/v1/runs/{run}/stream", f"/api/v1/runs/stream?run={run}"]
    answers = [await engine.client.get(path, headers={"last-event-id": last}) for path in paths]

    assert [answer.status_code for answer in answers] == [204, 204]


async def test_the_ledger_tells_the_events_of_one_environment(engine: Engine, real: httpx.AsyncClient) -> None:
    other = await environment(engine, "stg")
    await other.trigger()
    known = (await engine.get("/api/v1/ledger/events", limit=1_000))["events"]

    async with stream(real, "/api/v1/ledger/stream") as events:
        told = [await anext(events) for _ in known]
        await other.trigger()
        run = await engine.trigger()
        news = await anext(events)

    assert [event.data for event in told] == known
    assert (news.type, news.data["id"]) == ("RunTriggered", run)
    async with stream(real, "/api/v1/ledger/stream", news.id) as events:
        again = await engine.trigger()
        assert (await anext(events)).data["id"] == again


@pytest.mark.parametrize("by", ["run", "batch", "tags"])
async def test_runs_are_told_as_they_are_each_time_that_they_change(
    engine: Engine, real: httpx.AsyncClient, by: str
) -> None:
    version = await engine.register()
    items = {"items": [{"payload": 1, "options": {"tags": ["a", "b"]}}]}
    made = await engine.post("/api/v1/tasks/greet/batch", items)
    await engine.trigger(tags=["a"])
    run = made["runs"][0]["id"]
    named = {"run": run, "batch": made["batchId"], "tags": "b,a"}[by]

    async with stream(real, f"/api/v1/runs/stream?{by}={named}") as events:
        first = await anext(events)
        await engine.perform(version, output={"n": 2})
        last = first
        while not last.data["isCompleted"]:
            last = await anext(events)

    assert (first.type, first.data["status"], first.data["payload"]) == ("run", "QUEUED", 1)
    assert last.data == await engine.retrieve(run)
    assert last.data["output"] == {"n": 2}


async def test_a_change_between_two_streams_is_not_missed(engine: Engine, real: httpx.AsyncClient) -> None:
    runs = [await engine.trigger(tags=["a"], delay="1h") for _ in range(3)]
    async with stream(real, "/api/v1/runs/stream?tags=a") as events:
        told = [await anext(events) for _ in runs]
    await engine.post(f"/api/v2/runs/{runs[1]}/cancel")

    async with stream(real, "/api/v1/runs/stream?tags=a", told[-1].id) as events:
        news = await anext(events)

    assert {event.data["id"] for event in told} == set(runs)
    assert [event.id is None for event in told] == [True, True, False]
    assert (news.data["id"], news.data["status"]) == (runs[1], "CANCELED")


async def test_runs_are_read_no_faster_than_the_reader_takes_them(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one told twice because it changed before it was its turn."""
    monkeypatch.setattr(subscriptions, "READ_AT_ONCE", 2)
    runs = [await engine.trigger(tags=["a"], delay="1h") for _ in range(6)]
    await engine.listed()
    read = _reads_of(engine, monkeypatch)
    async with _slowly(engine, "/api/v1/runs/stream", b"tags=a") as take:
        first = await take()
        read_at_first = list(read)
        await engine.post(f"/api/v2/runs/{runs[4]}/cancel")
        rest = [await take() for _ in range(5)]
        await engine.post(f"/api/v2/runs/{runs[0]}/cancel")
        last = await take()

    told = [json.loads(each.partition(b"data: ")[2]) for each in (first, *rest, last)]
    assert set(read_at_first) <= set(runs[:4])
    assert [each["id"] for each in told] == [*runs, runs[0]]
    assert [told[4]["status"], told[6]["status"]] == ["CANCELED", "CANCELED"]


async def test_long_answers_are_read_in_turn(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "READ_AT_ONCE", 2)
    runs = [await engine.trigger(tags=["a"], delay="1h") for _ in range(6)]
    service = engine.service
    read, under_way, at_a_time = service.read, 0, list[int]()

    async def counted(function: Any, *arguments: Any) -> Any:
        nonlocal under_way
        under_way += function == service.ledger.read_streams
        at_a_time.append(under_way)
        try:
            return await read(function, *arguments)
        finally:
            under_way -= function == service.ledger.read_streams

    async def all_told(take: Callable[[], Awaitable[bytes]]) -> list[str]:
        told = [await take() for _ in runs]
        return [json.loads(each.partition(b"data: ")[2])["id"] for each in told]

    monkeypatch.setattr(service, "read", counted)
    async with (
        _slowly(engine, "/api/v1/runs/stream", b"tags=a") as one,
        _slowly(engine, "/api/v1/runs/stream", b"tags=a") as another,
    ):
        told = await asyncio.gather(all_told(one), all_told(another))

    assert list(told) == [runs, runs]
    assert max(at_a_time) == 1


def _reads_of(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that the ledger is asked for from now on."""
    read: list[str] = []
    read_streams = engine.service.ledger.read_streams

    def noted(streams: Any) -> Any:
        read.extend(sorted(streams))
        return read_streams(streams)

    monkeypatch.setattr(engine.service.ledger, "read_streams", noted)
    return read


@asynccontextmanager
async def _slowly(engine: Engine, path: str, query: bytes) -> AsyncGenerator[Callable[[], Awaitable[bytes]]]:
    """A stream whose reader takes one event whenever it is asked to, and no more."""
    taken: asyncio.Queue[bytes] = asyncio.Queue()
    wanted = asyncio.Semaphore(0)
    is_gone = asyncio.Event()

    async def receive() -> Message:
        await is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if b"data: " in message.get("body", b""):
            await wanted.acquire()
            taken.put_nowait(message["body"])

    async def event() -> bytes:
        wanted.release()
        return await taken.get()

    headers = [(name.lower(), value) for name, value in engine.client.headers.raw]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": headers}
    answering = asyncio.create_task(application_of(engine)(scope, receive, send))
    try:
        yield event
    finally:
        is_gone.set()
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def test_who_waits_hears_that_the_stream_is_alive(
    engine: Engine, real: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.01)
    run = await engine.trigger(delay="1h")

    async with real.stream("GET", f"/api/v1/runs/{run}/stream") as response:
        async with asyncio.timeout(5):
            is_alive = any([line == ": heartbeat" async for line in _until_heartbeat(response)])

    assert is_alive


async def _until_heartbeat(response: httpx.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        yield line
        if line == ": heartbeat":
            return


async def test_streams_end_with_the_engine(engine: Engine, real: httpx.AsyncClient) -> None:
    run = await engine.trigger(delay="1h")

    async with stream(real, f"/api/v1/runs/{run}/stream") as of_run, stream(real, "/api/v1/ledger/stream") as of_all:
        await anext(of_run)
        await anext(of_all)
        engine.service.watching.close()
        rest = [event async for event in of_run] + [event async for event in of_all]

    assert "AttemptStarted" not in {event.type for event in rest}


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (f"/api/v1/runs/{UNKNOWN}/stream", 404, f"Run {UNKNOWN} not found."),
        (f"/api/v1/runs/stream?run={UNKNOWN}", 404, f"Run {UNKNOWN} not found."),
        ("/api/v1/runs/stream?batch=batch_0", 404, "Batch batch_0 not found."),
        ("/api/v1/runs/stream", 400, "A stream of runs is of a run, of a batch, or of 1 to 10 tags."),
        ("/api/v1/runs/stream?tags=a&batch=b", 400, "A stream of runs is of a run, of a batch, or of 1 to 10 tags."),
    ],
)
async def test_what_cannot_be_streamed_is_refused(engine: Engine, path: str, status: int, sentence: str) -> None:
    assert await engine.refused("GET", path, status) == sentence


async def test_an_id_that_is_none_is_refused(engine: Engine) -> None:
    sentence = await engine.refused("GET", "/api/v1/ledger/stream", 400, headers={"last-event-id": "yesterday"})

    assert sentence == "Last-Event-ID is the id of an event of this stream, not 'yesterday'."


def _paths(run: str) -> list[str]:
    return [f"/api/v1/runs/{run}/stream", f"/api/v1/runs/stream?run={run}", "/api/v1/runs/stream?tags=a"]


async def test_a_stream_ends_when_its_token_expires(engine: Engine, real: httpx.AsyncClient) -> None:
    run = await engine.trigger(tags=["a"], delay="1h")
    name = engine.service.environments()[0].id

    for path in _paths(run):
        token = signed_token(sub=name, scopes=["read:runs"], exp=engine.clock.wall / 1_000 + 0.05)
        real.headers["authorization"] = f"Bearer {token}"
        async with asyncio.timeout(5), stream(real, path) as events:
            await anext(events)
            engine.clock.wall += 1_000
            # What was under way arrives still.
            assert {event.type async for event in events} <= {"RunDelayed"}

        assert (await real.get(path)).status_code == 401


@pytest.mark.parametrize("is_public", [True, False])
async def test_a_stream_ends_when_its_key_is_revoked(
    engine: Engine, real: httpx.AsyncClient, *, is_public: bool
) -> None:
    run = await engine.trigger(tags=["a"], delay="1h")
    name = engine.service.environments()[0].id

    for path in [*_paths(run), *([] if is_public else ["/api/v1/ledger/stream"])]:
        made = await engine.post("/api/v1/environments/dev/keys")
        key = signed_token(made["key"], sub=name) if is_public else made["key"]
        real.headers["authorization"] = f"Bearer {key}"
        async with asyncio.timeout(5), stream(real, path) as events:
            await anext(events)
            await engine.delete(f"/api/v1/environments/dev/keys/{made['id']}")
            async for event in events:
                assert event.type != "ApiKeyRevoked" or not event.data["data"]["sha256"].startswith(made["id"])

        assert (await real.get(path)).status_code == 401


async def test_a_stream_of_one_key_goes_on_when_another_is_revoked(engine: Engine, real: httpx.AsyncClient) -> None:
    run = await engine.trigger(delay="1h")
    made = await engine.post("/api/v1/environments/dev/keys")

    async with stream(real, f"/api/v1/runs/{run}/stream") as events:
        first = await anext(events)
        await engine.delete(f"/api/v1/environments/dev/keys/{made['id']}")
        await engine.post(f"/api/v2/runs/{run}/cancel")
        left = [event.type async for event in events]

    assert (first.type, left[-1]) == ("RunTriggered", "RunCanceled")


async def test_a_reader_who_comes_back_after_too_much_is_told_all(
    engine: Engine, real: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a beginning: the newest runs, whether they changed or not, and only then a position."""
    monkeypatch.setattr(subscriptions, "PAGE", 2)
    monkeypatch.setattr(subscriptions, "PAGES_MAX", 1)
    runs = [await engine.trigger(tags=["a"], delay="1h") for _ in range(4)]
    monkeypatch.setattr(engine.service.loop.feed, "back_to", Mock(return_value=None))
    known = engine.head
    for each in runs[:3]:
        await engine.post(f"/api/v2/runs/{each}/cancel")

    async with asyncio.timeout(5), stream(real, "/api/v1/runs/stream?tags=a", known) as events:
        told = [await anext(events) for _ in range(2)]

    assert [(event.data["id"], event.data["status"]) for event in told] == [
        (runs[2], "CANCELED"),
        (runs[3], "DELAYED"),
    ]
    assert (told[0].id, told[1].id) == (None, engine.head)
