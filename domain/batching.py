"""How the engine takes a batch that comes in a stream, and how it ends batches of both kinds."""

from msgspec.structs import replace

from domain import batch as batches
from domain import events as e
from domain.batch import Batch, BatchStatus
from domain.commands import AddItems, Command, CreateBatch, CreatedBatch, TakenItems
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import InvalidInput, NotFound, Refused
from domain.events import ItemError
from domain.keys import Key
from domain.memory import Memory
from domain.run import Run
from domain.triggering import check, refuse_second_use, trigger_run

REFUSED = "INVALID_ITEM"
"""The code of an item that can become no run."""


def create_batch(command: CreateBatch, draft: Draft) -> CreatedBatch:
    """Announce a batch, or find the one that its key, or the same request, made before."""
    key = draft.state(command.key) if command.key else None
    kept = key.stands_for(draft.recorded_at) if isinstance(key, Key) else None
    for target, cached in ((draft.made_by(command.request), False), (kept, True)):
        known = draft.state(target) if target else None
        # A batch that came to nothing frees its key, as a failed run does; the same request gets the same answer.
        if isinstance(known, Batch) and (not cached or known.status is not BatchStatus.ABORTED):
            return CreatedBatch(known.id, known.expected, cached=cached)
    refuse_second_use(command.once, draft)
    if command.parent:
        relative(command.parent, command, draft)
    origin = Origin.of(command)
    created = e.BatchCreated(command.run_count, command.expires_at, command.idempotency_key, command.parent)
    draft.record(command.batch, [created], origin)
    draft.claim(command.request, command.batch, origin)
    for stream, until in ((command.key, command.key_until), (command.once, command.once_until)):
        if stream:
            draft.record(stream, [e.KeyClaimed(command.batch, until)], origin)
    return CreatedBatch(command.batch, command.run_count)


def add_items(command: AddItems, environment: Environment, draft: Draft, memory: Memory) -> TakenItems:
    """Make runs of the items that are not known yet. Raises InvalidInput when the batch expired without them."""
    batch = _open(command, draft)
    if batch.is_sealed:
        return _taken(batch, 0)
    known = batch.runs.keys() | {each.index for each in batch.errors}
    errors = {each.index: each for each in command.errors if each.index not in known}
    gates, origin = memory.gates(environment, draft.recorded_at), Origin.of(command)
    runs: dict[int, str] = {}
    cached: list[int] = []
    for index, asked in zip(command.indexes, command.runs, strict=True):
        if index in known or index in runs or index in errors:
            continue
        new = replace(asked, parent=asked.parent or batch.parent)
        try:
            check(new, environment, draft)
            accepted = trigger_run(new, command, gates, environment, draft, origin)
        except Refused as refusal:
            errors[index] = ItemError(index, new.task, str(refusal), REFUSED)
            continue
        runs[index] = accepted.run
        if accepted.cached:
            cached.append(index)
    if not runs and not errors:
        return _taken(batch, 0)
    refused = tuple(errors[index] for index in sorted(errors))
    events: list[e.Event] = [e.BatchItemsAccepted(runs, tuple(cached), refused)]
    if batch.known + len(runs) + len(errors) == batch.expected:
        events.append(e.BatchSealed())
    after = draft.record(batch.id, events, origin)
    assert isinstance(after, Batch), "a batch stays a batch"
    return _taken(after, len(runs) + len(errors))


def end_batches(draft: Draft, memory: Memory) -> None:
    """Let those batches be over that take no items any more and of which no run is unfinished."""
    for stream, cause in memory.members.settling():
        batch = memory.states.get(stream)
        if not isinstance(batch, Batch) or stream in memory.members.unfinished:
            continue
        if all((run := memory.run(shared)) is None or run.is_final for shared in batch.shared):
            origin = Origin(batch.environment, "engine", cause, draft.recorded_at)
            draft.record(stream, batches.end(batch), origin)


def relative(run: str, command: Command, draft: Draft) -> None:
    """Raises NotFound unless the run is of the environment."""
    known = draft.state(run)
    if not isinstance(known, Run) or known.environment != command.environment:
        raise NotFound(f"Run {run} not found.")


def _taken(batch: Batch, accepted: int) -> TakenItems:
    return TakenItems(accepted, batch.known, batch.expected, batch.is_sealed)


def _open(command: AddItems, draft: Draft) -> Batch:
    batch = draft.state(command.batch or "")
    if not isinstance(batch, Batch) or batch.environment != command.environment:
        raise NotFound(f"Batch {command.batch} not found.")
    if batch.is_expired:
        raise InvalidInput(
            f"Batch {batch.id} has expired: {batch.known} of its {batch.expected} items came in time."
            " Create another batch for the others."
        )
    if batch.status is BatchStatus.ABORTED:
        raise InvalidInput(f"None of the items of batch {batch.id} could become a run: create another batch.")
    indexes = (*command.indexes, *(each.index for each in command.errors))
    if not batch.is_sealed and any(not 0 <= index < batch.expected for index in indexes):
        raise InvalidInput(f"The items of batch {batch.id} have the indexes 0 to {batch.expected - 1}.")
    return batch
