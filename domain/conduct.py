"""Whether what is recorded of runs is what the table of transitions allows, read in the order of the ledger."""

from domain.errors import NotAllowed
from domain.events import Recorded, RunEvent
from domain.status import FINAL, Status
from domain.transitions import TRANSITIONS, target_of


class Conduct:
    """The statuses of runs that are not over. Of those that are nothing is kept but what still may follow."""

    def __init__(self) -> None:
        self._live: dict[str, Status] = {}
        self._recorded_at = 0

    def fault(self, recorded: Recorded) -> str | None:
        """The sentence that says what is wrong with the next event, None if nothing is."""
        if recorded.recorded_at < self._recorded_at:
            return f"Event {recorded.position} was recorded before the event in front of it."
        self._recorded_at = recorded.recorded_at
        event, run = recorded.event, recorded.stream
        if not isinstance(event, RunEvent):
            return None
        status = self._live.get(run)
        if status is None and recorded.version > 1:
            if TRANSITIONS[type(event)].sources & FINAL:
                return None
            return f"Event {recorded.position} of {run}: {type(event).__name__} cannot happen when the run is over."
        try:
            status = target_of(status, event)
        except NotAllowed as error:
            return f"Event {recorded.position} of {run}: {error}"
        if status in FINAL:
            self._live.pop(run, None)
        else:
            self._live[run] = status
        return None
