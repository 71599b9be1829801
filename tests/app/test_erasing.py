"""What users gave a run is erased, everywhere; that it was, and that nothing else was changed, can be verified."""

from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from app.engine.rebuild import rebuild
from app.history.verify import verify
from app.transfer.lines import Totals
from domain.ports import CopyableLedger
from tests.adapters.read_models import entries_of
from tests.app.harness import RETRY, Engine, Log, ledger_mistakes, report, running_engine, transport_of
from tests.app.transfers import LEDGERS, exported, imported
from tests.app.waiting import entry, stepped

SECRET = "m4rk3r-of-ada"
ERROR = {"name": "ValueError", "message": f"wrong: {SECRET}", "stackTrace": f"at {SECRET}"}
LARGE = SECRET * 5_000


async def secret_run(engine: Engine, *, large: bool = False) -> str:
    """A finished run that holds the secret wherever a run can."""
    version = await engine.register({"id": "greet", "retry": RETRY})
    payload = {"name": LARGE if large else SECRET}
    names: dict[str, Any] = {"tags": [f"user-{SECRET}"], "concurrencyKey": SECRET, "idempotencyKey": SECRET}
    run = await engine.trigger(payload=payload, metadata={"of": SECRET}, **names)
    await engine.post(f"/api/v1/runs/{run}/tags", {"tags": [f"more-{SECRET}"]})
    handed = await engine.take(version)
    failed = report(handed, "step_failed", entry=entry(0, "look", digest="00"), error=ERROR)
    logged = report(handed, "logged", lines=[{"at": engine.clock.wall, "level": "info", "message": SECRET}])
    await engine.turn(version, failed, logged, report(handed, "failed", at=engine.clock.wall, error=ERROR), want=0)
    await engine.advance(1_000)
    handed = await engine.take(version)
    result = {"for": LARGE if large else SECRET}
    ended = report(handed, "succeeded", at=engine.clock.wall, output=result)
    answer = await engine.turn(version, stepped(handed, 1, {"of": SECRET}), ended, want=0)
    assert answer["refused"] == []
    return run


def files_with_it(folder: Path) -> list[str]:
    """The files in which a byte of the secret is."""
    return sorted(file.name for file in folder.iterdir() if SECRET.encode() in file.read_bytes())


def told(ledger: CopyableLedger) -> bytes:
    """All that the ledger holds, with its large values, which an export has in base64."""
    export = exported(ledger)
    lines = (msgspec.json.decode(line) for line in export.splitlines())
    return export + b"".join(b64decode(line["value"]) for line in lines if line.get("line") == "blob")


async def rows_of(engine: Engine) -> str:
    """All rows of the read models."""
    service = engine.service
    await service.followed(engine.head, 5)

    def read() -> str:
        with service.read_models.snapshot() as snapshot:
            return repr(entries_of(snapshot))

    return await service.read(read)


@pytest.mark.parametrize("large", [False, True])
async def test_nothing_of_what_a_run_held_is_told_any_more(engine: Engine, large: bool) -> None:  # noqa: FBT001
    run, ledger = await secret_run(engine, large=large), engine.service.ledger
    assert SECRET in await rows_of(engine)
    assert SECRET.encode() in told(ledger)

    receipt = await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})

    assert receipt["runs"] == [run]
    assert receipt["isComplete"] is True
    assert SECRET.encode() not in told(ledger)
    assert SECRET not in await rows_of(engine)
    after = await engine.retrieve(run)
    assert (after["isErased"], after["payload"], after["output"], after["tags"]) == (True, None, None, [])
    assert after["status"] == "COMPLETED"
    explained = await engine.get(f"/api/v1/runs/{run}/explain")
    assert explained["sentence"].endswith("What it was given and came to is erased.")
    assert explained["data"]["isErased"] is True
    for path in ("events", "journal", "logs", "result"):
        assert SECRET not in msgspec.json.encode(await engine.get(f"/api/v1/runs/{run}/{path}")).decode()
    assert SECRET not in str([commit.records for commit in engine.service.loop.feed._commits])  # pyright: ignore[reportPrivateUsage]
    assert await ledger_mistakes(engine) == []


