"""Who did what, when and why: the filters of the feed and of its stream."""

from collections.abc import Callable
from itertools import product
from typing import Any

import httpx
import pytest

from app.history import auditing
from domain.audit import ALONE, NAMED_KINDS
from domain.durations import iso
from tests.app.harness import START_MS, Engine, admin, environment, transport_of
from tests.app.test_bulk import ended, started
from tests.app.test_streams import real, stream

FEED = "/api/v1/ledger/events"
STREAM = "/api/v1/ledger/stream"
HOUR_MS = 3_600_000
Wants = Callable[[dict[str, Any]], bool]
__all__ = ["real"]


async def _pages(engine: Engine, limit: int = 1_000, **asked: Any) -> list[Any]:
    """Everything that is found by going on until there is nothing more."""
    events: list[Any] = []
    position = asked.pop("after", 0)
    for _ in range(200):
        page = await engine.get(FEED, after=position, limit=limit, **asked)
        assert len(page["events"]) <= limit
        events += page["events"]
        assert page["next"] > position or page["next"] == page["head"]
        if page["next"] == page["head"]:
            return events
        position = page["next"]
    raise AssertionError("the feed has no end")


async def _a_day(engine: Engine) -> dict[str, str]:
    """Runs of two tasks by two actors and a worker, an hour between each, and another environment's runs between."""
    version = await engine.register({"id": "greet"}, {"id": "bill"})
    other = await environment(engine, "stg")
    runs: dict[str, str] = {}
    for task in ("greet", "bill"):
        await engine.advance(HOUR_MS)
        runs[task] = await engine.trigger(task)
        await other.trigger()
        await engine.perform(version)
        await other.trigger()
    await engine.advance(HOUR_MS)
    runs["canceled"] = await engine.trigger("bill")
    await engine.post(f"/api/v2/runs/{runs['canceled']}/cancel")
    return runs


async def test_each_filter_finds_what_a_look_at_all_events_finds(engine: Engine) -> None:
    runs = await _a_day(engine)
    everything = await _pages(engine)
    bill = {runs["bill"], runs["canceled"]}
    actors = {event["actor"] for event in everything}
    key = next(each for each in actors if each.startswith("key:"))
    filters: dict[str, list[tuple[str | None, Wants]]] = {
        "actor": [
            (None, lambda _: True),
            (key, lambda event: event["actor"] == key),
            ("worker:", lambda event: event["actor"].startswith("worker:")),
            ("engine,key:", lambda event: event["actor"] == "engine" or event["actor"].startswith("key:")),
            ("key:none", lambda _: False),
        ],
        "task": [(None, lambda _: True), ("bill", lambda event: event["id"] in bill), ("none", lambda _: False)],
        "type": [
            (None, lambda _: True),
            ("RunTriggered,RunCanceled", lambda event: event["type"] in {"RunTriggered", "RunCanceled"}),
        ],
        "run": [(None, lambda _: True), (runs["bill"], lambda event: event["id"] == runs["bill"])],
        "from": [
            (None, lambda _: True),
            (iso(START_MS + 2 * HOUR_MS), lambda event: event["recordedAt"] >= iso(START_MS + 2 * HOUR_MS)),
        ],
        "to": [
            (None, lambda _: True),
            (iso(START_MS + 3 * HOUR_MS), lambda event: event["recordedAt"] < iso(START_MS + 3 * HOUR_MS)),
        ],
    }

    some = 0
    for choice in product(*([(name, *each) for each in values] for name, values in filters.items())):
        asked: dict[str, Any] = {name: value for name, value, _ in choice if value is not None}
        expected = [event for event in everything if all(wants(event) for *_, wants in choice)]
        assert await _pages(engine, **asked) == expected, asked
        some += bool(expected)
    assert some > 20, "most of what is compared is not nothing"
    canceled = (await _pages(engine, type="RunCanceled"))[0]
    assert (canceled["actor"], canceled["cause"]) == (key, f"POST /api/v2/runs/{runs['canceled']}/cancel")
    assert {"engine", "worker:worker_1"} <= actors


