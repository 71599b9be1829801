"""An alert channel: how somebody is told of failures. Its state keeps which tasks and jobs fail at present."""

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import ChannelSpec, Event, Recorded
from domain.lifecycle import Deadline

CHANNEL = "alert"
"""The kind of aggregate."""
WEBHOOK, EMAIL = "webhook", "email"
DIGEST = "digest"
DAY_MS = 86_400_000


class Channel(Struct, frozen=True, gc=False, omit_defaults=True):
    """`failing` are the tasks and jobs whose last run that ended failed, as far as the channel is about them."""

    id: str
    version: int
    environment: str
    spec: ChannelSpec
    created_at: int
    failing: frozenset[str] = frozenset()
    is_removed: bool = False
    held: int = 0
    """How many alerts wait to be told together."""
    until: int = 0
    """Until then what comes waits, if the channel sums up."""
    warned: dict[str, int] = {}
    """The latest end of a certificate (ms) that was told of each job."""


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


def warn(channel: Channel, subject: str, run: str, ends_at: int, now: int) -> list[Event]:
    """An execution saw a certificate that ends then: that is news once for each certificate, when it ends soon."""
    is_soon = ends_at - now <= channel.spec.certificate_days * DAY_MS
    # Of several servers behind one name the one that ends last is told last, and none of them again.
    is_known = channel.warned.get(subject, 0) >= ends_at
    return [e.CertificateEnding(subject, run, ends_at)] if is_soon and not is_known else []


def deadline_of(channel: Channel) -> Deadline | None:
    """When the alerts that wait are told; None where none do, or nobody is to hear of them any more."""
    return Deadline(channel.until, DIGEST) if channel.held and not channel.is_removed else None


def tell(channel: Channel, alert: e.AlertHeld, now: int) -> e.AlertTold | e.AlertHeld | None:
    """What becomes of an alert: it waits, or is told at once, which a channel notes that sums up what follows."""
    window = channel.spec.digest_ms
    if window is None:
        return None
    # Those that wait are first, even where the time to tell them has just come.
    return alert if channel.held or now < channel.until else e.AlertTold(now + window)


def sum_up(channel: Channel, run: str, now: int) -> list[Event]:
    """The alerts that waited are told by this run."""
    window = channel.spec.digest_ms
    return [e.AlertsSummed(run, channel.held, now + window)] if channel.held and window is not None else []


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
        case Channel(), e.CertificateEnding(subject=subject, ends_at=ends_at):
            return replace(channel, version=version, warned=channel.warned | {subject: ends_at})
        case Channel(), e.AlertTold(until=until):
            return replace(channel, version=version, until=until)
        case Channel(), e.AlertHeld():
            return replace(channel, version=version, held=channel.held + 1)
        case Channel(), e.AlertsSummed(until=until):
            return replace(channel, version=version, held=0, until=until)
        case Channel(), e.ChannelRemoved():
            return replace(channel, version=version, is_removed=True)
        case _, event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of alert channel {recorded.stream}.")