async def test_a_run_keeps_its_names_unless_they_are_to_go_as_well(engine: Engine) -> None:
    run = await secret_run(engine)

    await engine.post(f"/api/v1/runs/{run}/erase")
    kept = await engine.retrieve(run)
    receipt = await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})
    again = await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})

    assert (kept["tags"], kept["concurrencyKey"]) == ([f"more-{SECRET}", f"user-{SECRET}"], SECRET)
    assert receipt["withNames"] is True
    assert again is None
    assert (await engine.retrieve(run))["tags"] == []
    assert await engine.listed(**{"filter[tag]": f"user-{SECRET}"}) == []
    assert SECRET.encode() not in told(engine.service.ledger)
    assert await ledger_mistakes(engine) == []


async def test_the_reset_of_a_key_does_not_keep_it(engine: Engine) -> None:
    run = await secret_run(engine)
    await engine.post(f"/api/v1/idempotencyKeys/{SECRET}/reset", {"taskIdentifier": "greet"})

    await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})

    assert SECRET.encode() not in told(engine.service.ledger)


async def test_the_read_models_of_what_is_left_are_those_that_were_there(engine: Engine) -> None:
    run, service = await secret_run(engine), engine.service
    await engine.post(f"/api/v1/runs/{run}/erase")
    await service.followed(engine.head, 5)

    report_ = await service.read(verify, service.ledger, service.read_models)

    assert (report_.holds, report_.position) == (True, engine.head)
    await service.read(rebuild, service.ledger, service.read_models)
    assert (await service.read(verify, service.ledger, service.read_models)).holds


async def test_what_still_goes_on_is_not_erased(engine: Engine) -> None:
    run = await engine.trigger(delay="1h")

    sentence = await engine.refused("POST", f"/api/v1/runs/{run}/erase", 400)

    assert sentence == f"Run {run} is DELAYED: what it holds can be erased when it has ended."


async def test_an_erased_run_is_neither_replayed_nor_added_to(engine: Engine) -> None:
    run = await secret_run(engine)
    await engine.post(f"/api/v1/runs/{run}/erase")

    replay = await engine.refused("POST", f"/api/v1/runs/{run}/replay", 400, json={})
    tag = await engine.refused("POST", f"/api/v1/runs/{run}/tags", 400, json={"tags": ["x"]})

    assert replay == f"Run {run} was erased or archived: there is nothing left to run again."
    assert tag == f"Run {run} was erased: nothing is added to it any more."


async def test_all_runs_of_a_tag_are_erased_but_those_that_go_on(engine: Engine) -> None:
    ended = await secret_run(engine)
    waiting = await engine.trigger(delay="1h", tags=[f"user-{SECRET}"])

    answer = await engine.post("/api/v1/erasures", {"tag": f"user-{SECRET}"})

    assert answer["open"] == [waiting]
    assert answer["receipt"]["runs"] == [ended]
    assert await engine.get(f"/api/v1/erasures/{answer['receipt']['id']}") == answer["receipt"]
    assert await engine.post("/api/v1/erasures", {"tag": "nobody"}) == {"open": [], "receipt": None}


async def test_what_is_not_there_cannot_be_erased(engine: Engine) -> None:
    assert await engine.refused("POST", "/api/v1/runs/run_x/erase", 404) == "Run run_x not found."
    assert await engine.refused("GET", "/api/v1/erasures/erasure_x", 404) == "Erasure erasure_x not found."
    sentence = await engine.refused("POST", "/api/v1/erasures", 422, json={})
    assert sentence == "What is to be erased is named either by runIds or by a tag."


@pytest.mark.parametrize("target", LEDGERS)
async def test_an_export_of_what_is_left_can_be_imported(engine: Engine, target: str, tmp_path: Path) -> None:
    run = await secret_run(engine, large=True)
    await engine.post(f"/api/v1/runs/{run}/erase")
    source = engine.service.ledger

    with LEDGERS[target](tmp_path) as other:
        totals = imported(exported(source), other)

        assert totals == Totals(engine.head, 0, 0)
        assert other.head() == source.head()
        assert list(other.verify()) == []
        assert exported(other) == exported(source)


