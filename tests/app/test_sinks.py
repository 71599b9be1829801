"""The events of an environment are streamed to a webhook or a file: in order, each once by its position."""

import base64
import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.http.addresses import AddressPolicy, parsed_networks
from adapters.http.calling import SafeHttpCaller
from app.keeping import sinks
from app.keeping.sink_files import SinkFile
from app.vault.secrets import value_of
from domain.errors import InvalidInput, LedgerUnavailable
from domain.retry import Retry
from tests.adapters.synced import synced_folders
from tests.app.databases import engine_on
from tests.app.harness import Engine, environment, until
from tests.targets import Target, a_target

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once, where a test would wait."""
    monkeypatch.setattr(sinks, "RETRY", Retry(min_timeout_in_ms=0))


def _let_it_call(engine: Engine, folder: Path) -> None:
    service = engine.service
    service.sinks.folder = folder
    service.sinks.secret_of = lambda environment, name: value_of(service, environment, name)
    service.sinks.caller = SafeHttpCaller(AddressPolicy(parsed_networks("127.0.0.0/8")))


async def _add(engine: Engine, **body: Any) -> str:
    response = await engine.client.post("/api/v1/sinks", json={"name": "audit", **body})
    assert response.status_code == 201, response.text
    sink: str = response.json()["id"]
    return sink


async def _told(engine: Engine) -> list[int]:
    """The positions that a sink of this environment is to have by now."""
    events = (await engine.get("/api/v1/ledger/events", limit=1_000))["events"]
    return [each["position"] for each in events if each["type"] != "SinkAdvanced"]


async def _arrived(engine: Engine, sink: str) -> None:
    """Until the sink has got everything."""
    progress = engine.service.sinks.progress
    await until(lambda: sink in progress and progress[sink].position == engine.head)


def _positions(asked: Target) -> list[int]:
    return [int(json.loads(each.body)["id"]) for each in asked.asked]


async def test_a_webhook_gets_every_event_once_in_order_and_signed(engine: Engine, tmp_path: Path) -> None:
    _let_it_call(engine, tmp_path)
    other = await environment(engine, "other")
    await engine.put("/v1/secrets/hook", {"value": SECRET})
    async with a_target() as target:
        sink = await _add(engine, url=target.url("/hook"), secret="hook", after=0)
        run = await engine.trigger(delay="1h")
        await other.trigger(delay="1h")
        await engine.post(f"/api/v2/runs/{run}/cancel")
        await _arrived(engine, sink)

        assert _positions(target) == await _told(engine)
    first = target.asked[0]
    assert first.headers["content-type"] == "application/cloudevents+json"
    assert first.headers["webhook-id"] == f"{sink}_{_positions(target)[0]}"
    text = f"{first.headers['webhook-id']}.{first.headers['webhook-timestamp']}.".encode() + first.body
    signature = base64.b64encode(hmac.digest(bytes(range(32)), text, hashlib.sha256)).decode()
    assert first.headers["webhook-signature"] == f"v1,{signature}"


async def test_what_is_not_taken_is_sent_again_and_nothing_overtakes_it(engine: Engine, tmp_path: Path) -> None:
    _let_it_call(engine, tmp_path)
    async with a_target() as target:
        target.script = [(200, "", {}), (500, "", {}), (429, "", {}), *[(200, "", {})] * 100]
        sink = await _add(engine, url=target.url("/next"), after=0)
        await engine.trigger(delay="1h")
        await _arrived(engine, sink)

        first, second, *rest = await _told(engine)
        assert _positions(target) == [first, second, second, second, *rest]
        (item,) = (await engine.get("/api/v1/sinks"))["data"]
        assert (item["lag"], item["attempts"], item["error"]) == (0, 0, None)


async def test_a_sink_that_cannot_go_on_says_why_and_others_do(engine: Engine, tmp_path: Path) -> None:
    _let_it_call(engine, tmp_path)
    sink = await _add(engine, url="http://127.0.0.1:9/", secret="nobody", after=0)
    other = await _add(engine, file="all.jsonl", after=0)
    await _arrived(engine, other)

    progress = engine.service.sinks.progress
    await until(lambda: progress[sink].attempts > 2)

    items = {each["id"]: each for each in (await engine.get("/api/v1/sinks"))["data"]}
    assert items[sink]["error"].startswith("There is no secret nobody in this environment")
    assert items[sink]["lag"] > 0
    metrics = (await engine.client.get("/metrics")).text
    assert f'runfold_sink_lag_events{{name="audit",sink="{other}"}} 0.0' in metrics
    await engine.delete(f"/api/v1/sinks/{sink}")
    await until(lambda: sink not in progress)


async def test_a_file_has_a_line_for_each_event_also_behind_a_line_that_was_cut_off(
    engine: Engine, tmp_path: Path
) -> None:
    _let_it_call(engine, tmp_path)
    file = tmp_path / "all.jsonl"
    sink = await _add(engine, file="all.jsonl", format="runfold", after=0)
    await engine.trigger(payload={"text": "two\r\nlines"}, delay="1h")
    await _arrived(engine, sink)
    whole = file.read_text().splitlines()
    await engine.delete(f"/api/v1/sinks/{sink}")
    await until(lambda: sink not in engine.service.sinks.progress)
    # As after a kill in the middle of a write.
    file.write_text("\n".join([*whole[:3], whole[3][:20]]))

    again = await _add(engine, file="all.jsonl", format="runfold", after=0)
    await _arrived(engine, again)

    assert [json.loads(line)["position"] for line in file.read_text().splitlines()] == await _told(engine)


async def test_a_file_that_is_ahead_of_the_ledger_is_told_and_left_as_it_is(engine: Engine, tmp_path: Path) -> None:
    _let_it_call(engine, tmp_path)
    file, line = tmp_path / "audit.jsonl", b'{"position":1000000}\n'
    file.write_bytes(line)

    sink = await _add(engine, file=file.name, after=0)
    progress = engine.service.sinks.progress
    await until(lambda: sink in progress and progress[sink].error is not None)
    said, left = progress[sink].error, file.read_bytes()
    file.unlink()
    await _arrived(engine, sink)

    assert said is not None
    assert said.startswith(f"The file {file} ends with event 1000000, and the ledger with event ")
    assert left == line
    assert [int(json.loads(each)["id"]) for each in file.read_bytes().splitlines()] == await _told(engine)


@pytest.mark.parametrize("told", ["cloudevents", "runfold"])
async def test_a_file_that_ends_with_an_event_of_another_history_is_told_and_left_as_it_is(
    engine: Engine, database: str, tmp_path: Path, told: str
) -> None:
    _let_it_call(engine, tmp_path)
    file = tmp_path / "audit.jsonl"
    sink = await _add(engine, file=file.name, format=told, after=0)
    await _arrived(engine, sink)
    async with engine_on(database, engine.service.ledger) as restored:
        await engine.trigger(delay="1h")
        await _arrived(engine, sink)
        await engine.delete(f"/api/v1/sinks/{sink}")
        await until(lambda: sink not in engine.service.sinks.progress)
        left = file.read_bytes()
        last = json.loads(left.splitlines()[-1])
        end = last["position"] if told == "runfold" else int(last["id"])
        while restored.head <= end:
            await restored.trigger(delay="1h")

        _let_it_call(restored, tmp_path)
        progress = restored.service.sinks.progress
        begin = f"The file {file} ends with event {end}, which is another one in the ledger: "
        await until(lambda: (progress[sink].error or "").startswith(begin))

        assert file.read_bytes() == left
        file.unlink()
        await _arrived(restored, sink)


async def test_a_file_goes_on_behind_an_event_that_was_erased_since(engine: Engine, tmp_path: Path) -> None:
    _let_it_call(engine, tmp_path)
    file = tmp_path / "all.jsonl"
    sink = await _add(engine, file=file.name, format="runfold", after=0)
    run = await engine.trigger(payload="4d4", tags=["ada"], delay="1h")
    await _arrived(engine, sink)
    whole = file.read_text().splitlines(keepends=True)
    await engine.delete(f"/api/v1/sinks/{sink}")
    await until(lambda: sink not in engine.service.sinks.progress)
    triggered = next(at for at, line in enumerate(whole) if json.loads(line)["id"] == run)
    file.write_text("".join(whole[: triggered + 1]))
    await engine.post(f"/api/v2/runs/{run}/cancel")
    await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})

    again = await _add(engine, file=file.name, format="runfold", after=0)
    await _arrived(engine, again)

    assert [json.loads(line)["position"] for line in file.read_text().splitlines()] == await _told(engine)


async def test_what_cannot_be_a_sink_is_refused(engine: Engine, tmp_path: Path) -> None:
    for body, reason in (
        ({}, "A sink has either a url or a file."),
        ({"file": "all.jsonl"}, "There is no folder for files of sinks: set RUNFOLD_SINKS_FOLDER, and start it again."),
    ):
        sent = {"name": "audit", **body}
        assert await engine.refused("POST", "/api/v1/sinks", 422, json=sent) == reason
    engine.service.sinks.folder = tmp_path
    for name in ("../x", "/etc/passwd", ".hidden", "a/b"):
        sent = {"name": "audit", "file": name}
        sentence = await engine.refused("POST", "/api/v1/sinks", 422, json=sent)
        assert sentence.startswith("The file of a sink is a plain name")
    assert await engine.refused("DELETE", "/api/v1/sinks/sink_x", 404) == "Sink sink_x not found."


def test_the_folder_of_a_new_file_is_written_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = synced_folders(monkeypatch)

    file = SinkFile(tmp_path / "sinks" / "all.jsonl")
    file.open()
    file.close()

    assert [sorted(names) for names in folders] == [["sinks"], ["all.jsonl", "all.jsonl.lock"]]


def test_a_file_belongs_to_one_process_and_ends_with_an_event(tmp_path: Path) -> None:
    file = SinkFile(tmp_path / "all.jsonl")
    assert file.open() == 0
    with pytest.raises(LedgerUnavailable) as refused:
        SinkFile(tmp_path / "all.jsonl").open()
    assert str(refused.value) == f"Another process has {file.path} open ({file.path}.lock is locked)."
    lines = [(each, json.dumps({"position": each, "x": "y" * 70_000}).encode() + b"\n") for each in (3, 5, 9)]

    file.append(lines[:2])
    file.append(lines)
    file.close()

    assert file.open() == 9
    file.close()
    assert [json.loads(line)["position"] for line in file.path.read_text().splitlines()] == [3, 5, 9]
    with file.path.open("ab") as more:
        more.write(b"no event\n")
        os.fsync(more.fileno())
    with pytest.raises(InvalidInput, match="does not end with an event"):
        file.open()
