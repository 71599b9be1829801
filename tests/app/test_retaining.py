"""Runs that are old enough leave the database for segments, and the log still verifies."""

import gzip
from pathlib import Path

import pytest

from app.history.verify import verify
from app.keeping.retaining import DAY_MS
from app.keeping.segments import WrongSegment, path_of, read_segment
from domain.environment import Environment
from tests.app.databases import engine_on
from tests.app.harness import Engine, Log, ledger_mistakes, report
from tests.app.test_erasing import SECRET, rows_of, secret_run, told
from tests.app.waiting import stepped

KEYS_MS = 31 * DAY_MS
"""After that no idempotency key stands for a run any more."""


async def keep_a_day(engine: Engine, folder: Path) -> Environment:
    engine.service.segments = engine.service.retention.folder = engine.service.erasures.segments = folder
    assert await engine.put("/api/v1/retention", {"days": 1}) == {"days": 1, "folder": str(folder)}
    (environment,) = engine.service.environments()
    return environment


def _segments_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*.gz"))


async def archive(engine: Engine, environment: Environment) -> list[str]:
    """Let everything go that may, and wait until it is gone."""
    segments = await engine.service.retention.archive(environment)
    for segment in segments:
        while (await engine.service.history(segment))[-1].version == 1:
            await engine.service.loop.feed.grown(engine.head)
    return segments


async def test_old_runs_go_into_a_segment_and_leave_the_database(engine: Engine, tmp_path: Path) -> None:
    run = await secret_run(engine, large=True)
    environment = await keep_a_day(engine, tmp_path)
    assert await archive(engine, environment) == [], "it is not old enough"
    before = {row.position: row for row in engine.service.ledger.sealed_after(0, limit=1_000) if row.stream == run}
    engine.clock.wall += KEYS_MS
    young = await engine.trigger(delay="1h")

    (segment,) = await archive(engine, environment)

    kept = read_segment(path_of(tmp_path / environment.id, segment))
    assert kept.header.runs == [run]
    assert kept.events == list(before.values())
    assert len(kept.blobs) == 2
    assert SECRET.encode() not in told(engine.service.ledger)
    assert SECRET not in await rows_of(engine)
    assert await engine.listed() == [young]
    sentence = await engine.refused("POST", f"/api/v1/runs/{run}/replay", 404, json={})
    assert sentence.startswith(f"Run {run} was archived in segment {segment}: ")
    assert await ledger_mistakes(engine) == []
    assert (await engine.service.read(verify, engine.service.ledger, engine.service.read_models)).holds


async def test_an_archived_run_is_told_from_its_segment_now_and_as_it_was(engine: Engine, tmp_path: Path) -> None:
    run = await secret_run(engine, large=True)
    environment = await keep_a_day(engine, tmp_path)
    paths = [f"/api/v3/runs/{run}", *(f"/api/v1/runs/{run}/{each}" for each in ("journal", "logs", "result"))]
    explained = f"/api/v1/runs/{run}/explain"
    before, events = [await engine.get(path) for path in paths], await engine.get(f"/api/v1/runs/{run}/events")
    explanation = await engine.get(explained)
    positions = [each["position"] for each in events["events"]]
    then = [await engine.get(paths[0], asOf=position) for position in positions]
    engine.clock.wall += KEYS_MS

    (segment,) = await archive(engine, environment)

    after = [await engine.get(path) for path in paths]
    assert after[0].pop("archivedIn") == segment
    assert after == before
    assert await engine.get(explained) == explanation
    told = (await engine.get(f"/api/v1/runs/{run}/events"))["events"]
    assert told[:-1] == events["events"]
    assert told[-1]["type"] == "RunArchived"
    again = [await engine.get(paths[0], asOf=position) for position in positions]
    assert [each.pop("archivedIn") for each in again] == [segment] * len(then)
    assert again == then
    for method, what, status in (("PUT", "metadata", 400), ("POST", "tags", 400), ("POST", "replay", 404)):
        body = {"tags": ["a"], "metadata": {"a": 1}}
        said = await engine.refused(method, f"/api/v1/runs/{run}/{what}", status, json=body)
        assert said.startswith(f"Run {run} was archived")


async def test_an_archived_run_is_in_no_list_and_no_queue_of_a_moment_before(engine: Engine, tmp_path: Path) -> None:
    environment = await keep_a_day(engine, tmp_path)
    version = await engine.register()
    run = await engine.trigger()
    then = engine.head
    (before,) = (await engine.get("/api/v1/queues", asOf=then))["data"]
    explained = await engine.get(f"/api/v1/runs/{run}/explain", asOf=then)
    await engine.perform(version)
    engine.clock.wall += 2 * DAY_MS

    await archive(engine, environment)

    (after,) = (await engine.get("/api/v1/queues", asOf=then))["data"]
    assert (before["queued"], after["queued"]) == (1, 0)
    assert await engine.listed(asOf=then) == []
    assert await engine.get(f"/api/v1/runs/{run}/explain", asOf=then) == explained


