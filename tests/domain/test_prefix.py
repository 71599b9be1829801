"""A replay that begins at a step: where that is, and how its run goes on behind what it took over."""

import pytest

from domain import events as e
from domain import prefix
from domain.errors import InvalidInput
from domain.events import Entry, Prefix
from domain.prefix import Beginning, Known
from domain.status import Status
from tests.domain.stories import LEASE_MS, NOW, Colleague, Room, new, started, succeeded
from tests.domain.waitstories import pass_slowly, stepped, waits

JOURNAL = [
    Known(Entry(0, "charge"), is_step=True),
    Known(Entry(1, "wait.for"), is_step=False),
    Known(Entry(2, "ship"), is_step=True),
    Known(Entry(3, "ship", 2), is_step=True),
]
RETRIED = [
    Known(Entry(0, "charge"), is_step=True),
    Known(Entry(1, "charge"), is_step=True),
    Known(Entry(2, "ship"), is_step=True),
]
"""The first charge failed, and was tried again by the next attempt."""


@pytest.mark.parametrize(
    ("step", "entries"),
    [("charge", 0), ("wait.for", 1), ("ship", 2), ("ship#1", 2), ("ship#2", 3)],
)
def test_what_stands_before_the_step_is_taken_over(step: str, entries: int) -> None:
    assert prefix.begin_at(step, [], "run_1", JOURNAL) == Beginning(entries, {})


def test_the_first_of_those_that_were_tried_again_is_meant_and_its_last_result_replaced() -> None:
    assert prefix.begin_at("charge", [], "run_1", RETRIED) == Beginning(0, {})
    assert prefix.begin_at("ship", ["charge"], "run_1", RETRIED) == Beginning(2, {"charge": 1})


def test_a_step_whose_own_result_is_given_is_not_done_again() -> None:
    assert prefix.begin_at("ship", ["ship", "charge"], "run_1", JOURNAL) == Beginning(3, {"ship": 2, "charge": 0})


def test_a_name_that_looks_like_a_number_is_a_name_first() -> None:
    journal = [Known(Entry(0, "a"), is_step=True), Known(Entry(1, "a#2"), is_step=True)]

    assert prefix.begin_at("a#2", [], "run_1", journal) == Beginning(1, {})


BRANCHED = [
    Known(Entry(0, "pack", forked=True, digest="a"), is_step=True),
    Known(Entry(1, "pack", 2, forked=True, digest="b"), is_step=True),
    Known(Entry(2, "weigh", after=1), is_step=True),
    Known(Entry(3, "weigh", after=0), is_step=True),
    Known(Entry(4, "weigh", after=1), is_step=True),
    Known(Entry(5, "pack"), is_step=True),
    Known(Entry(6, "ship", after=5), is_step=True),
]
"""Two branches that pack and weigh, of which the second one weighs again in the next attempt; then the code packs."""


@pytest.mark.parametrize(
    ("name", "which"),
    [("pack", "'pack@0', 'pack@5'"), ("pack#1", "'pack@0', 'pack@5'"), ("weigh", "'weigh@2', 'weigh@3'")],
)
def test_a_name_that_several_branches_use_is_refused(name: str, which: str) -> None:
    sentence = f"Branches of run run_1 have a '{name}' each. Name the one with its index: {which}."
    for step, edited in ((name, []), ("ship", [name])):
        with pytest.raises(InvalidInput) as refusal:
            prefix.begin_at(step, edited, "run_1", BRANCHED)

        assert str(refusal.value) == sentence


