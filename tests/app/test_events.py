"""Named events over HTTP: what they answer, what they start, and what is told of them."""

from typing import Any

from tests.app.harness import START, Engine, environment
from tests.shown import shows_option

EVENTS = "/api/v1/events"
HOUR_MS = 3_600_000
PAYLOAD = {"user": {"name": "Ada", "plan": "pro"}}
GREET = {"id": "greet", "event": {"name": "user.created"}}
BILL = {"id": "bill", "event": {"name": "user.created", "filter": {"user": {"plan": ["pro"]}}}}
NUDGE = {"id": "nudge", "event": {"name": "user.created", "filter": {"user": {"plan": ["free"]}}}}

NO_EVENTS: list[tuple[Any, str]] = [
    ({}, "An event has a name: tasks and jobs are subscribed to names."),
    ({"name": ""}, "A name of an event has 1 to 128 printable characters."),
    ({"name": "a", "id": ""}, "The id of an event has 1 to 128 printable characters."),
    ({"name": "a", "context": [1]}, "The context is a JSON object."),
    ({"name": "a", "context": {"a": "x" * 9_000}}, "The context has 9008 bytes; at most 8192 are taken."),
    ({"name": "a", "timestamp": "soon"}, '"soon" is neither a duration like "1h30m" nor an ISO 8601 date.'),
    ({"name": "a", "options": {"deliverAfter": 10**10}}, "An event is delivered within ten years."),
    ({"name": "a", "options": {"deliverAt": "2027-01-16", "deliverAfter": 1}}, "not both."),
    ({"name": "a", "options": {"accountId": "x"}}, "The option accountId is not supported: name the connections"),
    ({"event": {"payload": 1}, "name": "a"}, "An event has a name"),
]
WRONG_SUBSCRIPTIONS: list[tuple[Any, str]] = [
    ({"name": ""}, "The event of task greet: A name of an event has 1 to 128 printable characters."),
    ({"name": ["a", ""]}, "The event of task greet: A name of an event has 1 to 128 printable characters."),
    ({"name": []}, "The event of task greet: A subscription has 1 to 50 names of events, not 0."),
    (
        {"name": "a", "filter": {"plan": [{"$gt": "pro"}]}},
        "The event of task greet: The filter is wrong at plan: $gt takes a number.",
    ),
]


async def send(engine: Engine, **more: Any) -> Any:
    return await engine.post(EVENTS, {"name": "user.created", "payload": PAYLOAD} | more)


@shows_option("task.event.name", "task.event.filter")
async def test_an_event_starts_the_tasks_whose_filter_fits_and_knows_them(engine: Engine) -> None:
    version = await engine.register(GREET, BILL, NUDGE)
    context = {"tenant": 7}
    told = await send(engine, id="u1", source="shop", context=context, timestamp="2027-01-15T07:59:00Z")
    bill, greet = (run["id"] for run in told["runs"])

    assert told == {
        "id": "u1",
        "name": "user.created",
        "status": "DELIVERED",
        "timestamp": "2027-01-15T07:59:00.000Z",
        "source": "shop",
        "createdAt": START,
        "payload": PAYLOAD,
        "context": context,
        "deliveredAt": START,
        "runs": [{"id": bill}, {"id": greet}],
    }
    run = await engine.retrieve(greet)
    assert (run["taskIdentifier"], run["payload"], run["source"]) == ("greet", PAYLOAD, "event")
    assert run["event"] == {
        "id": "u1",
        "name": "user.created",
        "timestamp": "2027-01-15T07:59:00.000Z",
        "source": "shop",
        "context": context,
    }
    explained = await engine.get(f"/api/v1/runs/{bill}/explain")
    assert explained["sentence"].endswith(" Event u1 (user.created) started it.")
    assert explained["data"]["event"] == {"id": "u1", "name": "user.created"}
    handed = await engine.perform(version)
    assert (handed["id"], handed["payload"]) == (bill, PAYLOAD)
    assert handed["event"] == {
        "id": "u1",
        "name": "user.created",
        "timestamp": 1_799_999_940_000,
        "source": "shop",
        "context": context,
    }
    shown = await engine.get(f"{EVENTS}/u1")
    assert shown["runs"] == [
        {"id": bill, "taskIdentifier": "bill", "status": "COMPLETED", "startedAt": START, "finishedAt": START},
        {"id": greet, "taskIdentifier": "greet", "status": "QUEUED"},
    ]
    (first, *_) = (await engine.get(f"/api/v1/runs/{greet}/events"))["events"]
    assert (first["actor"], first["cause"].partition("_")[0]) == ("event", "event")


