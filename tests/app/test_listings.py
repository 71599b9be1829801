"""Lists of named events and of batches over HTTP: filters, pages, and what is refused."""

from typing import Any

from tests.app.harness import START, Engine, environment

EVENTS, BATCHES = "/api/v1/events", "/api/v1/batches"
LATER = "2027-01-15T09:00:00.000Z"


async def send(engine: Engine, event: str, name: str = "user.created", **options: Any) -> None:
    await engine.post(EVENTS, {"name": name, "id": event, "options": options})


async def ids(engine: Engine, path: str = EVENTS, **parameters: Any) -> list[str]:
    return [each["id"] for each in (await engine.get(path, **parameters))["data"]]


async def batch(engine: Engine, count: int) -> str:
    items = {"items": [{"task": "greet"} for _ in range(count)]}
    made = (await engine.client.post("/api/v1/tasks/batch", json=items)).json()
    return str(made["id"])


async def test_events_are_listed_newest_first_and_found_by_name_and_time(engine: Engine) -> None:
    await send(engine, "one")
    await send(engine, "two", "order.paid", deliverAfter=3_600)
    await engine.advance(1_000)
    await send(engine, "three")
    assert await ids(await environment(engine, "stg")) == []

    (*_, two, _) = (await engine.get(EVENTS))["data"]
    assert two == {
        "id": "two",
        "name": "order.paid",
        "status": "PENDING",
        "timestamp": START,
        "source": "api",
        "createdAt": START,
        "deliverAt": LATER,
    }
    assert await ids(engine) == ["three", "two", "one"]
    assert await ids(engine, **{"filter[name]": "user.created"}) == ["three", "one"]
    assert await ids(engine, **{"filter[createdAt][to]": START}) == ["two", "one"]
    assert await ids(engine, **{"filter[createdAt][from]": "2027-01-15T08:00:01Z"}) == ["three"]


async def test_what_is_not_delivered_is_found(engine: Engine) -> None:
    await send(engine, "now")
    await send(engine, "later", deliverAfter=3_600)
    await send(engine, "never", deliverAfter=3_600)
    await engine.post(f"{EVENTS}/never/cancel")

    assert await ids(engine, **{"filter[undelivered]": "true"}) == ["later"]
    assert await ids(engine, **{"filter[undelivered]": "false"}) == ["never", "now"]
    assert await ids(engine, **{"filter[status]": "DELIVERED"}) == ["now"]
    (canceled,) = (await engine.get(EVENTS, **{"filter[status]": "CANCELED"}))["data"]
    assert (canceled["cancelledAt"], canceled.get("deliveredAt")) == (START, None)


async def test_pages_of_events_go_both_ways(engine: Engine) -> None:
    for number in range(5):
        await send(engine, str(number))
    first = await engine.get(EVENTS, **{"page[size]": 2})
    second = await engine.get(EVENTS, **{"page[size]": 2, "page[after]": first["pagination"]["next"]})
    back = await engine.get(EVENTS, **{"page[size]": 2, "page[before]": second["pagination"]["previous"]})

    assert [[each["id"] for each in page["data"]] for page in (first, second, back)] == [
        ["4", "3"],
        ["2", "1"],
        ["4", "3"],
    ]
    assert "previous" not in first["pagination"]


async def test_batches_are_listed_with_how_far_they_are(engine: Engine) -> None:
    whole = await batch(engine, 2)
    open_ = (await engine.client.post("/api/v3/batches", json={"runCount": 3})).json()["id"]
    over = await batch(engine, 1)
    (run,) = (await engine.get(f"/api/v2/batches/{over}"))["runs"]
    await engine.post(f"/api/v2/runs/{run}/cancel")

    told = (await engine.get(BATCHES))["data"]
    assert [(each["id"], each["status"], each["runCount"]) for each in told] == [
        (over, "COMPLETED", 1),
        (open_, "PENDING", 3),
        (whole, "PROCESSING", 2),
    ]
    assert told[0] == {"id": over, "status": "COMPLETED", "runCount": 1, "createdAt": START, "updatedAt": START}
    assert await ids(engine, BATCHES, **{"filter[status]": "PENDING,PROCESSING"}) == [open_, whole]
    cursor = (await engine.get(BATCHES, **{"page[size]": 1}))["pagination"]["next"]
    assert await ids(engine, BATCHES, **{"page[after]": cursor}) == [open_, whole]


async def test_a_filter_or_a_cursor_that_there_is_none_of_is_refused(engine: Engine) -> None:
    await send(engine, "one")
    await send(engine, "two")
    of_events = (await engine.get(EVENTS, **{"page[size]": 1}))["pagination"]["next"]
    wrong = {
        f"{EVENTS}?filter[status]=OPEN": "There is no status 'OPEN' of an event; there are PENDING, DELIVERED",
        f"{EVENTS}?filter[undelivered]=yes": "filter[undelivered] is true or false, not 'yes'.",
        f"{EVENTS}?filter[undelivered]=true&filter[status]=PENDING": "not by both.",
        f"{EVENTS}?filter[task]=a": "There is no filter or page parameter 'filter[task]'",
        f"{BATCHES}?filter[status]=DELIVERED": "There is no status 'DELIVERED' of a batch",
        f"{BATCHES}?page[after]={of_events}": "This cursor was not given out by a list.",
    }

    for path, sentence in wrong.items():
        assert sentence in await engine.refused("GET", path, 400)
