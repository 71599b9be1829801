"""An alert channel: how somebody is told of failures. Its state keeps which tasks and jobs fail at present."""

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import ChannelSpec, Event, Recorded

CHANNEL = "alert"
"""The kind of aggregate."""
WEBHOOK, EMAIL = "webhook", "email"


class Channel(Struct, frozen=True, gc=False, omit_defaults=True):
    """`failing` are the tasks and jobs whose last run that ended failed, as far as the channel is about them."""

    id: str
    version: int
    environment: str
    spec: ChannelSpec
    created_at: int
    failing: frozenset[str] = frozenset()
    is_removed: bool = False


def subject_of(task: str, job: str | None) -> str:
    """What fails or recovers: the job of an execution, or the task of any other run."""
    return f"task:{task}" if job is None else f"job:{job}"


def is_about(channel: Channel, task: str, job: str | None) -> bool:
    """Whether the channel tells of runs of this task, or of executions of this job."""
    spec = channel.spec
    if not spec.tasks and not spec.jobs:
        return True
    return task in spec.tasks if job is None else job in spec.jobs


def hear(channel: Channel, subject: str, run: str, *, has_failed: bool) -> list[Event]:
    """A run of this task or job ended: that is news where it ended otherwise than the one before."""
    if has_failed == (subject in channel.failing):
        return []
    return [e.SubjectFailed(subject, run) if has_failed else e.SubjectRecovered(subject, run)]


def evolve(channel: Channel | None, recorded: Recorded) -> Channel:
    """The channel after one event."""
    version = recorded.version
    match channel, recorded.event:
        case None, e.ChannelSaved(spec=spec):
            return Channel(recorded.stream, version, recorded.environment, spec, recorded.recorded_at)
        case Channel(), e.SubjectFailed(subject=subject):
            return replace(channel, version=version, failing=channel.failing | {subject})
        case Channel(), e.SubjectRecovered(subject=subject):
            return replace(channel, version=version, failing=channel.failing - {subject})
        case Channel(), e.ChannelRemoved():
            return replace(channel, version=version, is_removed=True)
        case _, event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of alert channel {recorded.stream}.")