async def test_a_task_and_a_job_are_subscribed_to_several_names(engine: Engine) -> None:
    names = ["order.paid", "order.shipped", "order.paid"]
    await engine.register({"id": "tell", "event": {"name": names}}, {"id": "bill", "event": {"name": "order.paid"}})
    job = {"name": "Call", "kind": "event", "event": {"name": names}, "request": {"url": "https://example.com"}}
    made = (await engine.client.post("/v1/jobs", json=job)).json()

    paid, shipped, lost = [await send(engine, name=name) for name in ("order.paid", "order.shipped", "order.lost")]
    assert [len(each["runs"]) for each in (paid, shipped, lost)] == [3, 2, 0]
    assert (await engine.get(f"/v1/jobs/{made['id']}"))["event"] == {"name": names, "filter": {}}


async def test_the_same_id_again_answers_as_before_and_writes_nothing(engine: Engine) -> None:
    await engine.register(GREET)
    first = await send(engine, id="once")
    head = engine.head

    assert await send(engine, id="once") == first
    assert await send(engine, id="once", payload=None, name="other") == first
    assert engine.head == head
    other = await environment(engine, "stg")
    assert (await send(other, id="once"))["runs"] == []


async def test_an_event_without_an_id_gets_one_and_a_repeated_request_the_same(engine: Engine) -> None:
    await engine.register(GREET)
    body = {"name": "user.created"}
    one, other = await engine.post(EVENTS, body), await engine.post(EVENTS, body)
    key = {"x-trigger-request-idempotency-key": "request"}
    again = [await engine.post(EVENTS, body, **key) for _ in range(2)]

    assert len({each["id"] for each in (one, other, *again)}) == 3
    assert again[0] == again[1]
    assert one["id"].startswith("evt_")
    assert "payload" not in one
    assert (one["source"], one["timestamp"]) == ("api", START)


async def test_the_envelope_of_the_version_before_is_understood(engine: Engine) -> None:
    await engine.register(GREET)
    event = {"id": "late", "name": "user.created", "payload": PAYLOAD}
    told = await engine.post(EVENTS, {"event": event, "options": {"deliverAfter": 3_600}})

    assert (told["status"], told["deliverAt"], told["runs"]) == ("PENDING", "2027-01-15T09:00:00.000Z", [])
    await engine.advance(HOUR_MS)
    delivered = await _delivered(engine, "late")
    assert (delivered["deliveredAt"], len(delivered["runs"])) == ("2027-01-15T09:00:00.000Z", 1)


async def test_a_large_event_for_later_is_delivered_whole_and_shared(engine: Engine) -> None:
    await engine.register(GREET, BILL, NUDGE)
    payload = PAYLOAD | {"text": "x" * 100_000}
    await send(engine, id="large", payload=payload, options={"deliverAt": "2027-01-15T09:00:00Z"})
    await engine.advance(HOUR_MS)
    told = await _delivered(engine, "large")

    assert [run["taskIdentifier"] for run in told["runs"]] == ["bill", "greet"]
    for run in told["runs"]:
        assert (await engine.retrieve(run["id"]))["payload"] == payload
    refs = {
        each["data"]["payload_blob"]["key"]
        for run in told["runs"]
        for each in (await engine.get(f"/api/v1/runs/{run['id']}/events"))["events"][:1]
    }
    assert len(refs) == 1


