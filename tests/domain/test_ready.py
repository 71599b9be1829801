"""The choice among ready runs: against a model that looks at everything, and fair, whatever happens meanwhile."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.ready import Slots, slots_of
from domain.status import Status
from tests.domain.ready_model import ENVIRONMENT, Model, is_ready, stands_in

QUEUES, KEYS, TASKS = ("q", "r", "s"), (None, "a", "b", ""), ("t", "u")


class Step(NamedTuple):
    what: str
    queue: str
    key: str | None
    task: str
    number: int


SELDOM = ("release", "retry", "cancel", "undo", "limit", "pause", "resume", "rate", "time", "all")
WHATS = (*SELDOM, *["add"] * 4, *["take"] * 3, *["end"] * 2)
STEPS = st.builds(
    Step,
    st.sampled_from(WHATS),
    st.sampled_from(QUEUES),
    st.sampled_from(KEYS),
    st.sampled_from(TASKS),
    st.integers(0, 4),
)


def go_on(model: Model, step: Step) -> None:
    """Let something happen."""
    match step.what:
        case "add":
            model.add(step.queue, step.key, step.task, priority=step.number - 2)
        case "take":
            model.take(step.number, lambda kind: kind.task == step.task or step.number > 2)
        case "time":
            model.now += step.number
        case "end" | "release" | "retry" | "cancel" | "undo" as what:
            happen(model, what, step.number)
        case _:
            limit(model, step)


def happen(model: Model, what: str, number: int) -> None:
    """Let something happen to one of the runs for which it can."""
    able = [run for run in model.runs.values() if is_ready(run)] if what in {"cancel", "undo"} else model.open()
    if not able:
        return
    run = able[number % len(able)]
    match what:
        case "end":
            model.put(replace(run, status=Status.COMPLETED, token=None))
        case "release":
            model.put(replace(run, status=Status.QUEUED, token=None, last_version=f"v{number}"))
        case "retry":
            model.put(replace(run, status=Status.QUEUED, token=None, machine=f"m{number}", queued_at=model.now))
        case "cancel":
            model.put(replace(run, status=Status.CANCELED))
        case _:
            # What a batch did, and what undid it.
            model.start(run.id)
            model.put(run)


def limit(model: Model, step: Step) -> None:
    """Let other limits hold."""
    queue, number = step.queue, step.number
    match step.what:
        case "limit":
            model.limits[queue] = None if number == 4 else number
        case "pause":
            model.paused.add(queue)
        case "resume":
            model.paused.discard(queue)
        case "rate":
            model.opens[queue] = model.now + number
        case _:
            model.in_all = None if number == 4 else number
    model.change(queue)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_each_choice_is_that_of_a_model_that_looks_at_everything(steps: list[Step]) -> None:
    model = Model()

    for step in steps:
        go_on(model, step)
        for queue in QUEUES:
            assert model.ready.depth(ENVIRONMENT, queue) == sum(stands_in(r, (queue,)) for r in model.runs.values())
            for key in KEYS:
                slots = Slots(ENVIRONMENT, queue, key)
                assert model.ready.taken(slots) == sum(slots_of(run) == slots for run in model.open())
        assert model.ready.taken_in_all(ENVIRONMENT) == len(model.open())
        assert model.ready.running(ENVIRONMENT) == {
            queue: runs for queue in QUEUES if (runs := sum(run.queue == queue for run in model.open()))
        }
        waiting = [run.queued_at for run in model.runs.values() if is_ready(run)]
        assert model.ready.waiting(ENVIRONMENT).depth == len(waiting)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((*["add"] * 3, "take", "release", "cancel", "undo", "end")), st.integers(0, 4)))
)
def test_the_runs_of_one_line_come_up_in_the_order_of_their_places(steps: list[tuple[str, int]]) -> None:
    model = Model()

    for what, number in steps:
        go_on(model, Step(what, "q", None, "t", number))
    waiting = [run.id for run in model.runs.values() if is_ready(run)]

    # The model compares each with what it must be.
    assert set(model.take(len(waiting) + 1)) == set(waiting)


def test_runs_that_left_by_the_thousand_leave_the_others_in_their_order() -> None:
    model = Model()

    for number in range(2_000):
        run = model.add("q", None, "t", priority=number % 3)
        if number > 9:
            model.put(replace(model.runs[run], status=Status.CANCELED))

    assert len(model.take(11)) == 10


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 12), min_size=1))
def test_no_queue_is_served_twice_before_another_ready_one_once(runs: dict[str, int]) -> None:
    model = Model()
    for queue, many in runs.items():
        for _ in range(many):
            model.add(queue, None, "t")
    left = dict(runs)

    served = [model.runs[run].queue for run in model.take(sum(runs.values()))]

    while served:
        turn, served = served[: len(left)], served[len(left) :]
        assert sorted(turn) == sorted(left)
        left = {queue: many - 1 for queue, many in left.items() if many > 1}


def test_keys_take_turns_inside_the_turn_of_their_queue() -> None:
    model = Model()
    for key in ("a", "a", "a", "b"):
        model.add("q", key, "t")
    for _ in range(2):
        model.add("r", None, "t")

    got = [(model.runs[run].queue, model.runs[run].concurrency_key) for run in model.take(99)]

    assert got == [("q", "a"), ("r", None), ("q", "b"), ("r", None), ("q", "a"), ("q", "a")]


def test_a_key_that_comes_back_again_and_again_does_not_starve_another() -> None:
    model = Model()
    model.limits["q"] = 1
    for _ in range(3):
        model.add("q", "large", "t")
    got: list[str | None] = []

    for _ in range(6):
        model.add("q", "small", "t")
        (run,) = model.take(1)
        got.append(model.runs[run].concurrency_key)
        model.put(replace(model.runs[run], status=Status.COMPLETED, token=None))

    assert got == ["large", "small", "large", "small", "large", "small"]


def test_runs_of_several_kinds_stand_in_one_order() -> None:
    model = Model()
    first = [model.add("q", None, task) for task in ("t", "u", "t", "u")]

    assert model.take(99) == first


def test_a_run_that_is_of_another_kind_after_it_was_given_back_is_not_given_to_those_who_took_it_before() -> None:
    model = Model()
    run, other = model.add("q", None, "t"), model.add("q", None, "t")
    (got,) = model.take(1)
    model.put(replace(model.runs[got], status=Status.QUEUED, token=None, last_version="v2"))

    assert model.take(9, lambda kind: kind.last_version is None) == [other]
    assert model.take(9, lambda kind: kind.last_version == "v2") == [run]


def test_a_queue_that_is_out_of_its_rate_says_when_it_goes_on_and_then_sleeps_no_more() -> None:
    model = Model()
    model.opens["q"] = 5
    run = model.add("q", None, "t")

    assert model.take(1) == []
    assert model.ready.next_due() == 5
    model.now = 5
    assert model.take(1) == [run]
    assert model.ready.next_due() is None


def test_a_queue_that_was_let_in_and_is_looked_at_with_an_old_clock_is_not_lost() -> None:
    model = Model()
    model.opens["q"] = 5
    run, canceled, _ = model.add("q", "a", "t"), model.add("q", "b", "t"), model.add("r", None, "t")
    assert model.take(9) != []
    model.now = 5
    assert model.take(0) == []

    # The line of the key is gone, so the rota looks who is next, before anybody has said what time it is.
    model.put(replace(model.runs[canceled], status=Status.CANCELED))
    model.put(replace(model.runs[model.add("s", None, "t")], status=Status.CANCELED))

    assert model.take(1) == [run]
