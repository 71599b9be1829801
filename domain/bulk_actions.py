"""How the engine carries a bulk action on: what a chunk does and how far that is are in one commit."""

from domain import bulk as bulks
from domain import events as e
from domain.batching import relative
from domain.bulk import Bulk, BulkStatus
from domain.canceling import Cancels
from domain.commands import AbortBulk, AdvanceBulk, Command, StartBulk
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import NotFound, Refused
from domain.memory import Memory
from domain.run import Run
from domain.status import Status
from domain.triggering import trigger_run


def start(command: StartBulk, draft: Draft) -> str:
    """Begin a bulk action; the same request sent again begins no second one."""
    if made := draft.made_by(command.request):
        return made
    origin = Origin.of(command)
    draft.record(command.bulk, [e.BulkStarted(command.action, command.name, command.runs, command.filter)], origin)
    draft.claim(command.request, command.bulk, origin)
    return command.bulk


def advance(command: AdvanceBulk, environment: Environment, draft: Draft, memory: Memory, cancels: Cancels) -> bool:
    """Do a chunk, if the action is still where the chunk begins."""
    bulk = _find(command.bulk, command, draft)
    if bulk.status is not BulkStatus.PENDING or bulk.cursor != command.after:
        return False
    origin = Origin.of(command)
    success, failure, touched = command.success, command.failure, list[str]()
    for stream in command.cancels:
        before = draft.state(stream)
        is_done = _cancel(stream, bulk, origin, draft, cancels)
        success, failure = success + is_done, failure + (not is_done)
        # One that was canceled before is as wanted, and none that this action touched.
        touched += [stream] if is_done and draft.state(stream) is not before else []
    gates = memory.gates(environment, draft.recorded_at)
    for new in command.runs:
        try:
            relative(new.replay_of or "", command, draft)
            touched.append(trigger_run(new, command, gates, environment, draft, origin).run)
        except Refused:
            failure += 1
        else:
            success += 1
    draft.record(
        bulk.id, bulks.advance(command.cursor, success, failure, tuple(touched), is_last=command.is_last), origin
    )
    return True


def _cancel(stream: str, bulk: Bulk, origin: Origin, draft: Draft, cancels: Cancels) -> bool:
    """Whether the run is canceled after this."""
    run = draft.state(stream)
    if not isinstance(run, Run) or run.environment != bulk.environment:
        return False
    cancels.cancel(run, f"Canceled by {bulk.id}.", origin, draft)
    after = draft.state(stream)
    return isinstance(after, Run) and after.status is Status.CANCELED


def abort(command: AbortBulk, draft: Draft) -> None:
    """Leave it at what was done."""
    draft.record(command.bulk, bulks.abort(_find(command.bulk, command, draft), command.error), Origin.of(command))


def _find(stream: str, command: Command, draft: Draft) -> Bulk:
    bulk = draft.state(stream)
    if not isinstance(bulk, Bulk) or bulk.environment != command.environment:
        raise NotFound(f"Bulk action {stream} not found.")
    return bulk