async def test_where_a_segment_cannot_be_read_an_archived_run_is_refused_with_the_reason(
    engine: Engine, tmp_path: Path
) -> None:
    run = await secret_run(engine, large=False)
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    (segment,) = await archive(engine, environment)
    path = f"/api/v3/runs/{run}"
    start = f"Run {run} was archived in segment {segment}"

    path_of(tmp_path / environment.id, segment).write_bytes(b"other")
    assert (await engine.refused("GET", path, 404)).startswith(f"{start}, which cannot be read: ")
    engine.service.segments = None
    assert await engine.refused("GET", path, 404) == f"{start}, and this node has no folder of segments."


async def test_what_something_still_needs_stays(engine: Engine, tmp_path: Path) -> None:
    environment = await keep_a_day(engine, tmp_path)
    version = await engine.register()
    replayed = await engine.trigger()
    await engine.perform(version)
    claimed = await engine.trigger(idempotencyKey="once", idempotencyKeyTTL="30d")
    await engine.perform(version)
    gone = await engine.trigger()
    await engine.perform(version)
    replay = (await engine.post(f"/api/v1/runs/{replayed}/replay", {"delay": "30d"}))["id"]
    engine.clock.wall += DAY_MS + 1_000

    segments = await archive(engine, environment)

    assert sorted(await engine.listed()) == sorted([replayed, claimed, replay])
    assert [read_segment(path_of(tmp_path / environment.id, each)).header.runs for each in segments] == [[gone]]
    assert await ledger_mistakes(engine) == []


@pytest.mark.parametrize("end", ["archived", "erased"])
async def test_a_run_stays_as_long_as_a_replay_that_took_over_its_steps_can_be_replayed_from_one(
    engine: Engine, tmp_path: Path, end: str
) -> None:
    version = await engine.register()
    first = await engine.trigger()
    handed = await engine.take(version)
    steps = [stepped(handed, index, index, name) for index, name in enumerate(("one", "two"))]
    await engine.turn(version, *steps, report(handed, "succeeded", at=engine.clock.wall), want=0)
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += DAY_MS
    second = (await engine.post(f"/api/v1/runs/{first}/replay", {"fromStep": "two"}))["id"]
    handed = await engine.take(version)
    ended = report(handed, "succeeded", at=engine.clock.wall)
    await engine.turn(version, stepped(handed, 1, 2, "two"), ended, want=0)
    engine.clock.wall += 1_000

    assert await archive(engine, environment) == []
    third = (await engine.post(f"/api/v1/runs/{second}/replay", {"fromStep": "two"}))["id"]
    handed = await engine.take(version)
    assert [each["result"] for each in handed["journal"]] == [0]
    await engine.turn(version, report(handed, "succeeded", at=engine.clock.wall), want=0)
    for run in (third, second):
        if end == "erased":
            await engine.post(f"/api/v1/runs/{run}/erase")
        else:
            engine.clock.wall += DAY_MS
            await archive(engine, environment)
    await archive(engine, environment)

    assert first not in await engine.listed()


async def test_what_was_archived_is_erased_in_its_segment(engine: Engine, tmp_path: Path) -> None:
    run = await secret_run(engine, large=True)
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    (segment,) = await archive(engine, environment)
    root = read_segment(path_of(tmp_path / environment.id, segment)).header.root

    answer = await engine.post("/api/v1/erasures", {"runIds": [run], "withNames": True})

    left = read_segment(path_of(tmp_path / environment.id, segment))
    assert answer["receipt"]["rewritten"] == [segment]
    assert left.header.root == root
    assert left.blobs == {}
    assert SECRET not in str(left.events)
    assert await ledger_mistakes(engine) == []


async def _tagged_run(engine: Engine, tag: str) -> str:
    version = await engine.register()
    run = await engine.trigger(payload=SECRET, tags=[tag])
    await engine.perform(version)
    return run


