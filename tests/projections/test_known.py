"""Rows that are kept from batch to batch are those that are stored."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from domain import events as e
from domain.events import Recorded, RunError, RunEvent
from domain.ports import START, Head
from projections.attempts import OPEN
from projections.fold import Changes, fold, histories_of, touched
from projections.known import Known
from tests.projections.histories import chances, history, of_run, split, unhurried
from tests.projections.model import naively

FAILED = e.AttemptFailed(1, 2, RunError("no"))
TRIED_AGAIN: tuple[RunEvent, ...] = (e.RetryScheduled(0), e.RunEnqueued("retry"), e.RunDequeued(7, "w", "v"))


class Following:
    """What a follower does, with the rows that the naive fold has stored."""

    def __init__(self) -> None:
        self._known = Known()
        self._head = START
        self._seen: list[Recorded] = []

    def follow(self, batch: list[Recorded]) -> Changes:
        """Fold another batch; what is known for it is compared with what is stored."""
        self._known.begin(self._head, 1)
        histories, rows = histories_of(batch), naively(self._seen)
        loaded, missing = self._known.among(touched(histories))
        assert loaded.runs == {run: rows.runs[run] for run in loaded.runs}
        assert loaded.attempts == {run: rows.attempts[run, rows.runs[run].attempts] for run in loaded.attempts}
        assert loaded.states == {stream: rows.states[stream].state for stream in loaded.states}

        for run in filter(rows.runs.__contains__, missing.runs):
            loaded.runs[run] = rows.runs[run]
            if rows.runs[run].status in OPEN:
                loaded.attempts[run] = rows.attempts[run, rows.runs[run].attempts]
        loaded.states |= {each: rows.states[each].state for each in missing.states if each in rows.states}
        loaded.waitpoints |= {each: rows.waitpoints[each] for each in missing.waitpoints if each in rows.waitpoints}
        changes = fold(histories, loaded)
        self._head = Head(batch[-1].position, b"")
        self._known.learn(loaded, changes, self._head, 1)
        self._seen += batch
        return changes


@unhurried
@given(chances, st.integers(0, 120))
def test_what_is_known_is_what_is_stored(chance: Random, length: int) -> None:
    following = Following()
    for batch in split(history(chance, length), chance):
        if batch:
            following.follow(list(batch))


def test_of_two_attempts_in_one_batch_the_last_is_known() -> None:
    records = of_run(
        e.RunTriggered("greet", "task/greet"),
        *(e.RunDequeued(2, "w", "v"), e.AttemptStarted(1, 2, "w", "v")),
        *(FAILED, *TRIED_AGAIN, e.AttemptStarted(2, 7, "w", "v")),
        e.AttemptSucceeded(2, 7),
    )
    following = Following()
    following.follow(records[:3])
    following.follow(records[3:8])

    assert following.follow(records[8:]).attempts == [naively(records).attempts["run_1", 2]]
