"""Schedules over HTTP: the shapes of Trigger.dev's management API, and the rest that can be said of them."""

from typing import Any

import pytest

from tests.app.harness import START, Engine, environment
from tests.shown import shows_option

SCHEDULES = "/api/v1/schedules"
HOUR = 3_600_000
NINE = {"task": "greet", "cron": "0 9 * * 1-5", "timezone": "Europe/Berlin", "deduplicationKey": "mine"}


async def create(engine: Engine, **said: Any) -> Any:
    return await engine.post(SCHEDULES, {"task": "greet", **said})


async def fates(engine: Engine, schedule: str, **span: str) -> list[str | None]:
    found = await engine.get(f"{SCHEDULES}/{schedule}/ticks", **span)
    assert found["problems"] == []
    return [each.get("fate") for each in found["ticks"]]


async def test_a_schedule_is_shown_as_the_official_client_wants_it(engine: Engine) -> None:
    made = await engine.post(SCHEDULES, NINE | {"externalId": "user_1"})

    assert made == {
        "id": made["id"],
        "type": "IMPERATIVE",
        "task": "greet",
        "active": True,
        "deduplicationKey": "mine",
        "externalId": "user_1",
        "generator": {
            "type": "CRON",
            "expression": "0 9 * * 1-5",
            "description": "At 09:00 on Monday through Friday",
        },
        "timezone": "Europe/Berlin",
        "nextRun": "2027-01-18T08:00:00.000Z",
        "nextRunEffectiveAt": "2027-01-18T08:00:00.000Z",
        "environments": [{"id": made["environments"][0]["id"], "type": "DEVELOPMENT"}],
        "cron": "0 9 * * 1-5",
        "dstGap": "run_after",
        "dstFold": "first",
        "overlap": "allow",
        "catchUp": "latest",
        "catchUpMax": 100,
        "revision": 1,
        "createdAt": START,
        "updatedAt": START,
    }
    assert made["id"].startswith("sched_")
    assert await engine.get(f"{SCHEDULES}/{made['id']}") == made


async def test_all_that_can_be_said_is_kept_and_shown(engine: Engine) -> None:
    options = {"queue": {"name": "emails"}, "tags": ["daily"], "maxAttempts": 2, "ttl": "60s", "priority": 5}
    said = {
        "every": 15,
        "everyFrom": "creation",
        "startAt": "2027-01-16T00:00:00.000Z",
        "endAt": "2027-02-16T00:00:00.000Z",
        "jitter": "30s",
        "overlap": "buffer_one",
        "catchUp": "all",
        "catchUpWindow": "7200s",
        "catchUpMax": 7,
        "payload": {"to": ["ada"]},
        "options": options,
    }
    made = await create(engine, **said)

    assert {name: made[name] for name in said} == said
    assert made["generator"] == {"type": "CRON", "expression": "@every 15m", "description": "Every 15 minutes"}
    assert made["nextRunEffectiveAt"] >= made["nextRun"] == "2027-01-16T00:00:00.000Z"


async def test_the_same_key_is_the_same_schedule(engine: Engine) -> None:
    made, head = await engine.post(SCHEDULES, NINE), engine.head
    assert (await engine.post(SCHEDULES, NINE), engine.head) == (made, head)
    changed = await engine.post(SCHEDULES, NINE | {"cron": "0 10 * * *"})

    assert (changed["id"], changed["revision"], changed["cron"]) == (made["id"], 2, "0 10 * * *")
    assert (await engine.get(SCHEDULES))["pagination"]["count"] == 1
    assert (await create(engine, every=5))["id"] != (await create(engine, every=5))["id"]


async def test_the_same_request_sent_again_makes_no_second_schedule(engine: Engine) -> None:
    headers = {"x-trigger-request-idempotency-key": "a1b2"}
    first = await engine.post(SCHEDULES, {"task": "greet", "every": 5}, **headers)

    assert await engine.post(SCHEDULES, {"task": "greet", "every": 5}, **headers) == first
    assert (await engine.get(SCHEDULES))["pagination"]["count"] == 1


