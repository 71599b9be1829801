"""Shapes of runs by long polling: what is told first, what is told then, and what a client does that was away."""

import asyncio
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import Mock

import httpx
import pytest

from app.engine.watching import Watcher, seen
from app.web import realtime, subscriptions
from domain.status import Status
from tests.app.harness import Engine, sentence_of, until
from tests.app.statuses import run_in
from tests.app.tokens import signed_token

V4 = {"x-trigger-api-version": "2025-07-16", "x-trigger-electric-version": "1.0.0-beta.1"}
UNKNOWN = "run_00000000000000000000000000000000"
UP_TO_DATE = {"headers": {"control": "up-to-date"}}


class Told(NamedTuple):
    """An answer: the rows by their run, and how to go on."""

    rows: dict[str, Any]
    operations: set[str]
    offset: str
    handle: str


async def ask(engine: Engine, path: str, before: Told | None = None, *, live: bool = False, **query: str) -> Told:
    more = {"offset": "-1"} if before is None else {"offset": before.offset, "handle": before.handle}
    if live:
        more |= {"live": "true", "cursor": ""}
    response = await engine.client.get(path, params=query | more, headers=V4)
    assert response.status_code == 200, response.text
    assert {"electric-schema", "electric-cursor", "electric-up-to-date"} <= response.headers.keys()
    *changes, last = response.json()
    assert last == UP_TO_DATE
    rows = {each["value"]["id"]: each["value"] for each in changes}
    operations = {each["headers"]["operation"] for each in changes}
    return Told(rows, operations, response.headers["electric-offset"], response.headers["electric-handle"])


async def waits(engine: Engine) -> None:
    """Until somebody is watched for."""
    await until(lambda: engine.service.watching.watchers > 0)
    # One turn of the loop more, in which it looks and finds nothing new.
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_run_is_told_as_it_is_and_then_as_it_changes(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger(payload={"a": 1}, tags=["x", "y,z"], metadata={"m": 1}, ttl=60)
    path = f"/realtime/v1/runs/{run}"

    first = await ask(engine, path)
    polling = asyncio.create_task(ask(engine, path, first, live=True))
    await waits(engine)
    await engine.perform(version, output={"b": 2})
    second = await polling
    last = second
    while last.rows.get(run, {}).get("completedAt") is None:
        last = await ask(engine, path, last, live=True)

    row = first.rows[run]
    assert (first.operations, second.operations) == ({"insert"}, {"update"})
    assert (row["status"], row["payload"], row["payloadType"]) == ("PENDING", '{"a":1}', "application/json")
    assert (row["runTags"], row["metadata"], row["ttl"], row["output"]) == (["x", "y,z"], '{"m":1}', "60s", None)
    assert row["createdAt"] == "2027-01-15T08:00:00.000"
    assert (last.rows[run]["status"], last.rows[run]["output"]) == ("COMPLETED_SUCCESSFULLY", '{"b":2}')


async def test_what_ended_between_two_polls_is_told_at_once(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    first = await ask(engine, f"/realtime/v1/runs/{run}")
    await engine.perform(version)

    second = await ask(engine, f"/realtime/v1/runs/{run}", first, live=True)

    assert second.rows[run]["status"] == "COMPLETED_SUCCESSFULLY"


async def test_who_read_ahead_of_the_head_may_go_on_from_there(engine: Engine) -> None:
    await engine.trigger()
    feed = engine.service.loop.feed
    before = feed.head
    run = await engine.trigger()
    path, after = f"/realtime/v1/runs/{run}", feed.head

    # Its commit can be read, and the head does not know of it yet.
    feed.head = before
    first = await ask(engine, path)
    second = await ask(engine, path, first)
    feed.head = after
    third = await ask(engine, path, second)

    assert [each.rows.keys() for each in (first, second, third)] == [{run}] * 3
    assert [each.offset for each in (first, second, third)] == [
        *[f"{before.position}_0"] * 2,
        f"{after.position}_0",
    ]


async def test_a_poll_without_news_is_answered_after_a_while(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "HOLD_SECONDS", 0.01)
    run = await engine.trigger()
    first = await ask(engine, f"/realtime/v1/runs/{run}")

    second = await ask(engine, f"/realtime/v1/runs/{run}", first, live=True)

    assert (second.rows, second.offset, second.handle) == ({}, first.offset, first.handle)


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.SYSTEM_FAILURE])
async def test_every_status_is_a_word_of_the_database(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)

    row = (await ask(engine, f"/realtime/v1/runs/{run}")).rows[run]

    shown = await engine.retrieve(run)
    assert (row["completedAt"] is not None) == shown["isCompleted"]
    assert (row["error"] is not None) == ("error" in shown or (shown["isCompleted"] and not shown["isSuccess"]))


