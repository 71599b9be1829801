"""Batches of events give the rows that the events give one by one, and load no more than they need."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import events as e
from domain.errors import LedgerCorrupt
from projections.fold import Changes, Loaded, Touched, count, fold, histories_of, touched
from tests.projections.histories import chances, history, of_run, split, unhurried
from tests.projections.model import Rows, follow, naively

TRIGGERED = e.RunTriggered("greet", "task/greet", tags=("red",))
STARTED = (e.RunDequeued(2, "w", "v"), e.AttemptStarted(1, 2, "w", "v"))
SUCCEEDED = e.AttemptSucceeded(1, 2)


@unhurried
@given(chances, st.integers(0, 120))
def test_any_split_into_batches_gives_the_same_rows(chance: Random, length: int) -> None:
    records = history(chance, length)
    rows = Rows()
    for batch in split(records, chance):
        follow(rows, batch)

    assert rows == naively(records)


@unhurried
@given(chances, st.integers(0, 120))
def test_the_number_of_rows_can_be_told_without_a_fold(chance: Random, length: int) -> None:
    records = history(chance, length)
    rows = naively(records)
    counts = [count(batch) for batch in split(records, chance)]

    assert sum(each.runs for each in counts) == len(rows.runs)
    assert sum(each.attempts for each in counts) == len(rows.attempts)
    told = sum(row.tells_state for row in rows.runs.values())
    assert sum(each.states for each in counts) == len(rows.states) + told
    assert sum(each.waitpoints for each in counts) == len(rows.waitpoints)
    assert sum(each.schedules for each in counts) == len(rows.schedules)
    assert sum(each.listings for each in counts) == len(rows.listings)


def test_a_run_within_one_batch_loads_nothing_and_never_meets_the_checkpoint() -> None:
    histories = histories_of(of_run(TRIGGERED, *STARTED, SUCCEEDED))
    changes = fold(histories, Loaded())

    assert touched(histories) == Touched([], [], [])
    assert (len(changes.added), len(changes.tried), len(changes.tags)) == (1, 1, 1)
    assert (changes.changed, changes.attempts, changes.begun, changes.states, changes.gone) == ([], [], [], [], [])


def test_a_run_that_ends_in_a_batch_needs_its_row_and_not_its_state() -> None:
    records = of_run(TRIGGERED, *STARTED, SUCCEEDED)
    rows = naively(records[:3])
    histories = histories_of(records[3:])
    changes = fold(histories, Loaded(runs=rows.runs, attempts={"run_1": rows.attempts["run_1", 1]}))

    assert touched(histories) == Touched(["run_1"], [], [])
    assert changes == Changes(
        changed=[naively(records).runs["run_1"]],
        attempts=[naively(records).attempts["run_1", 1]],
        gone=["run_1"],
    )


def test_a_run_that_goes_on_needs_both() -> None:
    records = of_run(TRIGGERED, *STARTED)

    assert touched(histories_of(records[1:])) == Touched(["run_1"], ["run_1"], [])


def test_a_run_that_waits_meets_the_checkpoint_when_something_else_happens_to_it() -> None:
    records = of_run(TRIGGERED, *STARTED)
    waiting = fold(histories_of(records[:1]), Loaded())
    started = fold(histories_of(records[1:]), Loaded(runs={row.id: row for row in waiting.added}))

    assert (waiting.begun, waiting.states, [row.tells_state for row in waiting.added]) == ([], [], [True])
    assert (started.begun, started.states) == ([naively(records).states["run_1"]], [])
    assert [row.tells_state for row in started.changed] == [False]


def test_a_run_that_ends_while_it_waits_never_meets_the_checkpoint() -> None:
    records = of_run(TRIGGERED, *STARTED, SUCCEEDED)
    waiting = fold(histories_of(records[:1]), Loaded())
    ended = fold(histories_of(records[1:]), Loaded(runs={row.id: row for row in waiting.added}))

    assert (ended.begun, ended.states, ended.gone) == ([], [], [])
    assert [row.tells_state for row in ended.changed] == [False]


def test_what_a_row_cannot_tell_is_in_the_checkpoint() -> None:
    delayed = e.RunTriggered("greet", "task/greet", delay_until=1_700_000_000_000)

    changes = fold(histories_of(of_run(delayed)), Loaded())

    assert (len(changes.begun), [row.tells_state for row in changes.added]) == (1, [False])


def test_rows_that_were_lost_are_noticed() -> None:
    records = of_run(TRIGGERED, *STARTED)
    rows = naively(records[:2])

    with pytest.raises(LedgerCorrupt, match="There is no run run_1"):
        fold(histories_of(records[2:]), Loaded())
    with pytest.raises(LedgerCorrupt, match="knows nothing of run_1"):
        fold(histories_of(records[2:]), Loaded(runs=rows.runs))