async def test_an_update_replaces_all_values(engine: Engine) -> None:
    made = await engine.post(SCHEDULES, NINE | {"externalId": "user_1"})
    after = await engine.put(f"{SCHEDULES}/{made['id']}", {"task": "greet", "every": 60, "everyFrom": "creation"})

    assert (after["every"], after["everyFrom"], after["nextRun"]) == (60, "creation", "2027-01-15T09:00:00.000Z")
    assert (after["deduplicationKey"], "externalId" in after, "cron" in after) == ("mine", False, False)


async def test_a_schedule_fires_and_its_run_says_so(engine: Engine) -> None:
    version = await engine.register()
    made = await create(engine, every=60, externalId="user_1")
    await engine.advance(HOUR)
    (run,) = await engine.listed()
    (handed,) = (await engine.turn(version))["runs"]

    found = await engine.retrieve(run)
    assert found["source"] == "schedule"
    assert found["schedule"] == {
        "id": made["id"],
        "externalId": "user_1",
        "generator": made["generator"],
        "timestamp": "2027-01-15T09:00:00.000Z",
    }
    await engine.delete(f"{SCHEDULES}/{made['id']}")
    assert (await engine.retrieve(run))["schedule"] == {
        "id": made["id"],
        "generator": {"type": "CRON", "expression": "", "description": "A schedule that was deleted"},
        "timestamp": "2027-01-15T09:00:00.000Z",
    }
    assert handed["payload"]["timestamp"] == "2027-01-15T09:00:00.000Z"
    assert len(handed["payload"]["upcoming"]) == 10
    assert handed["schedule"] == {"id": made["id"], "timestamp": 1_800_000_000_000 + HOUR}


async def test_a_paused_schedule_fires_nothing_and_tells_no_next_run(engine: Engine) -> None:
    made = await create(engine, every=60)
    path = f"{SCHEDULES}/{made['id']}"
    paused = await engine.post(f"{path}/deactivate")
    await engine.advance(3 * HOUR)
    assert (paused["active"], "nextRun" in paused, await engine.listed()) == (False, False, [])
    again = await engine.post(f"{path}/activate")

    assert (again["active"], again["nextRun"]) == (True, "2027-01-15T12:00:00.000Z")
    assert await fates(engine, made["id"]) == ["PAUSED"] * 3


async def test_a_deleted_schedule_is_not_found_and_its_key_is_free(engine: Engine) -> None:
    made = await engine.post(SCHEDULES, NINE)
    path = f"{SCHEDULES}/{made['id']}"
    assert await engine.delete(path) == {"id": made["id"]}

    for method, target in (
        ("GET", path),
        ("PUT", path),
        ("DELETE", path),
        ("POST", f"{path}/activate"),
        ("POST", f"{path}/deactivate"),
    ):
        body = {"json": NINE} if method == "PUT" else {}
        assert await engine.refused(method, target, 404, **body) == f"Schedule {made['id']} not found."
    assert (await engine.post(SCHEDULES, NINE))["id"] != made["id"]
    assert (await engine.get(SCHEDULES))["pagination"]["count"] == 1


async def test_lists_are_paged_by_numbers_newest_first(engine: Engine) -> None:
    made = [(await create(engine, every=n + 1))["id"] for n in range(5)]

    async def page(number: int) -> tuple[list[str], dict[str, int]]:
        found = await engine.get(SCHEDULES, page=number, perPage=2)
        return [each["id"] for each in found["data"]], found["pagination"]

    newest = made[::-1]
    assert await page(1) == (newest[:2], {"currentPage": 1, "totalPages": 3, "count": 5})
    assert await page(3) == (newest[4:], {"currentPage": 3, "totalPages": 3, "count": 5})
    assert await page(9) == ([], {"currentPage": 9, "totalPages": 3, "count": 5})