async def test_tags_must_all_be_there_and_new_runs_come(engine: Engine) -> None:
    both, one = await engine.trigger(tags=["a", "b"]), await engine.trigger(tags=["a"])
    query: dict[str, Any] = {"tags": "b,a"}

    first = await ask(engine, "/realtime/v1/runs", **query)
    polling = asyncio.create_task(ask(engine, "/realtime/v1/runs", first, live=True, **query))
    await waits(engine)
    await engine.post(f"/api/v2/runs/{one}/cancel")
    new = await engine.trigger(tags=["c", "b", "a"])
    second = await polling
    await engine.post(f"/api/v1/runs/{one}/tags", {"tags": "b"})
    third = await ask(engine, "/realtime/v1/runs", second, live=True, **query)

    assert [set(each.rows) for each in (first, second, third)] == [{both}, {new}, {one}]


async def test_a_subscription_by_tags_begins_where_it_began(engine: Engine) -> None:
    old = await engine.trigger(tags=["a"], delay="9h")
    await engine.advance(3_600_000)
    run = await engine.trigger(tags=["a"], delay="9h")

    first = await ask(engine, "/realtime/v1/runs", tags="a", createdAt="30m")
    await engine.advance(3_600_000)
    for each in (old, run):
        await engine.post(f"/api/v2/runs/{each}/cancel")
    second = await ask(engine, "/realtime/v1/runs", first, live=True, tags="a", createdAt="30m")

    assert [set(each.rows) for each in (first, second)] == [{run}, {run}]


async def test_the_runs_of_a_batch_are_told(engine: Engine) -> None:
    made = await engine.post("/api/v1/tasks/greet/batch", {"items": [{"payload": 1}, {"payload": 2}]})
    await engine.trigger()
    runs = [run["id"] for run in made["runs"]]

    first = await ask(engine, f"/realtime/v1/batches/{made['batchId']}")
    await engine.post(f"/api/v2/runs/{runs[1]}/cancel")
    second = await ask(engine, f"/realtime/v1/batches/{made['batchId']}", first, live=True)

    assert list(first.rows) == runs
    assert list(second.rows) == runs[1:]


@pytest.mark.parametrize(
    "query",
    [
        {"offset": "nonsense", "handle": "run-{run}"},
        {"offset": "999999_0", "handle": "run-{run}"},
        {"offset": "2_0", "handle": "run-other"},
        {"offset": "2_0"},
    ],
)
async def test_who_comes_with_what_was_not_given_out_begins_anew(engine: Engine, query: dict[str, str]) -> None:
    run = await engine.trigger()
    given = {name: value.format(run=run) for name, value in query.items()}

    response = await engine.client.get(f"/realtime/v1/runs/{run}", params=given | {"live": "true"}, headers=V4)

    assert (response.status_code, response.json()) == (409, [{"headers": {"control": "must-refetch"}}])
    assert response.headers["electric-handle"] == f"run-{run}"


async def test_columns_are_left_out_but_for_those_that_every_row_has(engine: Engine) -> None:
    run = await engine.trigger(payload=1)

    row = (await ask(engine, f"/realtime/v1/runs/{run}", skipColumns="payload,output,status,metadata")).rows[run]

    assert not {"payload", "payloadType", "output", "metadata"} & row.keys() - {"payloadType"}
    assert row["status"] == "PENDING"


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (f"/realtime/v1/runs/{UNKNOWN}", 404, f"Run {UNKNOWN} not found."),
        ("/realtime/v1/batches/batch_0", 404, "Batch batch_0 not found."),
        ("/realtime/v1/runs", 400, "A subscription by tags names 1 to 10 of them under `tags`."),
        (
            "/realtime/v1/runs?tags=a&createdAt=soon",
            400,
            'createdAt: "soon" is not a duration; write one like "30s", "10m" or "1h30m".',
        ),
    ],
)
async def test_what_cannot_be_subscribed_to_is_refused(engine: Engine, path: str, status: int, sentence: str) -> None:
    assert await engine.refused("GET", path, status) == sentence

    told = await engine.client.get(f"{path}{'&' if '?' in path else '?'}offset=-1", headers=V4)
    again = await engine.client.get(f"{path}{'&' if '?' in path else '?'}handle=refused&live=true", headers=V4)

    # The official client waits for ever on any other answer; this one it cannot read, and throws.
    assert told.status_code == 200
    assert (told.json()[0]["value"]["metadata"], told.json()[0]["value"]["metadataType"]) == (
        sentence,
        "application/store",
    )
    assert again.status_code == status


