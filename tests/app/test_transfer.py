"""A ledger that was exported and imported has the same bytes, whatever the databases are."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from msgspec import structs

from adapters.hashes import digest_after
from adapters.sqlite.ledger import SqliteLedger
from app.transfer import copying as transfer
from app.transfer.copying import header_of, write_export
from app.transfer.lines import Totals
from domain.errors import Deposed, InvalidInput, LedgerCorrupt
from domain.events import NOTHING, BlobRef, Recorded, RunTriggered
from domain.ports import START, CopyableLedger, Sealed
from tests.adapters.ledgers import triggered
from tests.app.transfers import (
    BLOBS,
    DELIVERED,
    EVENTS,
    FORKED,
    LARGE,
    LEDGERS,
    erase,
    erase_run,
    exported,
    fill,
    imported,
    whole,
)
from tests.projections.histories import chances, history


@pytest.fixture(params=LEDGERS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CopyableLedger]:
    with LEDGERS[request.param](tmp_path) as ledger:
        yield ledger


@pytest.fixture(params=LEDGERS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CopyableLedger]:
    with LEDGERS[request.param](tmp_path) as ledger:
        yield ledger


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[CopyableLedger]:
    with LEDGERS["sqlite-memory"](tmp_path) as ledger:
        yield ledger


def test_a_copy_has_the_same_events_values_and_hashes(source: CopyableLedger, target: CopyableLedger) -> None:
    head = fill(source, EVENTS, BLOBS)
    export = exported(source)

    totals = imported(export, target)

    assert totals == Totals(events=4, blobs=1, missing_blobs=0)
    assert target.head() == head
    assert whole(target) == whole(source)
    assert target.blob("run_2/payload") == LARGE
    assert list(target.verify()) == []
    assert exported(target) == export


def test_a_large_result_that_a_replay_was_given_comes_along(source: CopyableLedger, target: CopyableLedger) -> None:
    fill(source, [*EVENTS, FORKED], {**BLOBS, "run_3/step/0": LARGE})

    totals = imported(exported(source), target)

    assert totals == Totals(events=5, blobs=2, missing_blobs=0)
    assert target.read_after(4, limit=1) == [FORKED]
    assert target.blob("run_3/step/0") == LARGE


def test_a_payload_that_runs_share_is_copied_once(spare: CopyableLedger, target: CopyableLedger) -> None:
    fill(spare, DELIVERED, {"event_1/payload": LARGE})

    totals = imported(exported(spare), target)

    assert totals == Totals(events=4, blobs=1, missing_blobs=0)
    assert target.blob("event_1/payload") == LARGE
    assert exported(target) == exported(spare)


@settings(max_examples=20, deadline=None)
@given(chance=chances)
def test_any_history_comes_back_from_postgresql_as_it_was(chance: Random) -> None:
    events, blobs = _with_large_values(history(chance, 60), chance)
    folder = Path()  # no file is made there
    with (
        LEDGERS["sqlite-memory"](folder) as source,
        LEDGERS["postgres"](folder) as between,
        LEDGERS["sqlite-memory"](folder) as back,
    ):
        fill(source, events, blobs)
        export = exported(source)

        imported(export, between)
        imported(exported(between), back)

        assert exported(back) == export
        assert back.read_after(0, limit=1_000) == events
        assert {key: back.blob(key) for key in blobs} == blobs


def test_an_event_of_another_version_keeps_its_bytes(source: CopyableLedger, target: CopyableLedger) -> None:
    """This version would write the fields in another order, and without the spaces."""
    state = b'{"data": {"until": 7}, "cause": "", "actor": "", "recorded_at": 2, "occurred_at": 1, "environment": ""}'
    digest = digest_after(START.digest, (1, "run_1", 1, "RunDelayed", state))
    old = Sealed(1, "run_1", 1, "RunDelayed", state, digest)
    assert source.restore([old], {}, after=START).digest == digest

    imported(exported(source), target)

    assert whole(target) == [old]


def test_an_erased_value_is_counted_and_stays_erased(source: CopyableLedger, target: CopyableLedger) -> None:
    fill(source, EVENTS, BLOBS)
    erase(source, "run_2/payload")

    totals = imported(exported(source), target)

    assert totals == Totals(events=4, blobs=0, missing_blobs=1)
    assert whole(target) == whole(source)
    assert target.blob("run_2/payload") is None


@pytest.mark.parametrize("page", [1, 3])
def test_an_export_ends_where_it_began_while_a_writer_goes_on(
    source: CopyableLedger, spare: CopyableLedger, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(transfer, "PAGE", page)
    fill(source, EVENTS, BLOBS)
    before, file = exported(source), BytesIO()

    def go_on(position: int) -> None:
        head = source.head()
        source.append(triggered(head, f"run_{10 + position}"), {}, after=head)

    write_export(header_of(source), source, file, go_on)

    assert source.head().position > 4
    assert file.getvalue() == before
    assert imported(before, spare).events == 4


def test_an_export_in_the_middle_of_which_something_is_erased_is_to_be_made_again(
    source: CopyableLedger, spare: CopyableLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PAGE", 2)
    fill(source, EVENTS, BLOBS)

    with pytest.raises(InvalidInput, match=r"Event 4 was erased while it was exported: export once more\."):
        write_export(header_of(source), source, BytesIO(), lambda _: erase_run(source, "run_1"))

    assert imported(exported(source), spare) == Totals(events=6, blobs=1, missing_blobs=0)
    assert whole(spare) == whole(source)


def test_an_empty_ledger_can_be_copied(source: CopyableLedger, target: CopyableLedger) -> None:
    assert imported(exported(source), target) == Totals()
    assert target.head() == START


def test_what_came_later_can_follow(source: CopyableLedger, target: CopyableLedger) -> None:
    head = fill(source, EVENTS, BLOBS)
    imported(exported(source), target)
    source.append(triggered(head, "run_8", "run_9"), {}, after=head)

    totals = imported(exported(source, after=4), target)

    assert totals.events == 2
    assert whole(target) == whole(source)


def test_an_export_cannot_begin_behind_the_end(spare: CopyableLedger) -> None:
    fill(spare, EVENTS, BLOBS)

    with pytest.raises(InvalidInput, match="There is no event 5 to begin behind: the ledger ends with event 4"):
        header_of(spare, after=5)


def test_restored_events_land_behind_the_head_or_not_at_all(source: CopyableLedger, target: CopyableLedger) -> None:
    head = fill(source, EVENTS, BLOBS)

    with pytest.raises(Deposed):
        target.restore(whole(source)[1:], {"run_2/payload": LARGE}, after=head)

    assert target.head() == START
    assert target.blob("run_2/payload") is None


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("update events set topic = 'RunExpired' where notification_id = 3", "Event 3 is not as it was appended"),
        ("delete from events where notification_id = 3", "Event 3 is missing"),
        ("update blobs set value = x'00'", "The value run_2/payload is not the one that was stored"),
    ],
)
@pytest.mark.parametrize("page", [1, 500])
def test_a_damaged_ledger_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, sentence: str, page: int
) -> None:
    monkeypatch.setattr(transfer, "PAGE", page)
    with closing(SqliteLedger(tmp_path / "ledger.db")) as source:
        fill(source, EVENTS, BLOBS)
        _change(tmp_path / "ledger.db", damage)

        with pytest.raises(LedgerCorrupt, match=sentence):
            exported(source)


def _with_large_values(events: list[Recorded], chance: Random) -> tuple[list[Recorded], dict[str, bytes]]:
    """The same history, in which some payloads stand beside the ledger."""
    blobs: dict[str, bytes] = {}
    changed: list[Recorded] = []
    for each in events:
        event = each.event
        if isinstance(event, RunTriggered) and chance.random() < 0.4:
            key, value = f"{each.stream}/payload", chance.randbytes(chance.randrange(1, 400))
            ref = BlobRef(key, hashlib.sha256(value).hexdigest(), len(value))
            event = structs.replace(event, payload=NOTHING, payload_blob=ref)
            blobs[key] = value
        changed.append(structs.replace(each, event=event) if event is not each.event else each)
    return changed, blobs


def _change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
