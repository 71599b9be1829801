"""What an import refuses, where it says that it does, and how it goes on after an interruption."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.transfer import copying as transfer
from app.transfer.lines import WrongExport
from app.transfer.reading import Entry, Reader
from domain.ports import START, CopyableLedger
from tests.adapters.ledgers import triggered
from tests.app.transfers import BLOBS, EVENTS, LEDGERS, exported, fill, imported, whole
from tests.projections.histories import unhurried


def _export() -> bytes:
    with LEDGERS["sqlite-memory"](Path()) as source:
        fill(source, EVENTS, BLOBS)
        return exported(source)


EXPORT = _export()
HEADER, FIRST, SECOND, BLOB, THIRD, FOURTH, END = LINES = EXPORT.splitlines(keepends=True)


@pytest.fixture(params=LEDGERS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CopyableLedger]:
    with LEDGERS[request.param](tmp_path) as ledger:
        yield ledger


def test_a_file_that_was_cut_off_anywhere_is_refused() -> None:
    for length in range(len(EXPORT)):
        if length in range(len(HEADER + FIRST + SECOND) + 50, len(HEADER + FIRST + SECOND + BLOB) - 50):
            continue  # all of this is base64
        with pytest.raises(WrongExport, match=r"The first line is not|The file is cut off in line"):
            _entries(EXPORT[:length])


@unhurried
@given(place=st.integers(0, len(EXPORT) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_makes_no_difference(place: int, byte: int) -> None:
    changed = EXPORT[:place] + bytes([byte]) + EXPORT[place + 1 :]
    try:
        found = _entries(changed)
    except WrongExport:
        return
    assert found == _entries(EXPORT)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ((HEADER, FIRST, THIRD, FOURTH, END), "Line 3 is event 3, and event 2 should be there."),
        ((HEADER, FIRST, SECOND.replace(b"env_1", b"env_2"), BLOB), "Line 3 is not event 2 as it was exported: its h"),
        ((HEADER, FIRST, SECOND.replace(b"RunTriggered", b"RunExpired"), BLOB), "Line 3 is not event 2 as it was exp"),
        ((HEADER, FIRST, SECOND, THIRD, FOURTH, END), "Line 6 counts 4 events, 1 large values and 0 missing ones, and"),
        ((HEADER, FIRST, BLOB), "Line 3 is the value run_2/payload, which event 1 does not have."),
        ((HEADER, BLOB), "Line 2 is the value run_2/payload, which event 0 does not have."),
        ((HEADER, FIRST, SECOND, BLOB, BLOB), "Line 5 is the value run_2/payload, which event 2 does not have."),
        ((HEADER, FIRST, SECOND, BLOB.replace(b"AAEC", b"AAED")), "Line 4 is not the value run_2/payload of event 2"),
        ((HEADER, FIRST, SECOND, BLOB, END), "Line 5 ends the file after event 2 of 4."),
        ((*LINES, END), "Line 8 stands behind the end."),
        ((HEADER, FIRST, b"\n"), "Line 3 is not one of an export: "),
        ((HEADER, FIRST, b'{"line":"event","position":2}\n'), "Line 3 is not one of an export: "),
    ],
)
def test_a_line_that_is_wrong_is_named(lines: tuple[bytes, ...], sentence: str) -> None:
    with pytest.raises(WrongExport) as refused:
        _entries(b"".join(lines))

    assert str(refused.value).startswith(sentence)


def test_more_events_than_announced_or_another_end_are_refused() -> None:
    header = json.loads(HEADER)
    short = header | {"head": header["head"] | {"position": 3}}
    other = header | {"head": header["head"] | {"digest": "ab" * 32}}

    with pytest.raises(WrongExport, match="Line 6 is event 4, and the file should end with event 3"):
        _entries(EXPORT.replace(HEADER, _line({**short, "head": {"position": 3, "digest": _digest(THIRD)}})))
    with pytest.raises(WrongExport, match="Line 6 is event 4 with another hash than the first line has for it"):
        _entries(EXPORT.replace(HEADER, _line(other)))


def test_a_value_that_was_changed_together_with_its_hash_is_refused() -> None:
    forged = _line(json.loads(BLOB) | {"value": "AAAA", "sha256": hashlib.sha256(bytes(3)).hexdigest()})

    with pytest.raises(WrongExport, match="Line 4 is not the value run_2/payload of event 2: its hash is wrong"):
        _entries(EXPORT.replace(BLOB, forged))


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"", "The first line is not that of an export"),
        (b"hello\n", "The first line is not that of an export"),
        (b"\xff\xfe\n", "The first line is not that of an export"),
        (b"x" * 10_000, "The first line is not that of an export"),
        (gzip.compress(EXPORT), "The first line is not that of an export"),
        (b'{"format":"other","version":1}\n', "The file is a 'other', and not an export of a ledger"),
        (HEADER.replace(b'"version":1', b'"version":2'), "The export is of version 2; this program reads version 1."),
        (HEADER.replace(b'"position":0', b'"position":-1'), "The first line is not that of an export"),
    ],
)
def test_a_file_of_another_kind_is_refused(file: bytes, sentence: str) -> None:
    with pytest.raises(WrongExport) as refused:
        Reader(BytesIO(file))

    assert str(refused.value).startswith(sentence)


def test_a_broken_archive_is_refused_like_a_file_that_was_cut_off() -> None:
    packed = gzip.compress(EXPORT)
    cut = gzip.GzipFile(fileobj=BytesIO(packed[: len(packed) // 2]))
    with pytest.raises(WrongExport, match="The file is cut off in line"):
        list(Reader(cut).entries())


def test_nothing_behind_a_wrong_hash_is_taken_and_a_sound_file_goes_on_there(
    ledger: CopyableLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BATCH_EVENTS_MAX", 2)
    broken = EXPORT.replace(FOURTH, FOURTH.replace(b"env_1", b"env_2"))

    with pytest.raises(WrongExport) as refused:
        imported(broken, ledger)

    assert str(refused.value) == (
        "Line 6 is not event 4 as it was exported: its hash is wrong. "
        "The ledger has the events up to 2, and none behind that."
    )
    assert [each.position for each in whole(ledger)] == [1, 2]

    imported(EXPORT, ledger)

    assert exported(ledger) == EXPORT


@pytest.mark.parametrize("known", [1, 2, 3, 4])
def test_an_import_goes_on_where_it_was_interrupted(ledger: CopyableLedger, known: int) -> None:
    fill(ledger, EVENTS[:known], BLOBS if known > 1 else {})

    imported(EXPORT, ledger)

    assert exported(ledger) == EXPORT


def test_a_ledger_with_another_history_is_refused_and_stays(ledger: CopyableLedger) -> None:
    head = fill(ledger, triggered(START, "run_7", "run_8"), {})

    with pytest.raises(WrongExport, match="The ledger is not empty, and its event 2 is not the one of the export"):
        imported(EXPORT, ledger)

    assert ledger.head() == head


def test_a_ledger_that_has_more_than_the_file_is_refused_and_stays(ledger: CopyableLedger) -> None:
    head = fill(ledger, EVENTS, BLOBS)
    head = ledger.append(triggered(head, "run_9"), {}, after=head)

    with pytest.raises(WrongExport, match="The ledger ends with event 5, and the export has the events 1 to 4"):
        imported(EXPORT, ledger)

    assert ledger.head() == head


def test_a_tail_is_refused_by_a_ledger_without_what_was_before(ledger: CopyableLedger, tmp_path: Path) -> None:
    with LEDGERS["sqlite-memory"](tmp_path) as source:
        fill(source, EVENTS, BLOBS)
        tail = exported(source, after=2)

    with pytest.raises(WrongExport, match="The ledger ends with event 0, and the export has the events 3 to 4"):
        imported(tail, ledger)
    fill(ledger, triggered(START, "run_7", "run_8"), {})
    with pytest.raises(WrongExport, match="The export begins behind another event 2 than the one in this ledger"):
        imported(tail, ledger)


def _entries(export: bytes) -> list[Entry]:
    return list(Reader(BytesIO(export)).entries())


def _line(content: object) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _digest(line: bytes) -> str:
    digest: str = json.loads(line)["digest"]
    return digest
