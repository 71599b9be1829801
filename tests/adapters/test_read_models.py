"""What read models promise: the rows of the pure fold, each event once, and a checkpoint to start from."""

import threading
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import events as e
from domain import states
from domain.errors import LedgerCorrupt, OutOfStep, Unavailable
from domain.ports import START, Head
from domain.states import State
from domain.status import Status
from projections import checkpoint
from projections.filters import RunFilter
from projections.queues import count
from tests.adapters.read_models import Opener, Tables, apply, dump, forget, head_of, tamper
from tests.projections.histories import ENVIRONMENTS, chances, history, of_run, split, unhurried
from tests.projections.model import naively

TRIGGERED = e.RunTriggered("greet", "task/greet", tags=("red",))
STARTED = (e.RunDequeued(2, "worker_1", "20260101.1"), e.AttemptStarted(1, 2, "worker_1", "20260101.1"))
HISTORY = of_run(TRIGGERED, *STARTED, e.AttemptSucceeded(1, 2))


def test_new_read_models_begin_at_the_start(read_models: Tables) -> None:
    assert read_models.position() == START
    assert read_models.checkpoint() == ([], START, True)


def test_what_was_followed_is_there(read_models: Tables) -> None:
    head = apply(read_models, HISTORY)

    assert head == read_models.position() == head_of(HISTORY)
    assert dump(read_models) == naively(HISTORY)
    assert read_models.get("run_1") == naively(HISTORY).runs["run_1"]
    assert read_models.get("run_2") is None
    assert read_models.attempts_of(["run_1", "run_2"]) == {
        "run_1": list(naively(HISTORY).attempts.values()),
        "run_2": [],
    }


@unhurried
@given(chances, st.integers(0, 100))
def test_rows_are_those_of_the_pure_fold(empty: Opener, chance: Random, length: int) -> None:
    records = history(chance, length)
    read_models = empty()
    for batch in split(records, chance):
        apply(read_models, batch)
    rows = naively(records)

    assert dump(read_models) == rows
    for environment in ENVIRONMENTS:
        runs = [row for row in rows.runs.values() if row.environment == environment]
        assert read_models.queues(environment) == count(runs)
        statuses = [row.status for row in runs]
        assert read_models.count_by_status(environment) == {status: statuses.count(status) for status in statuses}


@unhurried
@given(chances, st.integers(1, 60))
def test_a_batch_that_overlaps_what_was_followed_counts_once(empty: Opener, chance: Random, length: int) -> None:
    records = history(chance, length)
    read_models = empty()
    for end in sorted(chance.randrange(length) + 1 for _ in range(5)):
        start = chance.randrange(min(read_models.position().position + 1, end))
        apply(read_models, records[start:end])

        assert dump(read_models) == naively(records[:end])


def test_events_that_were_followed_already_change_nothing(read_models: Tables) -> None:
    apply(read_models, HISTORY)

    assert apply(read_models, HISTORY[:2]) == head_of(HISTORY)
    assert read_models.apply([], START) == head_of(HISTORY)
    assert dump(read_models) == naively(HISTORY)


def test_missing_events_are_noticed(read_models: Tables) -> None:
    apply(read_models, HISTORY[:1])

    with pytest.raises(OutOfStep, match="at event 1, and event 3 is to follow"):
        apply(read_models, HISTORY[2:])
    assert read_models.position() == head_of(HISTORY[:1])


def test_a_batch_that_cannot_be_followed_leaves_everything_as_it_was(read_models: Tables) -> None:
    apply(read_models, HISTORY[:1])
    (foreign,) = of_run(e.RunCanceled(), stream="run_2")
    foreign = type(foreign)(3, "run_2", 2, "env_a", 1, 1, "test", "test", foreign.event)

    with pytest.raises(LedgerCorrupt, match="no run run_2"):
        apply(read_models, [HISTORY[1], foreign])
    assert read_models.position() == head_of(HISTORY[:1])
    assert dump(read_models) == naively(HISTORY[:1])


def test_a_row_that_cannot_be_read_is_an_error_that_says_what_to_do(read_models: Tables) -> None:
    apply(read_models, HISTORY[:3])
    tamper(read_models, "update run_rows set detail = '{}'")
    forget(read_models)

    with pytest.raises(LedgerCorrupt, match="Verify and rebuild"):
        apply(read_models, HISTORY[3:])


def test_a_row_that_was_loaded_wrong_is_forgotten_with_the_tables_that_it_came_from(read_models: Tables) -> None:
    apply(read_models, HISTORY[:1])
    forget(read_models)
    tamper(read_models, "update run_rows set detail = replace(detail, 'red', 'blue')")
    apply(read_models, HISTORY[:2])
    rebuild = read_models.start_rebuild()
    rebuild.apply(HISTORY[:2], head_of(HISTORY[:2]))
    rebuild.index()
    rebuild.swap(lambda _: ((), rebuild.head))

    apply(read_models, HISTORY)

    assert dump(read_models) == naively(HISTORY)


