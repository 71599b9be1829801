"""What a segment tells is compared with the ledger."""

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
from tests.app.harness import Engine
from tests.app.test_erasing import SECRET, secret_run
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
