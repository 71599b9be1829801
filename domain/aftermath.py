"""What follows from the end of a run for others than the run: the process manager of failures and recoveries."""

import msgspec

from domain import channel as channels
from domain import events as e
from domain import job as jobs
from domain import schedule as schedules
from domain.announcing import (
    CERTIFICATE,
    CERTIFICATE_ENDING,
    COMPLETION,
    FAILURE,
    Outcome,
    alert_run,
    callback_run,
    summary_run,
    types_of,
)
from domain.calls import Found
from domain.channel import Channel
from domain.commands import TriggerRuns
from domain.draft import Draft, Origin
from domain.events import NOTHING, Event
from domain.job import Job, JobState
from domain.lifecycle import Deadline, NewRun
from domain.memory import Memory
from domain.run import Run
from domain.schedule import Schedule
from domain.status import Status
from domain.triggering import trigger_run

ACTOR = "aftermath"
GONE_STATUS = 410


class Aftermath:
    """Reacts to ends of runs in the commit that they are in. What was canceled neither failed nor succeeded."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def settle(self, draft: Draft) -> None:
        """Let everything follow from the ends that this batch brought so far."""
        attempts: dict[str, Event] | None = None
        for stream in self._memory.endings.untold():
            attempts = _last_attempts(draft) if attempts is None else attempts
            run = self._memory.run(stream)
            assert run is not None, "what ends in a batch is here until that has landed"
            if run.status is not Status.CANCELED:
                self._follow(run, attempts.get(run.id), draft)

    def fire(self, channel: Channel, deadline: Deadline, draft: Draft) -> None:
        """Tell the alerts of a channel that waited for one another."""
        new = summary_run(channel, draft.recorded_at)
        origin = Origin(channel.environment, ACTOR, channel.id, deadline.at)
        draft.record(channel.id, channels.sum_up(channel, new.id, draft.recorded_at), origin)
        self._trigger(new, draft, origin)

    def _follow(self, run: Run, attempt: Event | None, draft: Draft) -> None:
        origin = Origin(run.environment, ACTOR, run.id, draft.recorded_at)
        outcome = Outcome(run.status is not Status.COMPLETED)
        job = self._memory.states.get(run.job or "")
        if isinstance(job, Job) and job.state is not JobState.DELETED:
            outcome = self._note(job, run, attempt, draft, origin)
            for place, callback in enumerate(job.spec.callbacks):
                for type_ in types_of(callback.on, outcome, is_execution=True):
                    self._trigger(callback_run(callback, place, run, type_, draft.recorded_at), draft, origin)
        heard = list(self._memory.endings.channels(run.environment))
        ends_at = _certificate_end(attempt, draft) if heard and run.job is not None else None
        for stream in heard:
            channel = self._memory.states[stream]
            assert isinstance(channel, Channel), "it is known as one"
            if channels.is_about(channel, run.task, run.job):
                self._alert(channel, run, outcome, draft, origin)
                if ends_at is not None and CERTIFICATE in channel.spec.on:
                    self._warn(stream, run, ends_at, draft, origin)

    def _note(self, job: Job, run: Run, attempt: Event | None, draft: Draft, origin: Origin) -> Outcome:
        """Let the job know how its execution ended."""
        if run.status is Status.COMPLETED:
            events = jobs.succeed(job, run.id)
            draft.record(job.id, events, origin)
            return Outcome(has_failed=False, has_recovered=bool(events))
        events = jobs.fail(job, run.id, is_gone=job.spec.pause_on_gone and _is_gone(attempt, draft))
        draft.record(job.id, events, origin)
        has_paused = any(isinstance(event, e.JobPausedByFailures) for event in events)
        schedule = self._memory.states.get(jobs.schedule_of(job.id)) if has_paused else None
        if isinstance(schedule, Schedule) and not schedule.is_deleted:
            draft.record(schedule.id, schedules.deactivate(schedule), origin)
        return Outcome(has_failed=True, has_paused=has_paused)

    def _alert(self, channel: Channel, run: Run, outcome: Outcome, draft: Draft, origin: Origin) -> None:
        subject, spec = channels.subject_of(run.task, run.job), channel.spec
        news = channels.hear(channel, subject, run.id, has_failed=outcome.has_failed)
        draft.record(channel.id, news, origin)
        # Recovered is what was heard of here as failing, whatever came before the channel did.
        own = msgspec.structs.replace(outcome, has_recovered=not outcome.has_failed and bool(news))
        is_known = outcome.has_failed and not news
        on = [each for each in spec.on if spec.repeat or not is_known or each not in {FAILURE, COMPLETION}]
        for type_ in types_of(on, own, is_execution=run.job is not None):
            self._tell(channel.id, run, type_, draft, origin)

    def _warn(self, stream: str, run: Run, ends_at: int, draft: Draft, origin: Origin) -> None:
        """Tell by a channel that a certificate ends soon."""
        channel = draft.state(stream)
        assert isinstance(channel, Channel), "it stays one"
        news = channels.warn(channel, channels.subject_of(run.task, run.job), run.id, ends_at, draft.recorded_at)
        if news:
            draft.record(stream, news, origin)
            self._tell(stream, run, CERTIFICATE_ENDING, draft, origin)

    def _tell(self, stream: str, run: Run, type_: str, draft: Draft, origin: Origin) -> None:
        """Tell of a run by a channel, or let that wait for others."""
        channel = draft.state(stream)
        assert isinstance(channel, Channel), "it stays one"
        job = self._memory.states.get(run.job or "")
        name = job.spec.name if isinstance(job, Job) else run.task
        alert = e.AlertHeld(type_, channels.subject_of(run.task, run.job), name, run.id)
        noted = channels.tell(channel, alert, draft.recorded_at)
        draft.record(stream, [] if noted is None else [noted], origin)
        if noted is not alert:
            self._trigger(alert_run(channel, run, type_, draft.recorded_at), draft, origin)

    def _trigger(self, new: NewRun, draft: Draft, origin: Origin) -> None:
        environment = self._memory.environment(origin.environment)
        assert environment is not None, "a run is of an environment"
        gates = self._memory.gates(environment, draft.recorded_at)
        command = TriggerRuns(
            environment=environment.id, actor=origin.actor, cause=origin.cause, at=origin.at, runs=[new]
        )
        trigger_run(new, command, gates, environment, draft, origin)


def _last_attempts(draft: Draft) -> dict[str, Event]:
    """The ends of the last attempts that ended in the batch, by their runs."""
    ends = (e.AttemptSucceeded, e.AttemptFailed)
    return {each.stream: each.event for each in draft.records if isinstance(each.event, ends)}


def _is_gone(attempt: Event | None, draft: Draft) -> bool:
    """Whether the target of an execution said in this attempt that it is gone for good."""
    output = _output_of(attempt, draft) if isinstance(attempt, e.AttemptFailed) else NOTHING
    return bool(bytes(output)) and msgspec.json.decode(output, type=Found).status_code == GONE_STATUS


def _certificate_end(attempt: Event | None, draft: Draft) -> int | None:
    """When the certificate ends that this attempt saw (ms)."""
    output = _output_of(attempt, draft)
    return msgspec.json.decode(output, type=_Seen).certificate_ends_at if bytes(output) else None


def _output_of(attempt: Event | None, draft: Draft) -> msgspec.Raw:
    """What an attempt found. Of one that was lost nobody knows."""
    if not isinstance(attempt, e.AttemptSucceeded | e.AttemptFailed):
        return NOTHING
    blob = attempt.output_blob
    return attempt.output if blob is None else msgspec.Raw(draft.blobs[blob.key])


class _Seen(msgspec.Struct, rename="camel"):
    """The part of `Found` that is looked at after each execution."""

    certificate_ends_at: int | None = None
