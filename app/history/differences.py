"""What changed between two moments: of each aggregate that did, what it was and what it became, page by page."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from app.history.moments import Moment
from domain.environment import Environment
from domain.events import (
    ConnectionRemoved,
    ConnectionSaved,
    QueueStartsCounted,
    Recorded,
    RunEvent,
    ScheduleActivated,
    ScheduleChanged,
    ScheduleCreated,
    ScheduleDeactivated,
    ScheduleDeleted,
)
from domain.ports import Ledger
from domain.queue import QueueState
from domain.run import Run
from domain.schedule import SCHED, Schedule
from domain.states import State, evolve, kind_of

_OF_SCHEDULES = (ScheduleCreated, ScheduleChanged, ScheduleActivated, ScheduleDeactivated, ScheduleDeleted)
"""Their ticks are not what changes them."""
_OF_OTHERS = frozenset({"queue", "env"})
Told = Run | QueueState | Schedule | Environment
View = Callable[[Told | None], dict[str, Any] | None]
"""What is told of a state, None if it is not there (any more)."""


class Change(NamedTuple):
    """One aggregate, the event that made it what it became, and those of its facts that differ; None: not there."""

    state: Told
    made_by: Recorded
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Page(NamedTuple):
    """Changes in the order in which they were made, and the position up to which was looked for them."""

    changes: list[Change]
    next: int


def changes_between(
    ledger: Ledger, environment: str, first: Moment, last: Moment, after: int, limit: int, view: View
) -> Page:
    """What changed behind `first` up to `last`, as far as `limit` positions behind `after` tell (this blocks).

    An aggregate is told of where its last event is, so that no two pages have the same one.
    """
    begin = max(after, first.position)
    records = ledger.read_after(begin, limit=limit, upto=last.position)
    touched = {each.stream: each for each in records if each.environment == environment and _tells(each)}
    histories = ledger.read_streams(touched, upto=last.position)
    changes = [
        change
        for stream, latest in touched.items()
        if (history := [each for each in histories[stream] if _tells(each) or each.position <= first.position])
        and history[-1].position == latest.position
        and (change := _change(histories[stream], first.position, view))
    ]
    return Page(
        sorted(changes, key=lambda each: each.made_by.position), records[-1].position if records else last.position
    )


def _tells(recorded: Recorded) -> bool:
    """Whether the event may change what is told."""
    event = recorded.event
    if isinstance(event, RunEvent):
        return True
    kind = kind_of(recorded.stream)
    if kind == SCHED:
        return isinstance(event, _OF_SCHEDULES)
    return kind in _OF_OTHERS and not isinstance(event, QueueStartsCounted | ConnectionSaved | ConnectionRemoved)


def _change(history: Sequence[Recorded], first: int, view: View) -> Change | None:
    then: dict[str, Any] | None = None
    now: dict[str, Any] | None = None
    state: Told | None = None
    made_by = history[0]
    for recorded, folded in _states(history):
        seen = view(folded)
        if recorded.position <= first:
            then = seen
        elif seen != now:
            made_by = recorded
        now, state = seen, folded
    if state is None or then == now:
        return None
    if then is not None and now is not None:
        names = [name for name in then.keys() | now.keys() if then.get(name) != now.get(name)]
        then, now = ({name: each.get(name) for name in sorted(names)} for each in (then, now))
    return Change(state, made_by, then, now)


def _states(history: Sequence[Recorded]) -> Iterator[tuple[Recorded, Told]]:
    state: State | None = None
    for recorded in history:
        state = evolve(state, recorded)
        assert isinstance(state, Told), "only such streams are asked for"
        yield recorded, state
