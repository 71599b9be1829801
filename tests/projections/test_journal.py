"""The journal that people read, against the state that decisions are made on."""

from random import Random

from hypothesis import given

from domain.run import Run
from projections.journal import EntryKind, EntryStatus, journal_of
from tests.projections.histories import Historian, chances, unhurried


@given(chances)
@unhurried
def test_every_entry_has_a_row_and_the_open_waits_are_those_of_the_run(chance: Random) -> None:
    historian = Historian(chance)
    for _ in range(150):
        historian.go_on()

    for run in [state for state in historian.states.values() if isinstance(state, Run)]:
        rows = journal_of(each for each in historian.records if each.stream == run.id)

        assert [row.entry.index for row in rows] == list(range(run.journal))
        waiting = [row for row in rows if row.kind in {EntryKind.WAIT, EntryKind.TRY} and row.ended_at is None]
        assert [(row.entry.index, row.until) for row in waiting] == [(wait.index, wait.until) for wait in run.waits]
        assert all(
            (row.status is EntryStatus.WAITING) is (row in waiting) for row in rows if row.kind is EntryKind.WAIT
        )
        assert all(row.status is EntryStatus.FAILED and row.error for row in rows if row.kind is EntryKind.TRY)