async def test_an_engine_goes_on_with_an_erasure_that_another_had_decided(tmp_path: Path, log: Log) -> None:
    path, views = tmp_path / "ledger.db", tmp_path / "views.db"
    async with running_engine(SqliteLedger(path), SqliteReadModels(views)) as engine:
        run = await secret_run(engine, large=True)
        service = engine.service
        # It never comes to carry it out.
        service._tasks[-2].cancel()  # pyright: ignore[reportPrivateUsage]
        origin = {"environment": service.environments()[0].id, "actor": "a", "cause": "b", "at": engine.clock.wall}
        await service.erasures._decide("erasure_1", [run], origin, with_names=True)  # pyright: ignore[reportPrivateUsage]
    assert files_with_it(tmp_path) != []

    async with running_engine(SqliteLedger(path), SqliteReadModels(views)) as engine:
        done = engine.service.loop.feed
        while (await engine.service.history("erasure_1"))[-1].version == 1:
            await done.grown(engine.head)

        assert await ledger_mistakes(engine) == []
        assert SECRET.encode() not in told(engine.service.ledger)
    assert files_with_it(tmp_path) == []


async def test_no_byte_of_it_is_left_in_the_files_of_a_sqlite_database(tmp_path: Path) -> None:
    path, views = tmp_path / "ledger.db", tmp_path / "views.db"
    async with running_engine(SqliteLedger(path), SqliteReadModels(views)) as engine:
        run = await secret_run(engine, large=True)
        assert files_with_it(tmp_path) != []

        await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})

        assert files_with_it(tmp_path) == []


async def test_what_a_replay_has_taken_over_is_needed_as_long_as_that_goes_on(engine: Engine) -> None:
    version = await engine.register()
    first = await engine.trigger()
    handed = await engine.take(version)
    steps = [stepped(handed, index, SECRET, name) for index, name in enumerate(("one", "two"))]
    await engine.turn(version, *steps, report(handed, "succeeded", at=engine.clock.wall), want=0)
    again = (await engine.post(f"/api/v1/runs/{first}/replay", {"fromStep": "two"}))["id"]

    refused = await engine.refused("POST", f"/api/v1/runs/{first}/erase", 400)
    await engine.perform(version)
    await engine.post(f"/api/v1/runs/{first}/erase")
    from_erased = await engine.refused("POST", f"/api/v1/runs/{again}/replay", 400, json={"fromStep": "two"})

    assert refused == f"Run {again} still goes on (QUEUED), and needs what is to be erased."
    assert from_erased == f"The journal begins with that of run {first}, which was erased or archived."


async def test_a_child_is_needed_as_long_as_its_parent_goes_on(engine: Engine) -> None:
    version = await engine.register()
    parent = await engine.trigger()
    await engine.take(version)
    child = await engine.trigger(parentRunId=parent)
    await engine.perform(version)

    refused = await engine.refused("POST", f"/api/v1/runs/{child}/erase", 400)

    assert refused == f"Run {parent} still goes on (EXECUTING), and needs what is to be erased."


async def test_an_upload_goes_with_the_run_that_was_given_its_bytes(engine: Engine) -> None:
    version = await engine.register()
    answer = await engine.put("/api/v2/packets/trigger%2Fpacket_1%2Fpayload.json", None)
    sent = f'{{"json": {{"name": "{LARGE}"}}, "meta": {{}}}}'.encode()
    async with httpx.AsyncClient(transport=transport_of(engine)) as client:
        kind = {"content-type": "application/super+json"}
        assert (await client.put(answer["presignedUrl"], content=sent, headers=kind)).status_code == 200
    run = await engine.trigger(payload=answer["storagePath"], payloadType="application/store")
    await engine.perform(version)
    assert told(engine.service.ledger).count(LARGE.encode()) == 2

    await engine.post(f"/api/v1/runs/{run}/erase")

    assert SECRET.encode() not in told(engine.service.ledger)