async def test_time_zones_need_no_key(engine: Engine) -> None:
    response = await engine.client.get("/api/v1/timezones", headers={"authorization": ""})
    names = response.json()["timezones"]

    assert response.status_code == 200
    assert {"UTC", "Europe/Berlin"} <= set(names)
    assert "UTC" not in (await engine.get("/api/v1/timezones", excludeUtc="true"))["timezones"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "A schedule has one of cron, every and at; this one has none."),
        ({"cron": "* * * * *", "every": 5}, "A schedule has one of cron, every and at; this one has cron and every."),
        ({"cron": "61 * * * *"}, '61 is no minute ("61 * * * *").'),
        ({"cron": "30 2 30 2 *"}, '"30 2 30 2 *" names a date that never comes.'),
        (
            {"cron": "0 * * * * *"},
            'A cron expression has five fields (minute, hour, day of month, month, day of week): "0 * * * * *" has 6.',
        ),
        (
            {"cron": "0 * * * *", "timezone": "Mars"},
            "There is no time zone 'Mars': name one such as Europe/Berlin, or UTC.",
        ),
        (
            {"every": 5, "timezone": "Europe/Berlin"},
            "timezone, dstGap and dstFold are for cron: every and at name moments that no zone moves.",
        ),
        ({"at": "2030-01-01", "everyFrom": "epoch"}, "everyFrom is for every."),
        ({"every": 1_441}, "A schedule runs every 1 to 1440 minutes, not 1441."),
        (
            {"at": "2020-01-01"},
            "A schedule for one moment needs one that is to come; 2020-01-01T00:00:00 UTC has passed.",
        ),
        ({"every": 5, "catchUpMax": 0}, "catchUpMax is 1 to 100, not 0."),
        ({"every": 5, "catchUpWindow": "8d"}, "catchUpWindow is at most seven days."),
        ({"every": 5, "options": {"delay": "5s"}}, "A schedule has no use for the option delay."),
        ({"every": 5, "options": {"idempotencyKey": "a"}}, "A schedule has no use for the option idempotencyKey."),
        ({"every": 5, "options": {"tags": [""]}}, "A tag has 1 to 128 characters."),
        ({"every": 5, "payload": "x" * 32_767}, "The payload of a schedule has at most 32768 bytes, not 32769."),
        ({"every": 5, "externalId": ""}, "externalId has 1 to 512 characters; this one has 0."),
        ({"every": 5, "deduplicationKey": ""}, "deduplicationKey has 1 to 512 characters; this one has 0."),
        ({"every": 5, "task": ""}, "A task id has 1 to 128 printable characters."),
    ],
)
async def test_what_cannot_be_followed_is_refused(engine: Engine, said: dict[str, Any], sentence: str) -> None:
    body = {"task": "greet"} | said

    assert await engine.refused("POST", SCHEDULES, 422, json=body) == sentence


async def test_bodies_of_another_shape_are_refused(engine: Engine) -> None:
    for said in ({"every": "5"}, {"every": 5, "overlap": "maybe"}, {"every": 5, "catchUp": 1}):
        sentence = await engine.refused("POST", SCHEDULES, 400, json={"task": "greet"} | said)
        assert sentence.startswith("The body is not of the right shape: ")


async def test_another_environment_sees_nothing_of_a_schedule(engine: Engine) -> None:
    made = await create(engine, every=60)
    other = await environment(engine, "stg")
    path = f"{SCHEDULES}/{made['id']}"

    for method, target in (("GET", path), ("GET", f"{path}/ticks"), ("POST", f"{path}/activate"), ("DELETE", path)):
        assert await other.refused(method, target, 404) == f"Schedule {made['id']} not found."
    body = {"from": "2027-01-15", "to": "2027-01-16"}
    await other.refused("POST", f"{path}/backfill", 404, json=body)
    await other.refused("POST", f"{path}/run-now", 404)
    assert (await other.get(SCHEDULES))["data"] == []


async def test_the_ticks_tell_what_became_of_each_and_a_backfill_fires_those_without_a_run(engine: Engine) -> None:
    made = await create(engine, every=60)
    path = f"{SCHEDULES}/{made['id']}"
    await engine.advance(HOUR)
    await engine.post(f"{path}/deactivate")
    await engine.advance(2 * HOUR)
    await engine.post(f"{path}/activate")
    await engine.advance(HOUR)
    assert await fates(engine, made["id"]) == ["FIRED", "PAUSED", "PAUSED", "FIRED"]

    span = {"from": "2027-01-15T00:00:00Z", "to": "2027-01-15T23:00:00Z"}
    filled = (await engine.post(f"{path}/backfill", span))["runs"]
    head = engine.head
    assert (await engine.post(f"{path}/backfill", span))["runs"] == []

    assert engine.head == head
    assert [each["timestamp"][11:16] for each in filled] == ["10:00", "11:00"]
    assert await fates(engine, made["id"]) == ["FIRED", "BACKFILLED", "BACKFILLED", "FIRED"]
    assert await fates(engine, made["id"], **{"from": START, "to": "2027-01-15T09:00:00Z"}) == ["FIRED"]
    assert {each["id"] for each in filled} < set(await engine.listed())