@pytest.mark.parametrize("limit", [1, 2, 1_000])
async def test_a_rare_event_is_found_by_going_on_from_where_a_page_ends(
    engine: Engine, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "LOOKED_MAX", 7)
    monkeypatch.setattr(auditing, "SLICE", 3)
    await _a_day(engine)
    everything = await _pages(engine)

    first = await engine.get(FEED, type="RunCanceled", limit=limit)
    found = await _pages(engine, limit, type="RunCanceled")
    ours = await _pages(engine, limit, actor="key:,worker:,engine", upto=engine.head - 3, after=4)

    assert (first["events"], first["next"], first["head"]) == ([], 7, engine.head)
    assert found == [each for each in everything if each["type"] == "RunCanceled"]
    assert ours == [each for each in everything if 4 < each["position"] <= engine.head - 3]


async def test_a_runs_own_events_are_on_the_first_page_wherever_they_are(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "LOOKED_MAX", 1)
    runs = await _a_day(engine)
    history = (await engine.get(f"/api/v1/runs/{runs['bill']}/events"))["events"]
    other = await environment(engine, "prod")

    page = await engine.get(FEED, run=runs["bill"])
    part = await engine.get(FEED, run=runs["bill"], limit=2)
    rest = await engine.get(FEED, run=runs["bill"], after=part["next"])
    none = await other.get(FEED, run=runs["bill"])

    assert page == {"events": history, "next": engine.head, "head": engine.head}
    assert part == {"events": history[:2], "next": history[1]["position"], "head": engine.head}
    assert rest["events"] == history[2:]
    assert none["events"] == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("type=RunCancelled", "There is no event 'RunCancelled'"),
        (
            "actor=key",
            "There is no actor 'key': it begins with key:, token: or worker:, or is one of admin, aftermath, ",
        ),
        ("actor=kye:", "There is no actor 'kye:'"),
        ("actor=foo", "There is no actor 'foo'"),
        ("actor=engine,Key:1", "There is no actor 'Key:1'"),
        ("actor=engine:", "There is no actor 'engine:'"),
        ("actor=", "The filter actor is empty"),
        ("task=,", "The filter task is empty"),
        ("from=yesterday", "from is an ISO 8601 date, not 'yesterday'"),
        ("to=12", "to is an ISO 8601 date, not '12'"),
        ("acter=key:", "There is no filter or page parameter 'acter'"),
        ("actor=a&actor=b", "A parameter is there twice"),
    ],
)
async def test_a_question_that_cannot_be_meant_is_refused_with_a_sentence(
    engine: Engine, query: str, said: str
) -> None:
    assert said in await engine.refused("GET", f"{FEED}?{query}", 400)
    assert said in await engine.refused("GET", f"{STREAM}?{query}", 400)


@pytest.mark.parametrize("actor", [*ALONE, *NAMED_KINDS, "key:7f3a"])
async def test_each_actor_may_be_asked_for(engine: Engine, actor: str) -> None:
    assert (await engine.get(FEED, actor=actor))["head"] == engine.head


async def test_a_stream_tells_what_its_filters_find_and_ends_with_its_time(engine: Engine, real: Any) -> None:
    runs = await _a_day(engine)
    until = iso(START_MS + 3 * HOUR_MS)
    expected = await _pages(engine, task="bill,greet", actor="key:,engine", to=until)

    async with stream(real, f"{STREAM}?task=bill,greet&actor=key:,engine&to={until}") as events:
        told = [event async for event in events]
    over = await real.get(f"{STREAM}?to={until}", headers={"last-event-id": str(engine.head)})
    async with stream(real, f"{STREAM}?from={until}&run={runs['canceled']}&type=RunCanceled") as events:
        late = await anext(events)

    assert [event.data for event in told] == expected
    assert expected
    assert over.status_code == 204
    assert (late.type, late.data["id"]) == ("RunCanceled", runs["canceled"])


