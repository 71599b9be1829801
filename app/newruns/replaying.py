"""From a run that there is to one that does the same again, or does it otherwise."""

from collections.abc import Sequence

from msgspec.structs import replace

from app.engine.reader import Reader
from app.engine.triggered import asked_of
from app.newruns import making
from app.newruns.asked import QueueOption, ReplayBody, TriggerBody, TriggerOptions
from app.newruns.beginning import beginning_at
from domain import run as runs
from domain.builtin import is_reserved
from domain.errors import InvalidInput, NotAllowed
from domain.events import NOTHING, JobRef, Recorded, RunArchived, RunErased
from domain.gates import default_queue
from domain.lifecycle import NewRun

SOURCE = "replay"


async def replayed(
    history: Sequence[Recorded], asked: ReplayBody, reader: Reader, now: int, traceparent: str | None = None
) -> tuple[NewRun, dict[str, bytes]]:
    """The run that a replay asks for, and the large values to keep beside it. Raises InvalidInput, LedgerCorrupt."""
    if asked.step_results and asked.from_step is None:
        raise InvalidInput("stepResults replace results of what comes before a step: name that under fromStep.")
    first, old = history[0], asked_of(history)
    if any(isinstance(each.event, RunErased | RunArchived) for each in history):
        raise NotAllowed(f"Run {first.stream} was erased or archived: there is nothing left to run again.")
    payload = asked.payload
    if payload is not NOTHING and is_reserved(old.task):
        raise InvalidInput(f"Run {first.stream} is one of Runfold's own: a replay of it does the same again.")
    if payload is NOTHING:
        payload = await reader.value(old.payload, old.payload_blob)
    # A queue that nobody named is that of the version which executes the replay, and not of the one before.
    queue = asked.queue or (None if old.queue == default_queue(old.task) else old.queue)
    options = TriggerOptions(
        queue=QueueOption(queue) if queue is not None else None,
        concurrency_key=asked.concurrency_key if asked.concurrency_key is not None else old.concurrency_key,
        delay=asked.delay,
        ttl=asked.ttl,
        idempotency_key=asked.idempotency_key,
        idempotency_key_ttl=asked.idempotency_key_ttl,
        # Those of an execution are its job's, and no task's of a user.
        max_attempts=old.max_attempts if asked.max_attempts is None and (old.job or old.about) else asked.max_attempts,
        max_duration=asked.max_duration,
        metadata=asked.metadata if asked.metadata is not NOTHING else old.metadata,
        payload_type=asked.payload_type or (old.payload_type if asked.payload is NOTHING else None),
        priority=asked.priority,
        tags=asked.tags if asked.tags is not None else list(_tags_of(history)),
        test=old.is_test,
        machine=asked.machine or old.machine,
        lock_to_version=asked.version,
    )
    body = TriggerBody(payload, options)
    run = reader.ids.new("run", now)
    new, blobs = making.new_run(run, old.task, body, first.environment, now, traceparent, source=SOURCE)
    new = replace(new, replay_of=first.stream, job=_again(old.job, now), event=old.event, about=old.about)
    if asked.from_step is None:
        return new, blobs
    new, more = await beginning_at(asked.from_step, asked.step_results or {}, new, history, reader)
    return new, blobs | more


def _again(job: JobRef | None, now: int) -> JobRef | None:
    """The same job; a replay of an execution is planned for now."""
    return None if job is None else JobRef(job.id, job.name, now)


def _tags_of(history: Sequence[Recorded]) -> tuple[str, ...]:
    """The tags of a run, also those that it was given later."""
    state = runs.fold(history)
    assert state is not None, "a run has a history"
    return state.tags
