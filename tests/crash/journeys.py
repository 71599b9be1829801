"""What must be true of runs of the task `journey`, which has steps, a child, and waits."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from domain import events as e
from domain.events import Event, Recorded

JOURNEY = "journey"
STAMPS = "stamps"
STEPS = ["first", "second", "last"]
WAITS = 2
BUSY: list[type[Event]] = [e.StepTryFailed, e.StepTryFailed, e.StepFailed]
"""What there is of the step that always fails."""


def child_of(name: str) -> str:
    """The name of the only child of a run with this name."""
    return f"{name}/child"


def check_journeys(records: Sequence[Recorded]) -> None:
    """In each of them every step was done once for good, every wait ended once, and there is one child.

    The step that always fails was tried as often as it may be.

    No two calls of a step return the same: if a completed one was called again, the output would have what is not in
    the journal.
    """
    histories: dict[str, list[Event]] = defaultdict(list)
    for recorded in records:
        histories[recorded.stream].append(recorded.event)
    for run, history in histories.items():
        if isinstance(history[0], e.RunTriggered) and history[0].task == JOURNEY:
            _check_journey(run, history)


def _check_journey(run: str, history: Sequence[Event]) -> None:
    steps = [event for event in history if isinstance(event, e.StepSucceeded)]
    started = [event.entry.index for event in history if isinstance(event, e.WaitStarted)]
    ended = [event.wait for event in history if isinstance(event, e.WaitCompleted) and event.wait in started]
    children = [child for event in history if isinstance(event, e.ChildrenTriggered) for child in event.runs]
    (output,) = [_decoded(event.output) for event in history if isinstance(event, e.AttemptSucceeded)]

    assert [step.entry.name for step in steps] == STEPS, run
    assert output[STAMPS] == [_decoded(step.result) for step in steps], run
    assert (len(started), ended) == (WAITS, started), run
    assert len(children) == 1, run
    # Whoever died in between: each attempt counts its tries, and the last one came to their end.
    *before, last = _busy_by_attempt(history)
    assert last == BUSY, run
    assert all(each == BUSY[: len(each)] for each in before), run


def _busy_by_attempt(history: Sequence[Event]) -> list[list[type[Event]]]:
    """What each attempt journaled of the step that always fails."""
    attempts: list[list[type[Event]]] = []
    for event in history:
        match event:
            case e.AttemptStarted():
                attempts.append([])
            case e.StepTryFailed() | e.StepFailed() if event.entry.name == "busy":
                attempts[-1].append(type(event))
            case _:
                pass
    return attempts


def _decoded(value: msgspec.Raw) -> Any:
    return msgspec.json.decode(value)
