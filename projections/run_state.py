"""What the row of a run tells of its state, so that the checkpoint need not have it."""

from domain import events as e
from domain.events import NOTHING
from domain.run import Run
from projections.run_row import RunRow


def tells_state(event: e.RunTriggered) -> bool:
    """Whether the row of a run that is new tells all of its state."""
    if event.prefix is not None or event.delay_until is not None or event.ttl_ms == 0:
        return False
    # A row has its tags sorted, each once.
    return not event.tags or len(event.tags) == 1 or event.tags == tuple(sorted(set(event.tags)))


def state_of(row: RunRow) -> Run:
    """The state of a run of which the row `tells_state`: what `domain.run.evolve` makes of its first event."""
    return Run(
        row.id,
        row.environment,
        row.task,
        row.queue,
        row.status,
        row.events,
        row.created_at,
        row.created_at,
        row.updated_at,
        row.payload_size,
        row.priority,
        row.concurrency_key,
        row.ttl_ms,
        row.updated_at + row.ttl_ms if row.ttl_ms else None,
        None,  # due_at
        None,  # delay_until
        row.max_attempts,
        row.max_duration_ms,
        row.lock,
        None,  # last_version
        row.machine,
        row.parent,
        row.root,
        row.depth,
        row.batch,
        None,  # auth
        row.tags,
        NOTHING if row.metadata is None else row.metadata,
        None if row.source == e.MANUAL else row.schedule,
        row.job.id if row.job else None,
    )