async def test_polls_are_answered_when_the_engine_ends(engine: Engine) -> None:
    run = await engine.trigger()
    first = await ask(engine, f"/realtime/v1/runs/{run}")
    polling = asyncio.create_task(ask(engine, f"/realtime/v1/runs/{run}", first, live=True))
    await waits(engine)

    engine.service.watching.close()

    assert (await polling).rows == {}


async def test_one_commit_is_read_once_however_many_watch(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await engine.trigger(tags=["a"], delay="1h")
    first = await ask(engine, f"/realtime/v1/runs/{run}")
    of_tag = await ask(engine, "/realtime/v1/runs", tags="a")
    polls = [asyncio.create_task(ask(engine, f"/realtime/v1/runs/{run}", first, live=True)) for _ in range(20)]
    polls += [asyncio.create_task(ask(engine, "/realtime/v1/runs", of_tag, live=True, tags="a")) for _ in range(20)]
    await until(lambda: engine.service.watching.watchers == 40)
    await waits(engine)
    read: list[list[str]] = []
    ledger = engine.service.ledger
    read_streams = ledger.read_streams

    def counted(streams: Any) -> Any:
        read.append(list(streams))
        return read_streams(streams)

    monkeypatch.setattr(ledger, "read_streams", counted)
    await engine.post(f"/api/v2/runs/{run}/cancel")
    told = await asyncio.gather(*polls)

    assert all(each.rows[run]["status"] == "CANCELED" for each in told)
    assert [each for each in read if each == [run]] == [[run]]


async def test_a_client_of_another_kind_is_refused_as_everywhere(engine: Engine) -> None:
    engine.client.headers["authorization"] = "Bearer wrong"

    response = await engine.client.get(f"/realtime/v1/runs/{UNKNOWN}")

    assert (response.status_code, sentence_of(response)) == (
        401,
        "Invalid or Missing API Key: this key opens no environment here.",
    )


async def test_a_poll_looks_for_no_runs_where_memory_knows_of_none(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the batch itself, of which it is to be known whose it is."""
    monkeypatch.setattr(realtime, "HOLD_SECONDS", 0.0)
    version = await engine.register()
    mine = await engine.trigger(tags=["a"], delay="1h")
    batch = (await engine.post("/api/v1/tasks/greet/batch", {"items": [{"options": {"delay": "1h"}}]}))["batchId"]
    paths = f"/realtime/v1/batches/{batch}", f"/realtime/v1/runs/{mine}"
    asks = [partial(ask, engine, "/realtime/v1/runs", tags="a"), *(partial(ask, engine, path) for path in paths)]
    first = [await each() for each in asks]
    await engine.trigger(tags=["b"])
    await engine.perform(version)
    # The run that ended is looked at once, and then remembered.
    second = [await each(told) for each, told in zip(asks, first, strict=True)]
    read: list[str] = []
    ledger, read_models = engine.service.ledger, engine.service.read_models
    read_streams = ledger.read_streams

    def counted(streams: Any) -> Any:
        read.extend(streams)
        return read_streams(streams)

    monkeypatch.setattr(ledger, "read_streams", counted)
    monkeypatch.setattr(read_models, "list_runs", None)
    third = [await each(told, live=True) for each, told in zip(asks, first, strict=True)]
    monkeypatch.undo()
    await engine.post(f"/api/v2/runs/{mine}/cancel")
    last = await asks[0](third[0])

    assert set(read) <= {batch}
    assert [each.rows for each in (*second, *third)] == [{}] * 6
    assert last.rows[mine]["status"] == "CANCELED"


async def test_what_arrives_as_the_time_is_over_is_told(engine: Engine) -> None:
    """The position of the answer says that it was."""
    run = seen(await engine.service.history(await engine.trigger()))
    watcher = Watcher("env", run=run.row.id)
    waiting = asyncio.create_task(watcher.news(0))
    await asyncio.sleep(0)
    watcher.tell(run)

    assert await waiting == [run]


@pytest.fixture
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first answer has the newest 2 runs."""
    monkeypatch.setattr(subscriptions, "PAGE", 2)
    monkeypatch.setattr(subscriptions, "PAGES_MAX", 1)


def forgets(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let memory reach back to no position, as if very much had happened since."""
    monkeypatch.setattr(engine.service.loop.feed, "back_to", Mock(return_value=None))


@pytest.mark.usefixtures("two_at_once")
async def test_who_has_all_of_several_tags_is_found_behind_many_that_have_one(engine: Engine) -> None:
    both = await engine.trigger(tags=["a", "b", "c"], delay="1h")
    for _ in range(3):
        await engine.trigger(tags=["a", "c"], delay="1h")

    first = await ask(engine, "/realtime/v1/runs", tags="a,b,c")

    assert set(first.rows) == {both}


@pytest.mark.usefixtures("two_at_once")
async def test_who_comes_back_after_too_much_begins_anew(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """More runs changed than an answer has: to answer the newest of them would be to keep the others back for ever."""
    runs = [await engine.trigger(tags=["a"], delay="1h") for _ in range(3)]
    first = await ask(engine, "/realtime/v1/runs", tags="a")
    forgets(engine, monkeypatch)
    for each in runs[:2]:
        await engine.post(f"/api/v2/runs/{each}/cancel")
    second = await ask(engine, "/realtime/v1/runs", first, tags="a")
    await engine.post(f"/api/v2/runs/{runs[2]}/cancel")

    known = {"tags": "a", "offset": first.offset, "handle": first.handle}
    third = await engine.client.get("/realtime/v1/runs", params=known, headers=V4)

    assert [set(each.rows) for each in (first, second)] == [set(runs[1:]), set(runs[:2])]
    assert (third.status_code, third.json()) == (409, [{"headers": {"control": "must-refetch"}}])


async def _held(engine: Engine, key: str, path: str) -> "asyncio.Task[httpx.Response]":
    """A poll that is held, of somebody with this key or token."""
    headers, query = V4 | {"authorization": f"Bearer {key}"}, {"tags": "a"}
    first = await engine.client.get(path, params=query | {"offset": "-1"}, headers=headers)
    known = query | {"offset": first.headers["electric-offset"], "handle": first.headers["electric-handle"]}
    polling = asyncio.create_task(engine.client.get(path, params=known | {"live": "true"}, headers=headers))
    await waits(engine)
    return polling


def _is_refusal(response: httpx.Response, sentence: str) -> bool:
    """Whether it is the row that makes the official client throw."""
    row = response.json()[0]["value"]
    return (response.headers["electric-handle"], row["id"], row["metadata"]) == ("refused", "refused", sentence)


@pytest.mark.parametrize("kind", ["run", "tags"])
async def test_a_poll_is_held_no_longer_than_its_token_lasts(engine: Engine, kind: str) -> None:
    run = await engine.trigger(tags=["a"], delay="1h")
    path = f"/realtime/v1/runs/{run}" if kind == "run" else "/realtime/v1/runs"
    exp = engine.clock.wall / 1_000 + 0.05
    token = signed_token(sub=engine.service.environments()[0].id, exp=exp)

    polling = await _held(engine, token, path)
    engine.clock.wall += 1_000
    async with asyncio.timeout(5):
        answer = await polling

    assert _is_refusal(answer, "This public token is not valid: it has expired.")


@pytest.mark.parametrize("is_public", [True, False])
@pytest.mark.parametrize("kind", ["run", "tags"])
async def test_a_poll_is_held_no_longer_than_its_key_opens(engine: Engine, kind: str, *, is_public: bool) -> None:
    run = await engine.trigger(tags=["a"], delay="1h")
    path = f"/realtime/v1/runs/{run}" if kind == "run" else "/realtime/v1/runs"
    made = await engine.post("/api/v1/environments/dev/keys")
    key = signed_token(made["key"], sub=engine.service.environments()[0].id) if is_public else made["key"]

    polling = await _held(engine, key, path)
    await engine.delete(f"/api/v1/environments/dev/keys/{made['id']}")
    async with asyncio.timeout(5):
        answer = await polling

    assert _is_refusal(answer, "Invalid or Missing API Key: this key was revoked.")


async def test_a_window_by_tags_is_a_day_at_most(engine: Engine) -> None:
    handles = [(await ask(engine, "/realtime/v1/runs", tags="a", createdAt=each)).handle for each in ("2d", "1d", "1h")]

    assert handles[0] == handles[1] == (await ask(engine, "/realtime/v1/runs", tags="a")).handle
    assert handles[2] != handles[0]


async def test_a_tag_with_a_comma_is_taken_for_two(engine: Engine) -> None:
    await engine.trigger(tags=["a,b"], delay="1h")
    both = await engine.trigger(tags=["a", "b"], delay="1h")

    assert set((await ask(engine, "/realtime/v1/runs", tags="a,b")).rows) == {both}
