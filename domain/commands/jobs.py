"""Commands about HTTP jobs and the channels that are told of failures."""

from domain.commands.base import Command
from domain.commands.runs import TriggerRuns
from domain.events import ChannelSpec, JobSpec


class CreateJob(TriggerRuns, frozen=True, kw_only=True):
    """Save a job, and start the `runs` of one that runs at once. Answer: the Job."""

    job: str
    spec: JobSpec
    state: str
    token: str | None = None


class JobCommand(Command, frozen=True, kw_only=True):
    """A command about a job. Answer: the Job as it is then."""

    job: str


class ChangeJob(JobCommand, frozen=True, kw_only=True):
    """Let a job do something else, or at other times."""

    spec: JobSpec


class PauseJob(JobCommand, frozen=True, kw_only=True):
    """Let a job start no more by itself."""


class ResumeJob(TriggerRuns, frozen=True, kw_only=True):
    """Let a job start by itself (again), and start the `runs` of a draft that runs at once. Answer: the Job."""

    job: str


class DeleteJob(JobCommand, frozen=True, kw_only=True):
    """Take a job away; its executions stay."""


class SaveChannel(Command, frozen=True, kw_only=True):
    """Let somebody be told of failures. Answer: the Channel."""

    channel: str
    spec: ChannelSpec


class TestChannel(Command, frozen=True, kw_only=True):
    """Let an alert channel tell that it is being tested, by this run. Answer: the run's id."""

    channel: str
    run: str


class RemoveChannel(Command, frozen=True, kw_only=True):
    """Let nobody be told by a channel any more. Answer: None."""

    channel: str