async def test_all_runs_of_a_tag_are_erased_also_the_archived_ones(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.keeping.retaining.PORTION", 1)
    gone = [await _tagged_run(engine, f"user-{SECRET}") for _ in range(2)]
    other = await _tagged_run(engine, "other")
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    names = await archive(engine, environment)
    assert len(names) == 3
    there = await _tagged_run(engine, f"user-{SECRET}")
    asked = {"tag": f"user-{SECRET}", "withNames": True}

    answers = [await engine.post("/api/v1/erasures", asked)]
    while after := answers[-1].get("next"):
        answers.append(await engine.post("/api/v1/erasures", asked | {"after": after}))
    again = await engine.post("/api/v1/erasures", asked)

    erased = [run for each in answers if each["receipt"] for run in each["receipt"]["runs"]]
    assert sorted(erased) == sorted([*gone, there])
    assert [each["open"] for each in answers] == [[]] * len(answers)
    left = [gzip.decompress(each.read_bytes()) for each in _segments_in(tmp_path)]
    assert [SECRET.encode() in each for each in left].count(True) == 1
    assert SECRET.encode() not in told(engine.service.ledger)
    assert (await engine.retrieve(other))["payload"] == SECRET
    assert again == {"open": [], "receipt": None}
    assert await ledger_mistakes(engine) == []


async def test_segments_that_cannot_be_searched_for_a_tag_are_named_and_the_others_are(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.keeping.retaining.PORTION", 1)
    monkeypatch.setattr("app.keeping.tagged.LOOKED_MAX", 1)
    for _ in range(2):
        await _tagged_run(engine, f"user-{SECRET}")
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    lost, kept = sorted(await archive(engine, environment))
    path_of(tmp_path / environment.id, lost).unlink()
    asked = {"tag": f"user-{SECRET}"}

    first = await engine.post("/api/v1/erasures", asked)
    second = await engine.post("/api/v1/erasures", asked | {"after": first["next"]})

    assert (first["receipt"], first["open"]) == (None, [])
    assert [lost in sentence for sentence in first["unreadable"]] == [True]
    assert second["receipt"]["rewritten"] == [kept]


async def test_a_segment_that_was_changed_is_refused(engine: Engine, tmp_path: Path) -> None:
    await secret_run(engine)
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    (segment,) = await archive(engine, environment)
    path = path_of(tmp_path / environment.id, segment)
    content = path.read_bytes()

    path.write_bytes(content[:-20])
    with pytest.raises(WrongSegment, match=r"is damaged|cannot be read"):
        read_segment(path)
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(WrongSegment):
        read_segment(path)


async def test_without_a_folder_nothing_can_leave_the_database(engine: Engine) -> None:
    assert await engine.get("/api/v1/retention") == {"days": None, "folder": None}

    sentence = await engine.refused("PUT", "/api/v1/retention", 400, json={"days": 30})

    assert sentence.startswith("There is no folder for segments: set RUNFOLD_SEGMENTS_FOLDER")


async def test_what_is_being_erased_is_not_taken_into_a_segment(engine: Engine, tmp_path: Path) -> None:
    run = await secret_run(engine)
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    service = engine.service
    erasures = next(task for task in service._tasks if task.get_name() == "erasures")  # pyright: ignore[reportPrivateUsage]
    erasures.cancel()
    origin = {"environment": environment.id, "actor": "a", "cause": "b", "at": engine.clock.wall}
    await service.erasures._decide("erasure_1", [run], origin, with_names=True)  # pyright: ignore[reportPrivateUsage]

    assert await service.retention.archive(environment) == []
    assert _segments_in(tmp_path) == []


async def test_a_segment_of_which_the_ledger_does_not_tell_is_named_and_left(
    engine: Engine, tmp_path: Path, log: Log
) -> None:
    await secret_run(engine)
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    (segment,) = await archive(engine, environment)
    known = path_of(tmp_path / environment.id, segment)
    unknown = path_of(tmp_path / environment.id, "erasure_0")
    unknown.write_bytes(known.read_bytes())
    unfinished = {tmp_path / environment.id / f"{name}.jsonl.gz.part" for name in ("erasure_1", segment)}
    for part in unfinished:
        part.write_bytes(b"")

    await engine.service.retention.tidy()

    # The one of the known segment may be of an erasure that goes on: it is written over.
    rewritten = known.with_name(f"{known.name}.part")
    assert sorted((tmp_path / environment.id).iterdir()) == sorted([known, unknown, rewritten])
    said = [each for each in log if each["event"].startswith("the ledger tells nothing of a segment")]
    assert [each["file"] for each in said] == [str(unknown)]


async def test_an_engine_on_a_copy_of_the_database_takes_no_segment_from_the_original(
    engine: Engine, database: str, tmp_path: Path
) -> None:
    run = await secret_run(engine)
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    async with engine_on(database, engine.service.ledger) as copy:
        (segment,) = await archive(engine, environment)
        copy.service.retention.folder = tmp_path

        await copy.service.retention.tidy()

        assert [each.id for each in copy.service.environments()] == [environment.id]
        assert (await copy.retrieve(run))["payload"] is not None
    assert (await engine.retrieve(run))["archivedIn"] == segment
