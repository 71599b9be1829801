"""One batch of events folded into the rows of every projection: what to load for it, and what to store after it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from domain.channel import CHANNEL
from domain.erasure import ERASURE
from domain.errors import LedgerCorrupt
from domain.events import (
    AttemptStarted,
    BatchAborted,
    BatchCompleted,
    BulkAborted,
    BulkCompleted,
    ChannelRemoved,
    ErasureCompleted,
    EventCanceled,
    EventDelivered,
    JobDeleted,
    Recorded,
    RunArchived,
    RunErased,
    RunEvent,
    RunTriggered,
    ScheduleCreated,
    ScheduleDeleted,
    SinkRemoved,
    WaitpointCompleted,
    WaitpointCreated,
    WaitpointTimedOut,
)
from domain.named_event import EVENT
from domain.schedule import SCHED, Schedule
from domain.sink import SINK
from domain.states import WRITER, State, kind_of
from domain.status import FINAL
from domain.transitions import TRANSITIONS
from projections import attempts, checkpoint, executions, lasting, listings, run_list, run_state, schedules, waitpoints
from projections.attempts import AttemptRow
from projections.executions import ExecutionRow
from projections.lasting import LastingRow
from projections.listings import ListingRow, Standing
from projections.run_row import RunRow
from projections.schedules import ScheduleRow
from projections.waitpoints import WAITPOINT, WaitpointRow, WaitpointTagRow

FOLD = 2
"""Goes up when a fold gives other rows of the same fields, so that stored rows are known to be of the one before."""

Histories: TypeAlias = dict[str, list[Recorded]]
"""The events of a batch, by their stream."""

KEPT_KINDS = frozenset(
    {
        "run",
        "env",
        "batch",
        "bulk",
        WAITPOINT,
        SCHED,
        EVENT,
        "queue",
        "conn",
        "job",
        "secret",
        CHANNEL,
        ERASURE,
        SINK,
        WRITER,
    }
)
"""The kinds of aggregates of which the checkpoint keeps some."""
_ENDINGS = frozenset(event for event, transition in TRANSITIONS.items() if transition.target in FINAL)
_OTHER_ENDINGS = frozenset(
    {
        *(BatchCompleted, BatchAborted, BulkCompleted, BulkAborted, WaitpointCompleted, WaitpointTimedOut),
        *(ScheduleDeleted, JobDeleted, ChannelRemoved, EventDelivered, EventCanceled, ErasureCompleted, SinkRemoved),
    }
)
"""With which a state of another kind ceases to be kept; nothing follows them."""


class TagRow(Struct, frozen=True, gc=False):
    """A tag that a run has."""

    environment: str
    tag: str
    run: str


class StateRow(Struct, frozen=True, gc=False):
    """The state of an aggregate that is kept, and the position of its last event."""

    stream: str
    position: int
    state: State


class Touched(NamedTuple):
    """The rows that a batch continues: they must be loaded before it can be folded."""

    runs: list[str]
    states: list[str]
    waitpoints: list[str]


class Loaded(Struct):
    """The rows before a batch, by stream. Of a run's attempts the last, where it may still be open."""

    runs: dict[str, RunRow] = {}
    attempts: dict[str, AttemptRow] = {}
    states: dict[str, State] = {}
    waitpoints: dict[str, WaitpointRow] = {}


class Changes(Struct):
    """The rows after a batch, as far as they differ from those before it."""

    added: list[RunRow] = []
    changed: list[RunRow] = []
    moved: list[RunRow] = []
    """Those of the changed ones that are in another queue now."""
    tried: list[AttemptRow] = []
    """Those that began in this batch, of which nothing is stored."""
    attempts: list[AttemptRow] = []
    erased: list[str] = []
    """Runs of which all attempts, those that are stored included, are as of one that was erased."""
    archived: list[str] = []
    """Runs of which no row is left."""
    tags: list[TagRow] = []
    untagged: list[TagRow] = []
    begun: list[StateRow] = []
    """Those of which nothing is stored."""
    states: list[StateRow] = []
    gone: list[str] = []
    """Streams whose states are kept no longer."""
    waitpoints: list[WaitpointRow] = []
    waitpoint_tags: list[WaitpointTagRow] = []
    waitpoint_untagged: list[WaitpointTagRow] = []
    executions: list[ExecutionRow] = []
    schedules: list[ScheduleRow] = []
    schedules_gone: list[str] = []
    lasting: list[LastingRow] = []
    lasting_gone: list[LastingRow] = []
    """Those of runs that were archived."""
    listings: list[ListingRow] = []
    standings: list[Standing] = []
    """Of those that were stored before."""