async def _in_bulk(engine: Engine) -> tuple[Engine, dict[str, str]]:
    """Somebody else with a key of the environment, and the run, with a child, that each of the two canceled in bulk."""
    made = await admin(engine).post("/api/v1/environments/dev/keys")
    headers = {"authorization": f"Bearer {made['key']}"}
    other = Engine(
        engine.service,
        engine.clock,
        httpx.AsyncClient(transport=transport_of(engine), base_url="http://engine", headers=headers),
        "worker_2",
    )
    version = await engine.register()
    runs: dict[str, str] = {}
    for who, name in ((engine, "ours"), (other, "theirs")):
        runs[name] = await engine.trigger()
        handed = await engine.take(version)
        parent = {"parentRunId": handed["id"], "parentToken": handed["token"]}
        runs[f"child of {name}"] = await engine.trigger(**parent)
        await ended(engine, await started(who, "cancel", runIds=[runs[name]]))
    # Its end is read from the database, perhaps before the head of the feed has come so far.
    await engine.come_to_now()
    return other, runs


def _canceled(events: list[Any]) -> set[str]:
    return {event["id"] for event in events if event["type"] in {"RunCanceled", "RunCancelRequested"}}


async def test_what_a_bulk_action_did_is_found_by_who_began_it(engine: Engine) -> None:
    other, runs = await _in_bulk(engine)
    everything = await _pages(engine)
    begun = [event for event in everything if event["type"] == "BulkStarted"]
    us, them = (event["actor"] for event in begun)
    found = {who: await _pages(engine, actor=who) for who in (us, them, f"{us},{them}", "key:", "engine", "token:")}
    of_task = await _pages(engine, actor=them, task="greet")
    at_once = await _pages(engine, actor=us, limit=1)
    await other.client.aclose()

    assert us != them
    for who, bulk in zip((us, them), begun, strict=True):
        assert found[who] == [each for each in everything if each["actor"] == who or each["cause"] == bulk["id"]]
    assert runs["ours"] in _canceled(found[us])
    assert runs["theirs"] in _canceled(found[them])
    assert runs["ours"] not in _canceled(found[them])
    assert runs["theirs"] in _canceled(of_task)
    assert at_once == found[us]
    assert _canceled(everything) == _canceled(found[f"{us},{them}"]) == _canceled(found["key:"])
    assert found["engine"] == [event for event in everything if event["actor"] == "engine"]
    assert found["token:"] == []


async def test_a_stream_tells_what_a_bulk_action_does_by_who_began_it(engine: Engine, real: Any) -> None:
    other, runs = await _in_bulk(engine)
    everything = await _pages(engine)
    us, them = (event["actor"] for event in everything if event["type"] == "BulkStarted")
    until = iso(engine.clock.wall + 1)
    await engine.advance(1)
    await engine.trigger()
    expected = await _pages(engine, actor=them, to=until)

    async with stream(real, f"{STREAM}?actor={them}&to={until}") as events:
        told = [event.data async for event in events]
    await other.client.aclose()

    assert told == expected
    assert runs["theirs"] in _canceled(told)
    assert us not in {event["actor"] for event in told}


async def test_events_are_told_as_cloudevents_that_say_the_same(engine: Engine) -> None:
    await _a_day(engine)
    plain = await _pages(engine)

    told = await _pages(engine, format="cloudevents")

    assert [
        {
            "position": int(each["id"]),
            "id": each["subject"],
            "version": each["streamversion"],
            "type": each["type"].removeprefix("runfold."),
            "occurredAt": each["time"],
            "recordedAt": each["recordedtime"],
            "actor": each["authid"],
            "cause": each["cause"],
            "data": each["data"],
        }
        for each in told
    ] == plain
    assert {(each["specversion"], each["datacontenttype"]) for each in told} == {("1.0", "application/json")}
    assert len({(each["source"], each["id"]) for each in told}) == len(told)
    assert [each["sequence"] for each in told] == sorted(each["sequence"] for each in told)
    # Names of attributes are small letters and digits, and their values no objects.
    assert all(name.isalnum() and name.islower() and name.isascii() for each in told for name in each)
    assert all(isinstance(value, str | int) for each in told for name, value in each.items() if name != "data")
    kinds = {each["authid"].split(":")[0]: each["authtype"] for each in told}
    assert kinds == {"key": "api_key", "worker": "service_account", "engine": "system"}
