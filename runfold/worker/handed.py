"""What the code of a task is told of its run, from what the worker was handed out."""

from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from runfold.context import (
    AttemptInfo,
    Cancellation,
    Connections,
    Context,
    EnvironmentInfo,
    OrganizationInfo,
    ProjectInfo,
    QueueInfo,
    RunContext,
    RunInfo,
    ScheduleInfo,
    TaskInfo,
)
from runfold.event import EventInfo
from runfold.opening import Openable
from runfold.worker.wire import Event, HandOut


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """A handed-out run that starts now, as the worker tells it to its child processes."""

    run: HandOut
    version: str
    started_at: int
    traceparent: str | None = None
    """The attempt's own span; that of the trigger is the run's."""


def context_of(
    attempt: Attempt, cancellation: Cancellation, journal: Openable | None = None, kind: type[RunContext] = Context
) -> RunContext:
    run = attempt.run
    return kind(
        _run_info(run),
        AttemptInfo(run.attempt, _moment(attempt.started_at), f"{run.id}.{run.attempt}"),
        TaskInfo(run.task),
        QueueInfo(run.queue),
        EnvironmentInfo(run.environment.id, run.environment.slug, run.environment.type),
        attempt.version,
        cancellation,
        ProjectInfo(run.environment.project),
        OrganizationInfo(run.environment.organization),
        run.auth,
        Connections(run.connections),
        journal,
        None if run.schedule is None else ScheduleInfo(run.schedule.id, _moment(run.schedule.timestamp)),
        _event_info(run.event),
    )


def _event_info(event: Event | None) -> EventInfo | None:
    if event is None:
        return None
    context = MappingProxyType(event.context)
    return EventInfo(event.id, event.name, _moment(event.timestamp), event.source, context)


def _run_info(run: HandOut) -> RunInfo:
    return RunInfo(
        id=run.id,
        tags=run.tags,
        created_at=_moment(run.created_at),
        is_test=run.is_test,
        max_attempts=run.max_attempts,
        max_duration=None if run.max_duration is None else run.max_duration / 1000,
        idempotency_key=run.idempotency_key,
        batch_id=run.batch_id,
        source=run.source,
        priority=run.priority,
        concurrency_key=run.concurrency_key,
        parent_id=run.parent_id,
        root_id=run.root_id,
        depth=run.depth,
        replay_of=run.replay_of,
        metadata=MappingProxyType(run.metadata),
        machine=run.machine,
    )


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