def test_what_several_branches_have_is_named_by_its_index() -> None:
    assert prefix.begin_at("pack@5", [], "run_1", BRANCHED) == Beginning(5, {})
    assert prefix.begin_at("pack#2", [], "run_1", BRANCHED) == Beginning(1, {}), "there is one of these"
    assert prefix.begin_at("ship", ["weigh@3", "pack@0"], "run_1", BRANCHED) == Beginning(
        6, {"weigh@3": 3, "pack@0": 0}
    )
    assert prefix.begin_at("weigh@4", [], "run_1", BRANCHED) == Beginning(2, {}), "it is the one that was tried again"
    assert prefix.begin_at("ship", ["weigh@2"], "run_1", BRANCHED) == Beginning(6, {"weigh@2": 4})
    assert prefix.begin_at("pack@5", ["pack@5"], "run_1", BRANCHED) == Beginning(6, {"pack@5": 5})


@pytest.mark.parametrize(
    ("step", "edited", "sentence"),
    [
        ("pack", [], "There is no 'pack' in the journal of run run_1: it has charge, wait.for, ship, ship#2."),
        ("ship#3", [], "There is no 'ship#3' in the journal of run run_1: it has charge,"),
        ("ship", ["pack"], "There is no 'pack' in the journal of run run_1: it has charge,"),
        (
            "charge",
            ["ship"],
            "'ship' does not come before 'charge': it is done anew, and has no result to be replaced.",
        ),
        ("ship", ["wait.for"], "Only a step has a result that can be another one, and 'wait.for' is none."),
        ("ship", ["charge", "charge#1"], "A step is there twice among those whose results are replaced."),
    ],
)
def test_what_is_not_there_or_cannot_be_is_refused_with_a_sentence(step: str, edited: list[str], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        prefix.begin_at(step, edited, "run_1", JOURNAL)

    assert str(refusal.value).startswith(sentence)


def test_a_run_without_a_journal_has_no_step_to_begin_at() -> None:
    with pytest.raises(InvalidInput, match=r"There is no 'charge' in the journal of run run_1: it is empty\."):
        prefix.begin_at("charge", [], "run_1", [])


def test_of_a_long_journal_the_first_names_are_told() -> None:
    journal = [Known(Entry(n, f"step {n}"), is_step=True) for n in range(30)]

    with pytest.raises(InvalidInput, match=r"step 18, step 19, and 10 more\."):
        prefix.begin_at("charge", [], "run_1", journal)


def forked(room: Room, entries: int = 2) -> Colleague:
    """A worker in a room with a run that took over so many entries."""
    room.trigger(new("run_2", prefix=Prefix("run_1", 9, entries)))
    room.news()
    return Colleague(room)


def test_the_journal_of_the_run_begins_behind_what_it_took_over() -> None:
    room = Room()
    worker = forked(room)

    (hand,) = worker.take()
    gap = worker.turn(started(hand), stepped(hand, 3))
    worker.turn(stepped(hand, 1), stepped(hand, 2, "ship"), succeeded(hand))

    assert (hand.journal, hand.attempt) == (2, 1)
    assert gap.refused[0].error == "Entry 3 cannot follow: the journal of run run_2 has 2."
    assert [type(event) for event in room.events("run_2")] == [
        e.RunTriggered,
        e.RunDequeued,
        e.AttemptStarted,
        e.StepSucceeded,
        e.AttemptSucceeded,
    ]


def test_nothing_that_it_took_over_is_waited_for_or_counted() -> None:
    room = Room()
    room.trigger(new("run_1"))
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), stepped(hand, 0), waits(hand, 1, until=NOW + 10_000))

    room.trigger(new("run_2", prefix=Prefix("run_1", room.run().version, 2)))

    assert room.run("run_2").journal == 2
    assert room.run("run_2").waits == ()


def test_a_run_whose_worker_is_lost_goes_on_behind_what_it_took_over() -> None:
    room = Room()
    (hand,) = (worker := forked(room)).take()
    worker.turn(started(hand))
    pass_slowly(room, LEASE_MS + 1)

    (again,) = room.hire().take()

    assert room.run("run_2").status is Status.DEQUEUED
    assert (again.journal, again.attempt) == (2, 1)


def test_an_engine_that_starts_anew_knows_what_was_taken_over() -> None:
    room = Room()
    forked(room)

    room.restart()

    assert Colleague(room).take()[0].journal == 2
