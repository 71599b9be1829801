"""A run as it was: what was answered at any moment is answered again when that moment is asked for."""

from typing import Any

import pytest

from app.history import past, walking
from domain.durations import iso
from domain.status import Status
from tests.app.harness import RETRY, Engine, environment, report
from tests.app.statuses import ERROR
from tests.app.waiting import entry
from tests.shown import shows

STEP_MS = 1_234


class Watch:
    """Writes down what is answered for a run, and where in the ledger and when that was."""

    def __init__(self, engine: Engine, run: str) -> None:
        self.engine = engine
        self.run = run
        self.seen: list[tuple[int, int, Any]] = []

    async def look(self) -> None:
        answer = await self.engine.retrieve(self.run)
        self.seen.append((self.engine.head, self.engine.clock.wall, answer))
        await self.engine.advance(STEP_MS)


async def _live_through_a_whole_life(engine: Engine) -> Watch:
    version = await engine.register({"id": "greet", "retry": RETRY})
    await engine.advance(STEP_MS)
    watch = Watch(engine, await engine.trigger(payload={"n": 1}, delay="10s", ttl="1h", tags=["x"], metadata={"m": 1}))
    await watch.look()
    await engine.post(f"/api/v1/runs/{watch.run}/reschedule", {"delay": "20s"})
    await watch.look()
    await engine.advance(20_000)
    await watch.look()
    await engine.turn(version)
    await watch.look()
    token = (await engine.get(f"/api/v1/runs/{watch.run}/events"))["events"][-1]["data"]["token"]
    said = {"run": watch.run, "token": token, "at": engine.clock.wall}
    await engine.turn(version, said | {"kind": "started"}, want=0)
    await watch.look()
    await engine.turn(version, said | {"kind": "failed", "error": ERROR, "at": engine.clock.wall}, want=0)
    await watch.look()
    await engine.advance(5_000)
    await watch.look()
    await engine.perform(version, output={"big": "x" * 40_000})
    await watch.look()
    return watch


async def test_what_it_did_and_came_to_is_told_as_it_was(engine: Engine) -> None:
    version, unborn = await engine.register(), engine.head
    run = await engine.trigger(metadata={"step": 1})
    child = await engine.trigger(delay="1h", parentRunId=run)
    path = f"/api/v1/runs/{run}"
    handed = await engine.take(version)
    await engine.turn(version, report(handed, "triggered", entry=entry(0, "ship"), runs=[child]), want=0)
    paths = [f"{path}/{each}" for each in ("events", "metadata", "trace", f"spans/{run}")]
    before, wall, position = [await engine.get(each) for each in paths], engine.clock.wall, engine.head
    await engine.advance(STEP_MS)
    await engine.put(f"{path}/metadata", {"metadata": {"step": 2}})
    await engine.post(f"/api/v2/runs/{child}/cancel")
    await engine.turn(version, report(handed, "succeeded", output=7), want=0)

    assert (await engine.get(f"{path}/result", asOf=engine.head))["output"] == "7"
    for moment in (wall, position):
        assert [await engine.get(each, asOf=moment) for each in paths] == before
        said = await engine.refused("GET", f"{path}/result?asOf={moment}", 404)
        assert said == f"Run {run} was not finished: it was EXECUTING."
    for each in (*paths, f"{path}/result"):
        assert await engine.get(each) not in before
        assert await engine.refused("GET", f"{each}?asOf={unborn}", 404) == f"Run {run} did not exist yet."
    assert (await engine.get(paths[2], asOf=wall + 200))["trace"]["rootSpan"]["data"]["duration"] == 200


@shows(Status.DELAYED, Status.QUEUED, Status.DEQUEUED, Status.EXECUTING, Status.REATTEMPTING, Status.COMPLETED)
async def test_by_position_it_is_what_was_answered_then(engine: Engine) -> None:
    watch = await _live_through_a_whole_life(engine)

    again = [await engine.retrieve(watch.run, asOf=position) for position, _, _ in watch.seen]

    assert again == [answer for _, _, answer in watch.seen]
    assert [answer["status"] for answer in again] == [
        *("DELAYED", "DELAYED", "QUEUED", "DEQUEUED", "EXECUTING", "REATTEMPTING", "QUEUED", "COMPLETED")
    ]


async def test_by_date_it_is_what_was_answered_then(engine: Engine) -> None:
    watch = await _live_through_a_whole_life(engine)

    at_once = [await engine.retrieve(watch.run, asOf=iso(moment)) for _, moment, _ in watch.seen]
    later = [await engine.retrieve(watch.run, asOf=iso(moment + STEP_MS - 1)) for _, moment, _ in watch.seen]

    assert at_once == later == [answer for _, _, answer in watch.seen]