async def test_a_schedule_is_run_now_beside_its_ticks(engine: Engine) -> None:
    await engine.register()
    made = await create(engine, cron="0 * * * *", timezone="Europe/Berlin", externalId="user_1", overlap="skip")
    path = f"{SCHEDULES}/{made['id']}"
    await engine.advance(HOUR)
    await engine.advance(60_000)
    before = await engine.get(path)
    run = (await engine.post(f"{path}/run-now"))["id"]

    assert await engine.get(path) == before
    told = await engine.retrieve(run)
    assert (told["status"], told["source"], told["schedule"]["id"]) == ("QUEUED", "manual", made["id"])
    assert told["schedule"]["timestamp"] == told["payload"]["timestamp"] == "2027-01-15T09:01:00.000Z"
    upcoming = told["payload"].pop("upcoming")
    assert (len(upcoming), upcoming[0]) == (10, "2027-01-15T10:00:00.000Z")
    assert told["payload"] == {
        "type": "IMPERATIVE",
        "timestamp": "2027-01-15T09:01:00.000Z",
        "lastTimestamp": "2027-01-15T09:00:00.000Z",
        "timezone": "Europe/Berlin",
        "scheduleId": made["id"],
        "externalId": "user_1",
    }
    assert (await engine.listed(**{"filter[schedule]": made["id"]}))[0] == run
    assert (await engine.get(f"{path}/ticks"))["ticks"][-1] == {
        "timestamp": "2027-01-15T09:01:00.000Z",
        "dueAt": "2027-01-15T09:01:00.000Z",
        "local": "2027-01-15T09:01:00",
        "timezone": "UTC",
        "revision": 1,
        "fate": "MANUAL",
        "run": run,
    }
    events = (await engine.get("/api/v1/ledger/events", limit=1_000))["events"]
    (ran,) = [each for each in events if each["type"] == "ScheduleRunByHand"]
    assert (ran["actor"], ran["cause"]) == (events[-1]["actor"], f"POST {path}/run-now")
    assert ran["actor"].startswith("key:")


async def test_a_paused_schedule_is_run_now_and_a_deleted_one_is_not(engine: Engine) -> None:
    made = await create(engine, every=60)
    path = f"{SCHEDULES}/{made['id']}"
    await engine.post(f"{path}/deactivate")
    run = (await engine.post(f"{path}/run-now"))["id"]

    assert await engine.listed() == [run]
    assert await fates(engine, made["id"]) == ["MANUAL"]
    await engine.delete(path)
    assert await engine.refused("POST", f"{path}/run-now", 404) == f"Schedule {made['id']} not found."


async def test_the_same_request_again_makes_no_second_run(engine: Engine) -> None:
    made = await create(engine, every=60)
    path = f"{SCHEDULES}/{made['id']}/run-now"
    sent = {"x-trigger-request-idempotency-key": "request-1"}
    first = await engine.post(path, **sent)
    head = engine.head
    again = await engine.post(path, **sent)
    unchanged = engine.head
    another = await create(engine, every=30)
    others = [await engine.post(path), await engine.post(f"{SCHEDULES}/{another['id']}/run-now", **sent)]

    assert (again, unchanged) == (first, head)
    assert len({first["id"], *(each["id"] for each in others)}) == 3


async def test_a_tick_comes_to_its_run_whatever_runs_by_hand(engine: Engine) -> None:
    made = await create(engine, every=1, overlap="skip")
    path = f"{SCHEDULES}/{made['id']}"
    await engine.post(f"{path}/run-now")
    await engine.advance(60_000)
    await engine.post(f"{path}/run-now")
    position = engine.head
    await engine.advance(60_000)

    assert await fates(engine, made["id"]) == ["MANUAL", "FIRED", "MANUAL", "OVERLAP"]
    assert await fates(engine, made["id"], asOf=str(position)) == ["MANUAL", "FIRED", "MANUAL"]