@unhurried
@given(chances, st.integers(0, 50), st.integers(0, 50))
def test_a_checkpoint_and_the_tail_behind_it_are_the_whole_fold(
    empty: Opener, chance: Random, before: int, after: int
) -> None:
    records = history(chance, before + after)
    read_models = empty()
    read_models.apply(records[:before], head_of(records[:before]) if before else START)
    kept, head, is_our_shape = read_models.checkpoint()
    continued: dict[str, State | None] = {state.id: state for state in kept}
    for recorded in records[head.position :]:
        continued[recorded.stream] = checkpoint.project(continued.get(recorded.stream), recorded)

    streams = {recorded.stream for recorded in records}
    whole = {stream: states.fold(each for each in records if each.stream == stream) for stream in streams}
    assert is_our_shape
    assert {stream: state for stream, state in continued.items() if state is not None} == {
        stream: state for stream, state in whole.items() if state is not None and states.is_kept(state)
    }


def test_rows_of_another_shape_are_not_read_and_not_followed(read_models: Tables) -> None:
    apply(read_models, HISTORY[:3])
    tamper(read_models, "update tracked set shape = 'before'")

    assert read_models.checkpoint() == ([], head_of(HISTORY[:3]), False)
    with pytest.raises(OutOfStep, match="another shape"):
        apply(read_models, HISTORY[3:])


def test_attempts_come_in_order(read_models: Tables) -> None:
    again = [
        e.RunEnqueued("released"),
        e.RunDequeued(5, "worker_2", "20260101.1"),
        e.AttemptStarted(2, 5, "worker_2", "20260101.1"),
    ]
    apply(read_models, of_run(TRIGGERED, *STARTED, *again))

    assert [attempt.number for attempt in read_models.attempts_of(["run_1"])["run_1"]] == [1, 2]


def test_other_environments_do_not_count(read_models: Tables) -> None:
    apply(read_models, of_run(TRIGGERED))

    assert read_models.count_by_status("env_a") == {Status.QUEUED: 1}
    assert read_models.count_by_status("env_b") == {}
    assert read_models.queues("env_b") == []


def test_read_models_opened_again_go_on_where_they_were(opener: Opener) -> None:
    apply(opener(), HISTORY[:3])
    again = opener()
    apply(again, HISTORY[3:])

    assert dump(again) == naively(HISTORY)


def test_two_that_share_their_tables_see_each_other(opener: Opener) -> None:
    first, second = opener(), opener()
    apply(first, HISTORY[:3])

    assert apply(second, HISTORY) == head_of(HISTORY)
    assert first.position() == head_of(HISTORY)


def test_two_that_follow_at_the_same_time_count_each_event_once(opener: Opener) -> None:
    """An old writer's follower and that of the new one."""
    records = history(Random(7), 300)

    def follow(step: int) -> None:
        mine = opener()
        while (at := mine.position().position) < len(records):
            apply(mine, records[at : at + step])

    followers = [threading.Thread(target=follow, args=(step,)) for step in (3, 5)]
    for follower in followers:
        follower.start()
    for follower in followers:
        follower.join()

    assert dump(opener()) == naively(records)


def test_a_tag_may_have_any_character(read_models: Tables) -> None:
    tags = ("\0", "a\0b", "a\x01", "ä", "\N{PILE OF POO}")
    records = of_run(e.RunTriggered("greet", "task/greet", tags=tags))
    apply(read_models, records)

    assert dump(read_models) == naively(records)
    for tag in tags:
        assert read_models.list_runs("env_a", RunFilter(tags=(tag,)), 5) == ([naively(records).runs["run_1"]], False)
    assert read_models.list_runs("env_a", RunFilter(tags=("a\0",)), 5) == ([], False)


def test_what_no_run_can_be_called_is_not_found(read_models: Tables) -> None:
    """Whoever asks may name things as they like; PostgreSQL's texts hold no NUL."""
    apply(read_models, HISTORY)
    rows = list(naively(HISTORY).runs.values())
    none = "none\0"
    nowhere = [RunFilter(tasks=(none,)), RunFilter(queues=(none, f"task/{none}")), RunFilter(batch=none)]

    assert read_models.get(none) is None
    assert read_models.attempts_of([none]) == {none: []}
    for wanted in [*nowhere, RunFilter(versions=(none,)), RunFilter(tags=(none,))]:
        assert read_models.list_runs("env_a", wanted, 5) == ([], False)
    assert read_models.list_runs("env_a", RunFilter(), 5, after="run_1\0") == (rows, False)
    assert read_models.list_runs("env_a", RunFilter(), 5, after="run_0\0") == ([], False)
    assert read_models.list_runs("env_a", RunFilter(), 5, before="run_0\0") == (rows, False)
    assert read_models.list_runs("env_a", RunFilter(), 5, before="run_1\0") == ([], False)


def test_tables_that_cannot_be_read_are_unavailable(read_models: Tables) -> None:
    apply(read_models, HISTORY[:3])
    tamper(read_models, "alter table run_rows rename to elsewhere")

    with pytest.raises(Unavailable, match="cannot be read"):
        read_models.get("run_1")
    with pytest.raises(Unavailable, match="cannot be written"):
        apply(read_models, HISTORY)
    assert read_models.position() == head_of(HISTORY[:3])


def test_the_head_belongs_to_the_last_event(read_models: Tables) -> None:
    with pytest.raises(AssertionError):
        read_models.apply(HISTORY, Head(3, bytes(32)))