class Counts(NamedTuple):
    """How many rows more there are after some events than before, told by their kinds alone."""

    runs: int
    attempts: int
    states: int
    waitpoints: int
    executions: int
    schedules: int
    listings: int


def histories_of(records: Sequence[Recorded]) -> Histories:
    """The events of a batch by their stream, each stream's in order."""
    histories: Histories = {}
    for recorded in records:
        histories.setdefault(recorded.stream, []).append(recorded)
    return histories


def touched(histories: Histories) -> Touched:
    """What must be loaded: nothing for what begins in this batch, and no state of a run that ends in it."""
    runs: list[str] = []
    states: list[str] = []
    tokens: list[str] = []
    for stream, history in histories.items():
        if history[0].version == 1:
            continue
        if not isinstance(history[0].event, RunEvent):
            kind = kind_of(stream)
            if kind == WAITPOINT:
                tokens.append(stream)
            if kind in KEPT_KINDS and type(history[-1].event) not in _OTHER_ENDINGS:
                states.append(stream)
            continue
        runs.append(stream)
        if not any(type(recorded.event) in _ENDINGS for recorded in history):
            states.append(stream)
    return Touched(runs, states, tokens)


def fold(histories: Histories, loaded: Loaded) -> Changes:
    """The rows after the batch. Raises LedgerCorrupt for events that do not follow what was loaded."""
    changes = Changes()
    for stream, history in histories.items():
        if isinstance(history[0].event, RunEvent):
            run = _fold_run(stream, history, loaded, changes)
            _fold_state_of_run(run, history, loaded, changes)
            continue
        kind = kind_of(stream)
        if kind not in KEPT_KINDS:
            continue
        if kind == WAITPOINT:
            _fold_waitpoint(stream, history, loaded, changes)
        row: StateRow | None = None
        if type(history[-1].event) not in _OTHER_ENDINGS:
            row = _state_row(stream, history, loaded.states.get(stream))
            (changes.begun if history[0].version == 1 else changes.states).append(row)
            if isinstance(row.state, Schedule):
                changes.schedules.append(schedules.row_of(row.state, row.position))
        elif history[0].version > 1:
            # Its state is not kept, so it need not be known. What began in this batch was never stored.
            changes.gone.append(stream)
            if kind == SCHED:
                changes.schedules_gone.append(stream)
        if kind in listings.KINDS:
            _fold_listing(history, row, changes)
    return changes


def count(records: Sequence[Recorded]) -> Counts:
    """What the number of rows must grow by, so that a fold can be checked against something that is no fold."""
    kinds = Counter(type(recorded.event) for recorded in records)
    others = sum(
        recorded.version == 1 and not isinstance(recorded.event, RunEvent) and kind_of(recorded.stream) in KEPT_KINDS
        for recorded in records
    )
    unfinished = kinds[RunTriggered] - sum(kinds[ending] for ending in _ENDINGS)
    others -= sum(kinds[ending] for ending in _OTHER_ENDINGS)
    of_jobs = sum(isinstance(event := each.event, RunTriggered) and event.job is not None for each in records)
    planned = kinds[ScheduleCreated] - kinds[ScheduleDeleted]
    archived = [event for each in records if isinstance(event := each.event, RunArchived)]
    runs, tokens = kinds[RunTriggered] - len(archived), kinds[WaitpointCreated]
    tried = kinds[AttemptStarted] - sum(each.attempts for each in archived)
    of_jobs -= sum(each.is_execution for each in archived)
    listed = sum(kinds[beginning] for beginning in listings.BEGINNINGS)
    return Counts(runs, tried, unfinished + others, tokens, of_jobs, planned, listed)


