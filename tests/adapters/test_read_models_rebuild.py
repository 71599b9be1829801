"""A rebuild makes every row anew while others read and follow."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from adapters.sqlite.ledger import SqliteLedger
from app.engine import rebuild as rebuilds
from app.engine.rebuild import rebuild
from app.history.verify import verify
from domain import events as e
from domain.errors import LedgerCorrupt, OutOfStep
from domain.events import Recorded
from domain.ports import START, Head
from projections import fold
from projections.run_row import RunRow
from tests.adapters.read_models import Opener, Tables, dump, follow, ledger_of, tables_and_indexes, tamper
from tests.app.transfers import BLOBS, EVENTS, LEDGERS, erase_run, fill
from tests.projections.histories import chances, history, of_run, unhurried
from tests.projections.model import naively

TRIGGERED = e.RunTriggered("greet", "urgent", tags=("red",), metadata=Raw(b'{"a":1}'))
STARTED = (e.RunDequeued(2, "worker_1", "20260101.1"), e.AttemptStarted(1, 2, "worker_1", "20260101.1"))
HISTORY = of_run(TRIGGERED, *STARTED)


@settings(unhurried, max_examples=20)
@given(chances, st.integers(1, 80), st.integers(10, 60))
def test_rebuilt_rows_are_those_of_the_pure_fold(empty: Opener, chance: Random, length: int, chunk: int) -> None:
    records = history(chance, length)
    ledger = ledger_of(records)
    read_models = empty()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilds, "CHUNK", chunk)
        head = rebuild(ledger, read_models)

    assert head == ledger.head() == read_models.position()
    assert dump(read_models) == naively(records)
    assert verify(ledger, read_models).holds


def test_a_rebuild_leaves_one_set_of_tables_with_all_their_indexes(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    before = tables_and_indexes(read_models)
    for _ in range(2):
        rebuild(ledger, read_models)

        assert tables_and_indexes(read_models) == before


def test_whoever_follows_goes_on_from_where_the_rebuild_ended(read_models: Tables) -> None:
    records = history(Random(3), 60)
    ledger = ledger_of(records)
    follow(read_models, ledger, upto=40)
    rebuild(ledger, read_models)
    more = of_run(TRIGGERED, stream="run_new")
    (last,) = [
        Recorded(61, "run_new", 1, "env_a", 1, records[-1].recorded_at, "test", "test", each.event) for each in more
    ]
    after = ledger.append([last], {}, after=ledger.head())

    assert read_models.apply([*records[40:], last], after) == after
    assert verify(ledger, read_models).holds


class BusyLedger(SqliteLedger):
    """A ledger to which something happens whenever somebody asks for its head."""

    happenings: ClassVar[list[Callable[[], object]]] = []

    def head(self) -> Head:
        head = super().head()
        if self.happenings:
            self.happenings.pop(0)()
        return head


def test_a_rebuild_catches_up_with_whoever_follows_meanwhile(read_models: Tables, tmp_path: Path) -> None:
    records = history(Random(4), 60)
    ledger = BusyLedger(tmp_path / "ledger.db")

    def append(start: int, end: int) -> Head:
        last = ledger.digest_at(start)
        assert last is not None
        return ledger.append(records[start:end], {}, after=Head(start, last))

    def append_and_follow(start: int, end: int) -> None:
        read_models.apply(records[start:end], append(start, end))

    append_and_follow(0, 20)
    # The head is asked for before the fold, behind it, and in the transaction of the swap.
    ledger.happenings[:] = [partial(append_and_follow, 20, 30), partial(append_and_follow, 30, 40)]
    ledger.happenings.append(partial(append, 40, 50))
    rebuild(ledger, read_models)

    assert ledger.happenings == []
    assert read_models.position().position == 40
    assert dump(read_models) == naively(records[:40])
    append(50, 60)
    assert read_models.apply(records[30:], ledger.head()) == ledger.head()
    assert verify(ledger, read_models).holds


def test_a_position_past_the_ledger_is_taken_back(read_models: Tables) -> None:
    records = history(Random(5), 40)
    follow(read_models, ledger_of(records))
    shorter = ledger_of(records[:30])

    assert not verify(shorter, read_models).digest_matches
    assert rebuild(shorter, read_models) == shorter.head()
    assert verify(shorter, read_models).holds


def test_another_shape_is_healed(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger)
    tamper(read_models, "update tracked set shape = 'before'")
    tamper(read_models, "alter table run_rows rename column queue to pool")
    tamper(read_models, "drop table state_rows")
    report = verify(ledger, read_models)
    rebuild(ledger, read_models)

    assert (report.shape_matches, report.holds, report.rows) == (False, False, {})
    assert read_models.checkpoint()[2]
    assert dump(read_models) == naively(HISTORY)


def test_a_ledger_that_tells_of_no_sound_rows_leaves_those_that_are_read(read_models: Tables) -> None:
    unsound = Recorded(4, "run_2", 1, "env_a", 1, 1, "test", "test", e.RunCanceled())
    ledger = ledger_of([*HISTORY, unsound])
    follow(read_models, ledger_of(HISTORY))

    with pytest.raises(LedgerCorrupt, match="no run run_2"):
        rebuild(ledger, read_models)
    assert dump(read_models) == naively(HISTORY)


@pytest.mark.parametrize("kind", ["sqlite-file", "postgres"])
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize(("chunk", "tail"), [(1, 0), (2, 0), (50, 0), (50, 2_000)])
def test_no_rows_are_made_of_an_event_that_somebody_changed(
    read_models: Tables, tmp_path: Path, kind: str, at: int, chunk: int, tail: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilds, "CHUNK", chunk)
    monkeypatch.setattr(rebuilds, "TAIL_MAX", tail)
    with LEDGERS[kind](tmp_path) as ledger:
        ledger.append(HISTORY, {}, after=START)
        follow(read_models, ledger)
        (row,) = ledger.sealed_at([at])
        ledger.erase({at: row.state.replace(b'"actor":"test"', b'"actor":"f"')}, [])

        with pytest.raises(LedgerCorrupt, match=rf"^Event {at} is not as it was appended: .* Restore the ledger from"):
            rebuild(ledger, read_models, verifies=True)
    assert dump(read_models) == naively(HISTORY)


def test_what_was_changed_behind_the_fold_is_found_before_the_swap(read_models: Tables, tmp_path: Path) -> None:
    ledger = BusyLedger(tmp_path / "ledger.db")
    before = ledger.append(HISTORY[:2], {}, after=START)

    def append_and_change() -> None:
        ledger.append(HISTORY[2:], {}, after=before)
        (row,) = ledger.sealed_at([3])
        ledger.erase({3: row.state + b" "}, [])

    ledger.happenings.append(lambda: None)
    ledger.happenings.append(append_and_change)

    with pytest.raises(LedgerCorrupt, match=r"^Event 3 is not as it was appended"):
        rebuild(ledger, read_models, verifies=True)
    assert dump(read_models) == naively([])


def test_of_what_was_erased_rows_are_made_that_equal_the_ledger(read_models: Tables, tmp_path: Path) -> None:
    with LEDGERS["sqlite-file"](tmp_path) as ledger:
        fill(ledger, EVENTS, BLOBS)
        erase_run(ledger, "run_1")

        assert rebuild(ledger, read_models, verifies=True) == ledger.head()
        assert verify(ledger, read_models).holds


def test_tables_with_other_counts_than_the_events_tell_of_are_not_swapped_in(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger)
    fresh = read_models.start_rebuild()
    rebuilds.follow(ledger, fresh, 3)
    tamper(read_models, "delete from attempt_rows_next")

    with pytest.raises(OutOfStep, match="attempt_rows was rebuilt with 0 rows instead of 1"):
        fresh.swap(lambda _: ((), fresh.head))
    assert dump(read_models) == naively(HISTORY)


@pytest.mark.parametrize(
    ("history", "rows"), [(of_run(TRIGGERED), 0), (of_run(TRIGGERED, e.TagsAdded(("blue",))), 2)], ids=["none", "both"]
)
def test_a_fold_that_is_wrong_about_which_rows_tell_a_state_is_noticed(
    read_models: Tables, history: list[Recorded], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_of(history)
    fold_rightly = fold._fold_state_of_run  # pyright: ignore[reportPrivateUsage]

    def fold_wrongly(run: RunRow, *rest: Any) -> None:
        fold_rightly(run, *rest)
        run.tells_state = not run.tells_state

    monkeypatch.setattr(fold, "_fold_state_of_run", fold_wrongly)

    with pytest.raises(OutOfStep, match=f"state_rows was rebuilt with {rows} rows instead of 1"):
        rebuild(ledger, read_models)


def test_metadata_in_the_words_of_a_row_tell_no_state(read_models: Tables) -> None:
    named_alike = e.RunTriggered("greet", "urgent", metadata=Raw(b'{"tells_state":true}'))
    ledger = ledger_of(of_run(named_alike, e.MetadataUpdated(Raw(b'{"a":"\\u0000","tells_state":true}'))))

    rebuild(ledger, read_models)

    assert verify(ledger, read_models).holds


def test_a_rebuild_that_was_given_up_is_not_in_the_way_of_the_next(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger, upto=1)
    given_up = read_models.start_rebuild()
    rebuilds.follow(ledger, given_up, 2)
    given_up.index()
    rebuild(ledger, read_models)

    assert dump(read_models) == naively(HISTORY)
