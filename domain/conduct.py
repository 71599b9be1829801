"""Whether what is recorded of runs is what they may do: the table of transitions, and the fencing of attempts."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from domain import events as e
from domain.errors import NotAllowed
from domain.events import Recorded, RunEvent
from domain.status import FINAL, Status
from domain.transitions import TRANSITIONS, target_of


class Standing(Struct, frozen=True, gc=False):
    """What the next event of a run is held to."""

    status: Status
    token: int | None = None
    """The fencing token under which the run is handed out, and its attempt may report."""
    last: int = 0
    """The token before that, when there is none."""
    number: int = 0
    """How many attempts have started."""


class Conduct:
    """The standings of runs that are not over. Of those that are nothing is kept but what still may follow."""

    def __init__(self) -> None:
        self._live: dict[str, Standing] = {}
        self._recorded_at = 0

    def fault(self, recorded: Recorded) -> str | None:
        """The sentence that says what is wrong with the next event in the ledger, None if nothing is."""
        if recorded.recorded_at < self._recorded_at:
            return f"Event {recorded.position} was recorded before the event in front of it."
        self._recorded_at = recorded.recorded_at
        event, run = recorded.event, recorded.stream
        before = self._live.get(run)
        if not isinstance(event, RunEvent):
            return _stranger(recorded) if before else None
        if before is None and recorded.version > 1:
            if TRANSITIONS[type(event)].sources & FINAL:
                return None
            return f"Event {recorded.position} of {run}: {type(event).__name__} cannot happen when the run is over."
        try:
            standing = after(before, event)
        except NotAllowed as error:
            return f"Event {recorded.position} of {run}: {error}"
        if standing.status in FINAL:
            self._live.pop(run, None)
        else:
            self._live[run] = standing
        return None


def fault_in(history: Sequence[Recorded]) -> tuple[int, str] | None:
    """The position of the first event of one aggregate that cannot have happened as the next one, and why not."""
    standing: Standing | None = None
    # This runs for every event of a ledger, and `isinstance` takes four times as long.
    is_run = type(history[0].event) in TRANSITIONS
    for version, recorded in enumerate(history, 1):
        event: Any = recorded.event
        if recorded.version != version:
            return recorded.position, f"Event {recorded.position} of {recorded.stream} is not its event {version}."
        if (type(event) in TRANSITIONS) is not is_run:
            return recorded.position, _stranger(recorded)
        if is_run:
            try:
                standing = after(standing, event)
            except NotAllowed as error:
                return recorded.position, f"Event {recorded.position} of {recorded.stream}: {error}"
    return None


def after(before: Standing | None, event: RunEvent) -> Standing:
    """Where an event of a run leads. Raises NotAllowed, also for a report under a token that no open attempt has.

    That at most one attempt is open, with one valid token, is the third rule of a run.
    """
    if before is None:
        return Standing(target_of(None, event))
    status = target_of(before.status, event)
    fenced = _FENCED.get(type(event))
    if fenced:
        return fenced(before, status, event)
    return before if status is before.status else Standing(status, before.token, before.last, before.number)


def _handed_out(before: Standing, status: Status, event: e.RunDequeued) -> Standing:
    if event.token <= before.last:
        raise NotAllowed(f"The run was handed out under the token {before.last}, and now under {event.token}.")
    return Standing(status, event.token, before.last, before.number)


def _started(before: Standing, status: Status, event: e.AttemptStarted) -> Standing:
    _hold(before, before.number + 1, event)
    return Standing(status, before.token, before.last, event.number)


def _reported(before: Standing, status: Status, event: Any) -> Standing:
    _hold(before, before.number, event)
    return Standing(status, before.token, before.last, before.number)


def _failed(before: Standing, status: Status, event: e.AttemptFailed) -> Standing:
    _hold(before, before.number, event)
    return _closed(before, status, event)


def _closed(before: Standing, status: Status, _event: RunEvent) -> Standing:
    return Standing(status, None, before.token or before.last, before.number)


def _refused(before: Standing, _status: Status, event: e.LateResultRefused) -> Standing:
    if event.token == before.token and before.status not in FINAL:
        raise NotAllowed(f"A report under the token {event.token} was refused, which is that of the open attempt.")
    return before


def _hold(before: Standing, number: int, event: Any) -> None:
    if event.token != before.token or event.number != number:
        there = f"attempt {number} under the token {before.token}" if before.token is not None else "no attempt"
        told = f"{type(event).__name__} tells of attempt {event.number} under the token {event.token}"
        raise NotAllowed(f"{told}, and {there} is open.")


def _stranger(recorded: Recorded) -> str:
    return f"Event {recorded.position} of {recorded.stream}: {type(recorded.event).__name__} is not one of its kind."


_FENCED: dict[type[RunEvent], Callable[[Standing, Status, Any], Standing]] = {
    e.RunDequeued: _handed_out,
    e.AttemptStarted: _started,
    e.AttemptResumed: _reported,
    e.AttemptSucceeded: _reported,
    e.AttemptFailed: _failed,
    e.RunEnqueued: _closed,
    e.RunFrozen: _closed,
    e.LateResultRefused: _refused,
}
