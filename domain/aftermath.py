"""What follows from the end of a run for others than the run: the process manager of failures and recoveries."""

import msgspec

from domain import events as e
from domain import job as jobs
from domain import schedule as schedules
from domain.calls import Found
from domain.draft import Draft, Origin
from domain.job import Job, JobState
from domain.memory import Memory
from domain.run import Run
from domain.schedule import Schedule
from domain.status import Status

ACTOR = "aftermath"
GONE_STATUS = 410


class Aftermath:
    """Reacts to ends of runs in the commit that they are in. What was canceled neither failed nor succeeded."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def settle(self, draft: Draft) -> None:
        """Let everything follow from the ends that this batch brought so far."""
        for stream in self._memory.endings.untold():
            run = self._memory.run(stream)
            assert run is not None, "what ends in a batch is here until that has landed"
            if run.status is not Status.CANCELED:
                self._follow(run, draft)

    def _follow(self, run: Run, draft: Draft) -> None:
        origin = Origin(run.environment, ACTOR, run.id, draft.recorded_at)
        job = self._memory.states.get(run.job or "")
        if isinstance(job, Job) and job.state is not JobState.DELETED:
            self._note(job, run, draft, origin)

    def _note(self, job: Job, run: Run, draft: Draft, origin: Origin) -> None:
        """Let the job know how its execution ended."""
        if run.status is Status.COMPLETED:
            events = jobs.succeed(job, run.id)
        else:
            events = jobs.fail(job, run.id, is_gone=job.spec.pause_on_gone and _is_gone(run, draft))
        draft.record(job.id, events, origin)
        if any(isinstance(event, e.JobPausedByFailures) for event in events):
            schedule = self._memory.states.get(jobs.schedule_of(job.id))
            if isinstance(schedule, Schedule) and not schedule.is_deleted:
                draft.record(schedule.id, schedules.deactivate(schedule), origin)


def _is_gone(run: Run, draft: Draft) -> bool:
    """Whether the target of an execution said in its last attempt that it is gone for good."""
    ends = (each.event for each in reversed(draft.records) if each.stream == run.id)
    failed = next((event for event in ends if isinstance(event, e.AttemptFailed)), None)
    if failed is None:
        return False
    blob = failed.output_blob
    output = failed.output if blob is None else msgspec.Raw(draft.blobs[blob.key])
    # Of an attempt that was lost nobody knows what it found.
    return bool(bytes(output)) and msgspec.json.decode(output, type=Found).status_code == GONE_STATUS
