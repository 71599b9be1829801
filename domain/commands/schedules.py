"""Commands about schedules."""

from domain.calendar import Tick
from domain.commands.base import Command
from domain.events import Plan


class SaveSchedule(Command, frozen=True, kw_only=True):
    """Make a schedule, or let the one that its deduplication key stands for follow this plan. Answer: its id.

    `key` is the stream of the deduplication key, or of the request's own, which stands for it until `key_until`.
    """

    schedule: str
    plan: Plan
    deduplication_key: str | None = None
    key: str | None = None
    key_until: int = 0


class ChangeSchedule(Command, frozen=True, kw_only=True):
    """Let a schedule follow another plan. Answer: None."""

    schedule: str
    plan: Plan


class ActivateSchedule(Command, frozen=True, kw_only=True):
    """Let a schedule go on. Answer: None."""

    schedule: str


class DeactivateSchedule(Command, frozen=True, kw_only=True):
    """Let a schedule pause. Answer: None."""

    schedule: str


class DeleteSchedule(Command, frozen=True, kw_only=True):
    """Let there be no such schedule any more. Answer: None."""

    schedule: str
    key: str | None = None


class ReckonSchedule(Command, frozen=True, kw_only=True):
    """Plan the next tick of a schedule with the time zones that the engine has now. Answer: whether that moved it."""

    schedule: str


class RunSchedule(Command, frozen=True, kw_only=True):
    """Make a run of a schedule at once, beside its ticks. Answer: its id, `run` or what the same `request` made before.

    `request` is the key of the request, by which it is known when it is sent again.
    """

    schedule: str
    run: str
    request: str | None = None


class BackfillTicks(Command, frozen=True, kw_only=True):
    """Make the runs of these ticks of a schedule, each unless it has one. Answer: list[Accepted], in the same order.

    `keys` are the streams of the keys that the runs claim.
    """

    schedule: str
    ticks: tuple[Tick, ...]
    keys: tuple[str, ...]
