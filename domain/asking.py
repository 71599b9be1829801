"""Of which aggregates a command has to know before it can be decided."""

from collections.abc import Iterator

from domain.batch import Batch
from domain.commands import (
    AbortBulk,
    AddItems,
    AdvanceBulk,
    BackfillTicks,
    CancelEvent,
    Command,
    CompleteWaitpoint,
    CreateBatch,
    CreateWaitpoint,
    DeliverEvent,
    EraseRuns,
    ResumeJob,
    SaveSchedule,
    SendEvent,
    StorePacket,
    TriggerRuns,
    UpdateMetadata,
)
from domain.keys import Key
from domain.run import Run
from domain.states import State

NAMING = ("run", "job", "key", "erasure")
"""Fields of commands that name streams; of a `request` that depends on the time: see RequestKeys."""


def asked_by(command: Command) -> Iterator[str]:
    """The streams that the command itself names; the engine asks a turn, which has many, by itself."""
    match command:
        case TriggerRuns():
            yield from _asked_by_trigger(command)
            if isinstance(command, AddItems):
                assert command.batch, "items are those of a batch"
                yield command.batch
            elif isinstance(command, AdvanceBulk):
                yield command.bulk
                yield from command.cancels
        case CreateBatch():
            yield from (each for each in (command.key, command.parent, command.once) if each)
        case BackfillTicks(keys=streams) | EraseRuns(asked=streams):
            yield from streams
        case SendEvent(event=stream) | DeliverEvent(event=stream) | CancelEvent(event=stream):
            yield stream
        case AbortBulk(bulk=stream) | CompleteWaitpoint(waitpoint=stream) | StorePacket(packet=stream):
            yield stream
        case _:
            yield from (named for each in NAMING if (named := getattr(command, each, None)))


def leads_to(command: Command, state: State | None) -> tuple[str, ...]:
    """The streams that such a stream names in turn."""
    match command, state:
        case ((TriggerRuns() | CreateBatch() | CreateWaitpoint() | SaveSchedule()), Key(target=str(target))):
            return (target,)
        case AddItems(), Batch(parent=str(parent)):
            return (parent,)
        case UpdateMetadata(), Run():
            return tuple(each for each in (state.parent, state.root) if each)
        case _:
            return ()


def _asked_by_trigger(command: TriggerRuns) -> Iterator[str]:
    if isinstance(command, ResumeJob):
        yield command.job
    for new in command.runs:
        if new.key:
            yield new.key
        if new.parent:
            yield new.parent
        if new.replay_of:
            yield new.replay_of
        if new.debounce:
            yield new.debounce.key
    if command.once:
        yield command.once