async def test_a_canceled_event_starts_nothing(engine: Engine) -> None:
    await engine.register(GREET)
    await send(engine, id="a/b c", options={"deliverAfter": "1h"})
    canceled = await engine.post(f"{EVENTS}/a%2Fb%20c/cancel")
    assert await engine.post(f"{EVENTS}/a%2Fb%20c/cancel") == canceled
    await engine.advance(2 * HOUR_MS)

    assert (canceled["status"], canceled["cancelledAt"]) == ("CANCELED", START)
    assert await engine.get(f"{EVENTS}/a%2Fb%20c") == canceled
    assert await engine.listed() == []


async def test_what_was_delivered_is_not_canceled(engine: Engine) -> None:
    await send(engine, id="done")

    said = await engine.refused("POST", f"{EVENTS}/done/cancel", 400)
    assert said == "The event was delivered already: cancel the runs that it has started."
    assert await engine.refused("POST", f"{EVENTS}/none/cancel", 404) == "Event none not found."
    assert await engine.refused("GET", f"{EVENTS}/none", 404) == "Event none not found."


async def test_many_events_are_sent_at_once_or_none(engine: Engine) -> None:
    await engine.register(GREET, BILL)
    events = [{"name": "user.created", "id": "one", "payload": PAYLOAD}, {"name": "user.created", "id": "two"}]
    told = await engine.post(f"{EVENTS}/bulk", {"events": [*events, events[0]]})

    assert [(each["id"], len(each["runs"])) for each in told["events"]] == [("one", 2), ("two", 1), ("one", 2)]
    wrong = {"events": [{"name": "a", "id": "new"}, {"payload": 1}]}
    said = await engine.refused("POST", f"{EVENTS}/bulk", 422, json=wrong)
    assert said == "Event 1: An event has a name: tasks and jobs are subscribed to names."
    await engine.refused("POST", f"{EVENTS}/bulk", 422, json={"events": []})


async def test_a_replay_knows_the_event(engine: Engine) -> None:
    await engine.register(GREET)
    (run,) = (await send(engine, id="u1"))["runs"]
    again = (await engine.post(f"/api/v1/runs/{run['id']}/replay"))["id"]

    first, second = [await engine.retrieve(each) for each in (run["id"], again)]
    assert second["event"] == first["event"]
    assert (second["source"], second["payload"]) == ("replay", PAYLOAD)
    assert len((await engine.get(f"{EVENTS}/u1"))["runs"]) == 1


async def test_a_payload_that_does_not_fit_the_schema_of_a_task_ends_its_run(engine: Engine) -> None:
    schema = {"type": "object", "required": ["email"]}
    await engine.register(GREET | {"payloadSchema": schema}, BILL)
    bill, greet = (run["id"] for run in (await send(engine))["runs"])

    assert (await _when(engine, f"/api/v3/runs/{greet}", "INVALID_PAYLOAD"))["event"]["name"] == "user.created"
    assert (await engine.retrieve(bill))["status"] == "QUEUED"


async def test_what_is_no_event_is_refused(engine: Engine) -> None:
    for body, sentence in NO_EVENTS:
        assert sentence in await engine.refused("POST", EVENTS, 422, json=body)


async def test_a_wrong_subscription_is_refused_at_registration(engine: Engine) -> None:
    for event, sentence in WRONG_SUBSCRIPTIONS:
        tasks = {"tasks": [{"id": "greet", "event": event}]}
        assert await engine.refused("POST", "/worker/v1/register", 422, json=tasks) == sentence


async def _delivered(engine: Engine, event: str) -> Any:
    """The event, once the service has brought its payload to the engine."""
    return await _when(engine, f"{EVENTS}/{event}", "DELIVERED")


async def _when(engine: Engine, path: str, status: str) -> Any:
    """What is at the path, once it has this status."""
    while True:
        head = engine.head
        told = await engine.get(path)
        if told["status"] == status:
            return told
        await engine.service.loop.feed.grown(head)
