"""How the engine takes a trigger: keys, debounce, parents, replays and batches."""

from domain import builtin, keys, lifecycle
from domain import events as e
from domain.batch import Batch
from domain.commands import Accepted, TriggerRuns
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import InvalidInput, UsedUp
from domain.gates import Gates
from domain.keys import Key
from domain.lifecycle import DEBOUNCING, NewRun
from domain.memory import Memory
from domain.run import Run

FOR_EVER = 2**53


def trigger_runs(command: TriggerRuns, environment: Environment, draft: Draft, memory: Memory) -> list[Accepted]:
    """Accept all the runs of a command, or raise Refused and record nothing."""
    if not command.runs:
        raise InvalidInput("A trigger is of one run or more.")
    if command.request and command.batch is None and len(command.runs) > 1:
        raise InvalidInput("Several runs that can be asked for again need a batch, which knows them all.")
    if made := draft.made_by(command.request):
        batch = draft.state(made)
        return [Accepted(run, batch=made) for run in batch.in_order] if isinstance(batch, Batch) else [Accepted(made)]
    refuse_second_use(command.once, draft)
    for new in command.runs:
        check(new, environment, draft)
    origin = Origin.of(command)
    gates = memory.gates(environment, draft.recorded_at)
    accepted = [trigger_run(new, command, gates, environment, draft, origin) for new in command.runs]
    if command.batch:
        runs = tuple(each.run for each in accepted)
        cached = tuple(place for place, each in enumerate(accepted) if each.cached)
        draft.record(command.batch, [e.BatchTriggered(runs, cached)], origin)
    target = command.batch or accepted[0].run
    draft.claim(command.request, target, origin)
    if command.once:
        draft.record(command.once, [e.KeyClaimed(target, command.once_until)], origin)
    return accepted


def refuse_second_use(once: str | None, draft: Draft) -> None:
    """Raises UsedUp for a token for one use that was used for something else."""
    used = draft.state(once) if once else None
    if isinstance(used, Key) and used.stands_for(draft.recorded_at):
        raise UsedUp("This public token was for one use, and was used before.")


def check(new: NewRun, environment: Environment, draft: Draft) -> None:
    """Raises InvalidInput for a run that can never be: without its parent, or of a version without its task."""
    if new.job is None and new.about is None and builtin.is_reserved(new.task):
        raise InvalidInput(
            f"Tasks whose ids begin with {builtin.PREFIX} are Runfold's own: to call a URL, save a job (POST /v1/jobs)."
        )
    if new.parent is not None:
        parent = draft.state(new.parent)
        if not isinstance(parent, Run) or parent.environment != environment.id:
            raise InvalidInput(f"There is no run {new.parent[:60]} that could be the parent.")
    key = draft.state(new.key) if new.key else None
    if isinstance(key, Key) and key.stands_for(draft.recorded_at):
        # The answer may be a run that was made before that version came.
        return
    locked = environment.tasks_of(new.lock) if new.lock else None
    if locked is not None and new.task not in locked:
        # A version never changes: the run would wait for ever.
        raise InvalidInput(f"Version {new.lock} has no task {new.task}.")


def trigger_run(
    new: NewRun, command: TriggerRuns, gates: Gates, environment: Environment, draft: Draft, origin: Origin
) -> Accepted:
    """Accept one run of a command, its relatives being known to be there."""
    key = draft.state(new.key) if new.key else None
    if isinstance(key, Key) and (target := key.stands_for(draft.recorded_at)):
        run = draft.state(target)
        if isinstance(run, Run) and (key.keeps_failed or keys.holds(run)):
            differs = None not in {key.payload, new.payload_digest} and key.payload != new.payload_digest
            return Accepted(target, cached=True, differs=differs)
    is_refused = gates.refuses(new.task, new.lock, new.verdict)
    # What the schema refuses becomes a run that says so; it must not take the place of what is delayed.
    if new.debounce and not is_refused:
        held = draft.state(new.debounce.key)
        run = draft.state(held.target) if isinstance(held, Key) and held.target else None
        if isinstance(run, Run) and run.status in DEBOUNCING:
            draft.record(run.id, lifecycle.debounce(run, new, draft.recorded_at), origin)
            if new.debounce.is_trailing:
                _keep_payload(new, command, draft)
            _claim_key(new, run.id, draft, origin)
            return Accepted(run.id, cached=True)
    parent = draft.state(new.parent) if new.parent else None
    events = lifecycle.trigger(new, gates, environment, parent if isinstance(parent, Run) else None)
    draft.record(new.id, events, origin)
    _keep_payload(new, command, draft)
    _claim_key(new, new.id, draft, origin)
    if new.debounce and not is_refused:
        draft.record(new.debounce.key, [e.KeyClaimed(new.id, FOR_EVER)], origin)
    if new.replay_of:
        draft.record(new.replay_of, [e.RunReplayed(new.id)], origin)
    return Accepted(new.id)


def _claim_key(new: NewRun, run: str, draft: Draft, origin: Origin) -> None:
    if new.key:
        draft.record(new.key, [e.KeyClaimed(run, new.key_until, new.payload_digest, new.keeps_failed)], origin)


def _keep_payload(new: NewRun, command: TriggerRuns, draft: Draft) -> None:
    if new.payload_blob:
        draft.add_blob(new.payload_blob.key, command.blobs[new.payload_blob.key])
    if new.prefix:
        for edit in new.prefix.edits:
            if edit.result_blob:
                draft.add_blob(edit.result_blob.key, command.blobs[edit.result_blob.key])