async def test_a_change_ends_what_was_planned_before(engine: Engine) -> None:
    made = await create(engine, every=60)
    await engine.advance(HOUR)
    await engine.put(f"{SCHEDULES}/{made['id']}", {"task": "greet", "every": 30})
    await engine.advance(HOUR)
    found = await engine.get(f"{SCHEDULES}/{made['id']}/ticks")

    assert found["problems"] == []
    assert [(each["local"][11:16], each["revision"], each["fate"]) for each in found["ticks"]] == [
        ("09:00", 1, "FIRED"),
        ("09:30", 2, "FIRED"),
        ("10:00", 2, "FIRED"),
    ]


async def test_wrong_spans_are_refused(engine: Engine) -> None:
    made = await create(engine, every=1)
    path = f"{SCHEDULES}/{made['id']}"

    await engine.refused("GET", f"{path}/ticks", 400, params={"from": "yesterday"})
    await engine.refused("GET", f"{path}/ticks", 422, params={"from": "2027-01-16", "to": "2027-01-15"})
    await engine.refused("POST", f"{path}/backfill", 422, json={"from": "soon", "to": "2027-01-15"})


@shows_option("task.schedule.cron", "task.schedule.timezone", "task.schedule.dstGap", "task.schedule.dstFold")
async def test_a_task_declares_its_schedule_and_takes_it_back(engine: Engine) -> None:
    said = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "dstGap": "skip", "dstFold": "both"}
    await engine.register({"id": "greet", "schedule": said})
    (made,) = (await engine.get(SCHEDULES))["data"]

    assert {name: made[name] for name in said} == said
    assert (made["type"], made["task"]) == ("DECLARATIVE", "greet")
    for method, target in (("PUT", ""), ("DELETE", "")):
        body = {"json": NINE} if method == "PUT" else {}
        sentence = await engine.refused(method, f"{SCHEDULES}/{made['id']}{target}", 422, **body)
        assert sentence == f"Schedule {made['id']} is declared by the code of its task: change it there."
    await engine.register({"id": "greet"})
    assert (await engine.get(SCHEDULES))["data"] == []


@shows_option(
    "task.schedule.every",
    "task.schedule.jitter",
    "task.schedule.overlap",
    "task.schedule.catchUp",
    "task.schedule.catchUpWindow",
    "task.schedule.catchUpMax",
)
async def test_a_task_declares_how_its_schedule_goes_on(engine: Engine) -> None:
    said = {"every": 60, "jitter": 5_000, "overlap": "skip", "catchUp": "all", "catchUpWindow": 60_000, "catchUpMax": 3}
    await engine.register({"id": "greet", "ttl": 0, "schedule": said})
    (made,) = (await engine.get(SCHEDULES))["data"]
    await engine.advance(2 * HOUR + 5_000)

    assert (made["every"], made["jitter"], made["catchUpWindow"], made["catchUpMax"]) == (60, "5s", "60s", 3)
    assert await fates(engine, made["id"]) == ["FIRED", "OVERLAP"]


async def test_a_version_with_a_wrong_schedule_is_refused(engine: Engine) -> None:
    body = {"tasks": [{"id": "greet", "schedule": {"cron": "* * *"}}]}

    sentence = await engine.refused("POST", "/worker/v1/register", 422, json=body)
    assert sentence.endswith('"* * *" has 3.')


async def test_the_runs_of_a_schedule_are_listed(engine: Engine) -> None:
    made, other = await create(engine, every=60), await create(engine, every=60)
    await engine.trigger("greet")
    await engine.advance(2 * HOUR)

    of_made, of_other = [await engine.listed(**{"filter[schedule]": each["id"]}) for each in (made, other)]
    assert (len(of_made), len(of_other), set(of_made) & set(of_other)) == (2, 2, set())
    assert [(await engine.retrieve(run))["schedule"]["id"] for run in of_made] == [made["id"]] * 2
    assert await engine.listed(**{"filter[schedule]": made["id"], "filter[status]": "COMPLETED"}) == []
    assert await engine.listed(**{"filter[schedule]": "sched_0"}) == []
