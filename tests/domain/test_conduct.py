"""What a verifier thinks of a history: all that a run may do is in order, and nothing else."""

from domain import events as e
from domain.conduct import Conduct
from domain.events import Event, Recorded


def _faults(*history: Event, times: tuple[int, ...] = ()) -> list[str]:
    conduct = Conduct()
    at = times or tuple(range(len(history)))
    found = [
        conduct.fault(Recorded(number, "run_1", number, "env_1", moment, moment, "engine", "test", event))
        for number, (event, moment) in enumerate(zip(history, at, strict=True), 1)
    ]
    return [fault for fault in found if fault]


TRIGGERED = e.RunTriggered("greet", "task/greet")
CANCELED = e.RunCanceled()


def test_a_life_that_the_table_allows_is_in_order() -> None:
    assert _faults(TRIGGERED, e.RunDelayed(until=5), CANCELED, e.TagsAdded(("a",)), e.TagsAdded(("b",))) == []
    assert _faults(e.EnvironmentCreated("dev", "DEVELOPMENT"), TRIGGERED) == [
        "Event 2 of run_1: RunTriggered cannot happen when the run is over."
    ], "the second event of a stream begins nothing"


def test_what_the_table_does_not_allow_is_named_with_its_position() -> None:
    assert _faults(TRIGGERED, e.RunDelayed(until=5), e.RunDelayed(until=6)) == [
        "Event 3 of run_1: RunDelayed cannot happen while the run is DELAYED."
    ]
    assert _faults(TRIGGERED, CANCELED, CANCELED) == [
        "Event 3 of run_1: RunCanceled cannot happen when the run is over."
    ]
    assert _faults(e.RunDelayed(until=5)) == ["Event 1 of run_1: RunDelayed cannot happen before the run exists."]


def test_the_clock_of_the_ledger_does_not_go_back() -> None:
    assert _faults(TRIGGERED, CANCELED, times=(5, 5)) == []
    assert _faults(TRIGGERED, CANCELED, times=(5, 4)) == ["Event 2 was recorded before the event in front of it."]