async def test_positions_of_other_runs_lie_between(engine: Engine) -> None:
    run = await engine.trigger()
    before, position = await engine.retrieve(run), engine.head
    await engine.trigger()
    await engine.post(f"/api/v2/runs/{run}/cancel")

    assert await engine.retrieve(run, asOf=position + 1) == before
    assert (await engine.retrieve(run, asOf=position + 2))["status"] == "CANCELED"
    assert (await engine.retrieve(run, asOf=10**17))["status"] == "CANCELED"


@pytest.mark.parametrize("as_of", ["0", "3", "2027-01-15T07:59:59.999Z", "2000-01-01"])
async def test_before_its_trigger_there_was_no_run(engine: Engine, as_of: str) -> None:
    assert engine.head == 4, "the writer, the environment, its key and its tasks come first"
    run = await engine.trigger()

    sentence = await engine.refused("GET", f"/api/v3/runs/{run}?asOf={as_of}", 404)

    assert sentence == f"Run {run} did not exist yet."


@pytest.mark.parametrize("as_of", ["", "then", "-1", "1.5", "9" * 19, "1e9", "2027-13-01", "\uff11"])
async def test_another_moment_there_is_not(engine: Engine, as_of: str) -> None:
    run = await engine.trigger()

    sentence = await engine.refused("GET", f"/api/v3/runs/{run}", 400, params={"asOf": as_of})

    assert sentence == f"asOf is a position of the ledger or an ISO 8601 date, not {as_of!r}."


async def test_a_page_that_is_given_up_says_where_to_go_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "LOOKED_MAX", 4)
    rare = await engine.trigger(tags=["rare"])
    for _ in range(20):
        await engine.trigger()
    position = engine.head
    await engine.post(f"/api/v1/runs/{rare}/tags", {"tags": ["other"]})
    query: dict[str, Any] = {"filter[tag]": "rare", "asOf": position, "page[size]": 2}

    pages = [await engine.get("/api/v1/runs", **query)]
    while cursor := pages[-1]["pagination"].get("next"):
        pages.append(await engine.get("/api/v1/runs", **query, **{"page[after]": cursor}))

    assert len(pages) == 3
    assert [run["id"] for page in pages for run in page["data"]] == [rare]


async def test_milliseconds_are_a_moment_too(engine: Engine) -> None:
    run = await engine.trigger()
    before, moment = await engine.retrieve(run), engine.clock.wall
    await engine.advance(STEP_MS)
    await engine.post(f"/api/v2/runs/{run}/cancel")

    assert await engine.retrieve(run, asOf=moment) == before
    assert [each["status"] for each in (await engine.get("/api/v1/runs", asOf=moment))["data"]] == ["QUEUED"]
    assert await engine.listed(asOf=moment - 1) == []


async def test_relatives_are_those_of_the_moment(engine: Engine) -> None:
    parent = await engine.trigger()
    child = await engine.trigger(parentRunId=parent)
    before, position = await engine.retrieve(child), engine.head
    await engine.post(f"/api/v2/runs/{parent}/cancel")

    assert await engine.retrieve(child, asOf=position) == before
    assert before["relatedRuns"]["parent"]["status"] == "QUEUED"


async def test_so_many_unfinished_runs_are_not_counted_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "UNFINISHED_MAX", 2)
    run, *_ = [await engine.trigger() for _ in range(3)]

    sentence = await engine.refused("GET", f"/api/v1/queues?asOf={engine.head}", 422)

    assert sentence == (
        f"At event {engine.head} more than 2 runs of this environment were not over: too many to count again. Ask about"
        " single runs, or for a page of their list."
    )
    assert await engine.refused("GET", f"/api/v1/runs/{run}/explain?asOf={engine.head}", 422) == sentence
    assert len((await engine.get("/api/v1/queues", asOf=engine.head - 1))["data"]) == 1
    assert await engine.listed(asOf=engine.head - 2) == [run]


async def test_a_schedule_was_not_there_yet_or_was_deleted(engine: Engine) -> None:
    before = engine.head
    schedule = (await engine.post("/api/v1/schedules", {"task": "greet", "every": 5}))["id"]
    made = engine.head
    path = f"/api/v1/schedules/{schedule}"
    await engine.delete(path)

    assert (await engine.get(path, asOf=made))["id"] == schedule
    assert await engine.refused("GET", f"{path}?asOf={before}", 404) == f"Schedule {schedule} did not exist yet."
    assert await engine.refused("GET", f"{path}?asOf={engine.head}", 404) == f"Schedule {schedule} was deleted by then."
    assert await engine.refused("GET", "/api/v1/schedules/sched_1?asOf=1", 404) == "Schedule sched_1 not found."


async def test_others_schedules_are_not_found(engine: Engine) -> None:
    schedule = (await engine.post("/api/v1/schedules", {"task": "greet", "every": 5}))["id"]
    other = await environment(engine, "stg")

    sentence = await other.refused("GET", f"/api/v1/schedules/{schedule}?asOf={engine.head}", 404)

    assert sentence == f"Schedule {schedule} not found."
    assert (await other.get("/api/v1/schedules", asOf=engine.head))["data"] == []
