"""What a segment tells is compared with the ledger, and what is erased in one is told as erased."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.tombstones import leaf_of
from app.keeping.checked import checked_segment
from app.keeping.segments import Segment, WrongSegment, path_of, read_segment, segment_of, write_segment
from app.transfer.lines import EventLine, content_of
from domain.commands import EraseRuns
from tests.adapters.synced import synced_folders
from tests.app.harness import Engine, ledger_mistakes
from tests.app.test_erasing import SECRET, secret_run, told
from tests.app.test_retaining import KEYS_MS, archive, keep_a_day

Lines = list[dict[str, Any]]


async def archived_run(engine: Engine, folder: Path, *, large: bool = True) -> tuple[str, str]:
    """A run with the secret, and the segment that it went to."""
    run = await secret_run(engine, large=large)
    environment = await keep_a_day(engine, folder)
    engine.clock.wall += KEYS_MS
    (segment,) = await archive(engine, environment)
    return run, segment


def file_of(engine: Engine, folder: Path, segment: str) -> Path:
    (environment,) = engine.service.environments()
    return path_of(folder / environment.id, segment)


def _forge_a_tombstone(lines: Lines) -> None:
    """An output that nobody gave, under the leaf of the one that somebody gave."""
    at = next(index for index, line in enumerate(lines) if line.get("topic", "").startswith("AttemptSucceeded"))
    event = content_of(msgspec.json.encode(lines[at]))
    assert isinstance(event, EventLine)
    data = lines[at]["state"]["data"] | {"output": "forged", "output_blob": None}
    mark = {"receipt": lines[0]["id"], "leaf": leaf_of(event.sealed()[:5]).hex()}
    lines[at]["state"] = {"erased": mark} | lines[at]["state"] | {"data": data}
    _leave_out_values(lines, "output")


def _leave_out_values(lines: Lines, name: str = "") -> None:
    gone = [line for line in lines if line.get("line") == "blob" and name in line["key"]]
    lines[:] = [line for line in lines if line not in gone]
    lines[-1]["blobs"] -= len(gone)


def _make_no_event_of_one(lines: Lines) -> None:
    event = next(line for line in lines if "blob" in str(line.get("state")))
    event["state"] = {"data": 1}


TAMPERED: dict[str, tuple[Callable[[Lines], None], str]] = {
    "a forged tombstone": (_forge_a_tombstone, "is not the one that the ledger tells of."),
    "values left out": (_leave_out_values, "any more."),
    "no event": (_make_no_event_of_one, ""),
}


@pytest.mark.parametrize("tamper", TAMPERED)
async def test_a_segment_that_verifies_by_itself_and_was_changed_is_refused(
    engine: Engine, tmp_path: Path, tamper: str
) -> None:
    run, name = await archived_run(engine, tmp_path)
    file = file_of(engine, tmp_path, name)
    change, sentence = TAMPERED[tamper]
    lines = [msgspec.json.decode(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    change(lines)
    file.write_bytes(gzip.compress(b"".join(msgspec.json.encode(line) + b"\n" for line in lines)))

    for path in (f"/api/v3/runs/{run}", f"/api/v1/runs/{run}/events", f"/api/v1/runs/{run}/result"):
        said = await engine.refused("GET", path, 404)
        assert said.startswith(f"Run {run} was archived in segment {name}, which cannot be read: ")
        assert said.endswith(sentence)
    with pytest.raises(WrongSegment):
        checked_segment(engine.service.ledger, tmp_path, engine.service.environments()[0].id, name)
    assert await engine.refused("POST", f"/api/v1/runs/{run}/erase", 422, json={})


async def test_any_byte_of_a_segment_that_is_no_utf8_is_found(engine: Engine, tmp_path: Path) -> None:
    _, name = await archived_run(engine, tmp_path)
    file = file_of(engine, tmp_path, name)
    content = gzip.decompress(file.read_bytes())

    for at in range(0, len(content), 7):
        file.write_bytes(gzip.compress(content[:at] + b"\xff" + content[at + 1 :], 0))
        with pytest.raises(WrongSegment):
            read_segment(file)


async def test_what_is_not_read_back_leaves_the_file_that_was_there(engine: Engine, tmp_path: Path) -> None:
    _, name = await archived_run(engine, tmp_path)
    file = file_of(engine, tmp_path, name)
    old = read_segment(file)
    wrong = msgspec.structs.replace(old.header, root="0" * 64)

    with pytest.raises(WrongSegment, match="its root is another one"):
        write_segment(file.parent, Segment(wrong, old.events, old.blobs))

    assert read_segment(file) == old
    assert [*file.parent.iterdir()] == [file]


async def test_the_folder_of_a_new_segment_is_written_to_the_disk(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, name = await archived_run(engine, tmp_path)
    segment = read_segment(file_of(engine, tmp_path, name))
    folders = synced_folders(monkeypatch)

    write_segment(tmp_path / "another" / "one", segment)

    assert "another" in folders[0]
    assert folders[1:] == [["one"], [path_of(tmp_path, name).name]]


async def test_a_segment_made_anew_with_other_values_is_refused(engine: Engine, tmp_path: Path) -> None:
    run, name = await archived_run(engine, tmp_path, large=False)
    file = file_of(engine, tmp_path, name)
    old = read_segment(file)
    events = [each._replace(state=each.state.replace(SECRET.encode(), b"FORGED")) for each in old.events]

    write_segment(file.parent, segment_of(name, old.header.environment, events, old.blobs.get))

    said = await engine.refused("GET", f"/api/v3/runs/{run}", 404)
    assert said.endswith(f"Segment {name} is not the one that the ledger tells of.")


async def test_a_segment_without_some_events_of_a_run_is_refused(engine: Engine, tmp_path: Path) -> None:
    run, name = await archived_run(engine, tmp_path, large=False)
    file = file_of(engine, tmp_path, name)
    old = read_segment(file)
    fewer = segment_of(name, old.header.environment, old.events[:-1], old.blobs.get)
    lines = gzip.decompress(write(file, fewer)).replace(fewer.header.root.encode(), old.header.root.encode())

    file.write_bytes(gzip.compress(lines))

    assert "its root is another one" in await engine.refused("GET", f"/api/v3/runs/{run}", 404)


def write(file: Path, segment: Segment) -> bytes:
    write_segment(file.parent, segment)
    return file.read_bytes()


async def test_an_archived_run_that_is_erased_has_a_receipt_of_each_event_and_says_so(
    engine: Engine, tmp_path: Path
) -> None:
    run, name = await archived_run(engine, tmp_path)

    kept = await engine.post(f"/api/v1/runs/{run}/erase")
    named = await engine.retrieve(run)
    receipt = await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})
    again = await engine.post(f"/api/v1/runs/{run}/erase", {"withNames": True})

    assert {each["run"] for each in kept["events"]} == {run}
    assert len(kept["events"]) > len(receipt["events"]) > 0
    assert kept["rewritten"] == receipt["rewritten"] == [name]
    assert again is None
    assert named["isErased"] is True
    assert sorted(named["tags"]) == [f"more-{SECRET}", f"user-{SECRET}"]
    after = await engine.retrieve(run)
    assert (after["isErased"], after["payload"], after["output"], after["tags"]) == (True, None, None, [])
    assert (after["status"], after["archivedIn"]) == ("COMPLETED", name)
    for path in ("events", "journal", "logs", "result", "explain"):
        assert SECRET not in msgspec.json.encode(await engine.get(f"/api/v1/runs/{run}/{path}")).decode()
    types = await engine.events(run)
    assert types[-1] == "RunArchived"
    assert "RunErased" not in types
    assert await ledger_mistakes(engine) == []


async def test_receipts_of_archived_runs_without_seals_still_count(engine: Engine, tmp_path: Path) -> None:
    run, name = await archived_run(engine, tmp_path)
    (environment,) = engine.service.environments()
    version = len(await engine.service.history(run))
    origin: dict[str, Any] = {"environment": environment.id, "actor": "a", "cause": "b", "at": engine.clock.wall}
    command = EraseRuns(erasure="erasure_1", runs={run: version}, seals={}, rewritten=(name,), **origin)

    await engine.service.loop.submit(command)
    engine.service.erasures._news.set()  # pyright: ignore[reportPrivateUsage]
    while (await engine.service.history("erasure_1"))[-1].version == 1:
        await engine.service.loop.feed.grown(engine.head)

    assert (await engine.retrieve(run))["isErased"] is True
    # Of a tombstone without a seal nothing but names is believed.
    file = file_of(engine, tmp_path, name)
    old = read_segment(file)
    changed = [each._replace(state=each.state.replace(b'"name":"look"', b'"name":"leak"')) for each in old.events]
    assert changed != old.events
    write_segment(file.parent, Segment(old.header, changed, old.blobs))
    assert await engine.refused("GET", f"/api/v3/runs/{run}", 404)


async def test_a_large_payload_of_a_further_trigger_is_erased_with_the_run(engine: Engine, tmp_path: Path) -> None:
    version = await engine.register()
    asked: dict[str, Any] = {"delay": "1m", "debounce": {"key": "k", "delay": "5s", "mode": "trailing"}}
    first = await engine.trigger(payload=f"{SECRET}1" * 5_000, **asked)
    assert await engine.trigger(payload=f"{SECRET}2" * 5_000, **asked) == first
    second = await engine.trigger(
        payload=f"{SECRET}3" * 5_000, debounce={"key": "l", "delay": "5s", "mode": "trailing"}
    )
    await engine.trigger(payload=f"{SECRET}4" * 5_000, debounce={"key": "l", "delay": "5s", "mode": "trailing"})
    await engine.advance(60_000)
    await engine.perform(version)
    await engine.perform(version)

    await engine.post(f"/api/v1/runs/{first}/erase")

    left = told(engine.service.ledger)
    assert all(f"{SECRET}{number}".encode() not in left for number in (1, 2))
    environment = await keep_a_day(engine, tmp_path)
    engine.clock.wall += KEYS_MS
    (name,) = await archive(engine, environment)
    assert SECRET.encode() not in told(engine.service.ledger)
    assert f"{SECRET}4" in (await engine.retrieve(second))["payload"]
    await engine.post(f"/api/v1/runs/{second}/erase")
    assert read_segment(file_of(engine, tmp_path, name)).blobs == {}