def _fold_state_of_run(run: RunRow, history: list[Recorded], loaded: Loaded, changes: Changes) -> None:
    before = loaded.runs.get(run.id)
    was_told = before is not None and before.tells_state
    is_stored = before is not None and not was_told and before.status not in FINAL
    if run.status in FINAL:
        if is_stored:
            # Its state is not kept, so it need not be known.
            changes.gone.append(run.id)
    elif not run.tells_state:
        # Most runs that wait under load end before there is anything to tell that their row does not.
        state = run_state.state_of(before) if before is not None and was_told else loaded.states.get(run.id)
        row = _state_row(run.id, history, state)
        (changes.states if is_stored else changes.begun).append(row)


def _state_row(stream: str, history: list[Recorded], state: State | None) -> StateRow:
    for recorded in history:
        state = checkpoint.project(state, recorded)
    if state is None:
        raise LedgerCorrupt(f"The checkpoint knows nothing of {stream}, which is kept and has further events.")
    return StateRow(stream, history[-1].position, state)


def _fold_run(stream: str, history: list[Recorded], loaded: Loaded, changes: Changes) -> RunRow:
    before = loaded.runs.get(stream)
    row = replace(before) if before else None
    last = loaded.attempts.get(stream)
    tried: dict[int, AttemptRow] = {}
    changed: dict[int, AttemptRow] = {}
    for recorded in history:
        row = run_list.advance(row, recorded) if row else run_list.begin(recorded)
        kind = type(recorded.event)
        if kind in attempts.CHANGED_BY:
            after = attempts.project(last, recorded)
            if after is not None and after is not last:
                rows = tried if kind is AttemptStarted or after.number in tried else changed
                rows[after.number] = last = after
            if kind is RunErased:
                changes.erased.append(stream)
    assert row is not None, "a run with events has a row"
    if type(history[-1].event) is RunArchived:
        if before is not None:
            changes.archived.append(stream)
            changes.untagged += [TagRow(row.environment, tag, stream) for tag in before.tags]
            lasted = lasting.row_of(before)
            if lasted is not None:
                changes.lasting_gone.append(lasted)
        return row
    changes.tried += tried.values()
    changes.attempts += changed.values()
    _note_run(before, row, changes)
    _note_other_rows(before, row, changes)
    return row


def _note_run(before: RunRow | None, row: RunRow, changes: Changes) -> None:
    if before is None:
        changes.added.append(row)
        if row.tags:
            changes.tags += [TagRow(row.environment, tag, row.id) for tag in row.tags]
        return
    changes.changed.append(row)
    if row.queue != before.queue:
        changes.moved.append(row)
    if row.tags != before.tags:
        changes.tags += [TagRow(row.environment, tag, row.id) for tag in row.tags if tag not in before.tags]
        changes.untagged += [TagRow(row.environment, tag, row.id) for tag in before.tags if tag not in row.tags]


def _note_other_rows(before: RunRow | None, row: RunRow, changes: Changes) -> None:
    if row.job is not None:
        execution = executions.row_of(row)
        if execution is not None and (before is None or executions.row_of(before) != execution):
            changes.executions.append(execution)
    # A run that ended before has its row; what follows are annotations.
    if row.ended is not None and (before is None or before.ended is None):
        lasted = lasting.row_of(row)
        if lasted is not None:
            changes.lasting.append(lasted)


def _fold_listing(history: list[Recorded], row: StateRow | None, changes: Changes) -> None:
    now = listings.standing(history, row.state if row else None)
    if history[0].version == 1:
        changes.listings.append(ListingRow(listings.begin(history[0]), now))
    else:
        changes.standings.append(now)


def _fold_waitpoint(stream: str, history: list[Recorded], loaded: Loaded, changes: Changes) -> None:
    before = row = loaded.waitpoints.get(stream)
    for recorded in history:
        row = waitpoints.project(row, recorded)
    assert row is not None, "a token with events has a row"
    changes.waitpoints.append(row)
    changes.waitpoint_tags += waitpoints.tag_rows_of(row)
    if before is not None:
        changes.waitpoint_untagged += waitpoints.tag_rows_of(before)
