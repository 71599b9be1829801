"""Executions that were erased or archived: they are shown and told of, and harm no others."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.http_jobs import messages
from app.keeping.retaining import DAY_MS
from app.turns import hand_outs
from domain.events import About
from domain.ports import Ledger
from domain.status import Status
from tests.app.calling import EXECUTIONS, ended, execute, save, start, status_of
from tests.app.harness import Engine, Log, until
from tests.mailbox import Mailbox
from tests.targets import Target

OK = 200
GONE = "What it found was erased."
UNKNOWN = dict.fromkeys(("lookupMs", "connectMs", "tlsMs", "firstByteMs", "totalMs"))


async def erase(engine: Engine, run: str) -> None:
    answer = await engine.post("/api/v1/erasures", {"runIds": [run]})
    assert answer["receipt"]["isComplete"] is True


async def archive(engine: Engine, run: str, folder: Path) -> None:
    retention = engine.service.retention
    engine.service.segments = retention.folder = engine.service.erasures.segments = folder
    await engine.put("/api/v1/retention", {"days": 1})
    engine.clock.wall += 2 * DAY_MS
    segments = await retention.archive(engine.service.environments()[0])
    for segment in segments:
        while (await engine.service.history(segment))[-1].version == 1:
            await engine.service.loop.feed.grown(engine.head)
    assert len(segments) == 1
    assert (await engine.events(run))[-1] == "RunArchived"


async def telling(engine: Engine, run: str) -> str:
    """The run that tells of this one, when it waits for its second attempt."""
    ((told,),) = [(await engine.get("/api/v1/runs", **{"filter[tag]": f"about:{run}"}))["data"]]
    await until(lambda: status_of(engine, told["id"]) is Status.REATTEMPTING)
    await engine.service.loop.settled(told["id"])
    return str(told["id"])


def how(status: int) -> dict[str, Any]:
    """What is left of an attempt that was answered with this status."""
    left: dict[str, Any] = {} if status == OK else {"status": None, "errorClass": "erased"}
    return {"statusCode": None, "latencyMs": None, "error": GONE} | left


def error_of(status: int) -> dict[str, str] | None:
    return None if status == OK else {"class": "erased", "message": GONE}


@pytest.mark.parametrize("status", [OK, 400])
async def test_of_an_erased_execution_it_is_told_how_it_ended_and_that_the_rest_was_erased(
    engine: Engine, target: Target, status: int
) -> None:
    execute(engine)
    target.script = [(503, "", {}), (200, "", {})]
    callbacks = [{"on": ["completion"], "url": target.url("/next")}]
    job = await save(engine, target.url(f"/status/{status}"), callbacks=callbacks)
    run = await ended(engine, await start(engine, job))
    callback = await telling(engine, run["id"])
    before = json.loads(target.asked[-1].body)
    await erase(engine, run["id"])

    told = await ended(engine, callback)

    assert [each["statusCode"] for each in told["attempts"]] == [503, 200]
    (attempt,) = before["data"]["attempts"]
    before["data"]["attempts"] = [attempt | how(status)]
    before["data"]["execution"]["error"] = error_of(status)
    assert json.loads(target.asked[-1].body) == before


@pytest.mark.parametrize("status", [OK, 400])
async def test_of_an_archived_execution_the_same_is_told(
    engine: Engine, target: Target, tmp_path: Path, status: int
) -> None:
    execute(engine)
    run = await ended(engine, await start(engine, await save(engine, target.url(f"/status/{status}"))))
    await archive(engine, run["id"], tmp_path)

    message = await engine.service.read(
        messages.message_of, engine.service.ledger, About(run["id"], "execution.failed")
    )

    (attempt,) = message["data"]["attempts"]
    assert attempt == attempt | how(status)
    assert (message["data"]["execution"]["id"], message["data"]["execution"]["error"]) == (run["id"], error_of(status))


async def test_an_e_mail_tells_of_an_erased_execution(engine: Engine, target: Target, mailbox: Mailbox) -> None:
    execute(engine, mailer=mailbox.mailer)
    mailbox.script = ["451 come back later"]
    body = {"name": "ops", "kind": "email", "to": ["ada@example.com"]}
    assert (await engine.client.post("/v1/alerts", json=body)).is_success
    run = await ended(engine, await start(engine, await save(engine, target.url("/status/400"))))
    alert = await telling(engine, run["id"])
    await erase(engine, run["id"])

    await ended(engine, alert)

    (mail,) = mailbox.taken
    lines = mail.get_content().splitlines()
    assert lines[4:7] == [f"Error: {GONE}", "Attempts: 1", f"  1: {GONE}"]


@pytest.mark.parametrize("status", [200, 400])
async def test_an_erased_execution_is_shown_without_what_is_gone(engine: Engine, target: Target, status: int) -> None:
    execute(engine)
    before = await ended(engine, await start(engine, await save(engine, target.url(f"/status/{status}"))))
    await erase(engine, before["id"])

    after = await engine.get(f"{EXECUTIONS}/{before['id']}")

    (attempt,), (was,) = after.pop("attempts"), before.pop("attempts")
    assert after == before | {"request": None, "error": error_of(status)}
    assert (await engine.get(EXECUTIONS))["data"][0]["error"] == error_of(status)
    gone = {"bodyPreview": None, "bytesReceived": None, "responseHeaders": {}, "timings": UNKNOWN}
    assert attempt == was | gone | how(status)


async def test_a_message_that_cannot_be_made_harms_no_execution(
    engine: Engine, target: Target, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    def bad(_ledger: Ledger, _about: About) -> dict[str, Any]:
        raise TypeError("nobody thought of this")

    monkeypatch.setattr(messages, "message_of", bad)
    job = await save(engine, target.url(), callbacks=[{"on": ["completion"], "url": target.url("/told")}])
    execute(engine)
    runs = [await ended(engine, await start(engine, job)) for _ in range(3)]

    found = (await engine.get("/api/v1/runs"))["data"]
    told = [await ended(engine, each["id"]) for each in found if each["id"] not in {run["id"] for run in runs}]

    assert {run["status"] for run in runs} == {"succeeded"}
    assert [each["run_status"] for each in told] == ["SYSTEM_FAILURE"] * 3
    assert told[0]["error"]["message"] == "It cannot be handed out: TypeError."
    assert {each["log_level"] for each in log} == {"error"}
    log.clear()


async def test_what_is_handed_out_in_one_turn_with_a_run_that_cannot_be_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    version = await engine.register()
    runs = [await engine.trigger(payload={"n": n}) for n in range(3)]
    made = vars(hand_outs)["_run_body"]

    def bad(hand_out: Any, *more: Any) -> Any:
        if hand_out.run == runs[1]:
            raise KeyError(hand_out.run)
        return made(hand_out, *more)

    monkeypatch.setattr(hand_outs, "_run_body", bad)

    handed = (await engine.turn(version, want=3))["runs"]

    assert [run["id"] for run in handed] == [runs[0], runs[2]]
    assert await engine.events(runs[1]) == ["RunTriggered", "RunDequeued", "RunSystemFailed"]
    assert [(each["event"], each["exc_info"]) for each in log] == [("a run cannot be handed out", True)]
    log.clear()
