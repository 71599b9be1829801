"""The rows of every projection in plain dictionaries: folded event by event, or batch by batch as followers do."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from domain import states
from domain.events import Recorded, RunArchived, RunErased
from domain.schedule import Schedule
from domain.states import State
from projections import attempts, executions, lasting, listings, run_list, run_state, schedules, waitpoints
from projections.attempts import OPEN, AttemptRow
from projections.executions import ExecutionRow
from projections.fold import Loaded, StateRow, TagRow, fold, histories_of, touched
from projections.lasting import LastingRow
from projections.listings import ListingRow
from projections.run_row import RunRow
from projections.schedules import ScheduleRow
from projections.waitpoints import WaitpointRow, WaitpointTagRow


class Rows(Struct):
    """All rows, by their keys."""

    runs: dict[str, RunRow] = {}
    attempts: dict[tuple[str, int], AttemptRow] = {}
    tags: set[TagRow] = set()
    states: dict[str, StateRow] = {}
    waitpoints: dict[str, WaitpointRow] = {}
    waitpoint_tags: set[WaitpointTagRow] = set()
    executions: dict[str, ExecutionRow] = {}
    schedules: dict[str, ScheduleRow] = {}
    lasting: dict[tuple[str, int, int], LastingRow] = {}
    listings: dict[str, ListingRow] = {}


def naively(records: Iterable[Recorded]) -> Rows:
    """One event after the other, without what `projections.fold` knows about batches."""
    rows = Rows()
    last: dict[str, AttemptRow | None] = {}
    known: dict[str, State] = {}
    for recorded in records:
        stream = recorded.stream
        run = run_list.project(rows.runs.get(stream), recorded)
        if run is not None:
            _note_run(rows, run)
        attempt = last[stream] = attempts.project(last.get(stream), recorded)
        if attempt is not None:
            rows.attempts[stream, attempt.number] = attempt
        if isinstance(recorded.event, RunErased):
            _erase_attempts(rows, stream)
        if isinstance(recorded.event, RunArchived):
            _drop(rows, stream)
            rows.lasting = {key: row for key, row in rows.lasting.items() if row.run != stream}
        token = waitpoints.project(rows.waitpoints.get(stream), recorded)
        if token is not None:
            rows.waitpoints[stream] = token
            rows.waitpoint_tags = {row for row in rows.waitpoint_tags if row.waitpoint != stream}
            rows.waitpoint_tags |= {WaitpointTagRow(token.environment, tag, token.status, stream) for tag in token.tags}
        state = known[stream] = states.evolve(known.get(stream), recorded)
        _note_state(rows, stream, recorded.position, state)
        if states.kind_of(stream) in listings.KINDS:
            known_row = rows.listings.get(stream)
            begun = known_row.begun if known_row else listings.begin(recorded)
            rows.listings[stream] = ListingRow(begun, listings.standing([recorded], state))
        rows.schedules.pop(stream, None)
        if isinstance(state, Schedule) and not state.is_deleted:
            rows.schedules[stream] = schedules.row_of(state, recorded.position)
    return rows


def kept(rows: Rows) -> dict[str, State]:
    """The states that the rows tell of, by stream."""
    told = {row.id: run_state.state_of(row) for row in rows.runs.values() if row.tells_state}
    return {stream: row.state for stream, row in rows.states.items()} | told


def _note_state(rows: Rows, stream: str, position: int, state: State) -> None:
    rows.states.pop(stream, None)
    run = rows.runs.get(stream)
    if run is not None and run.tells_state:
        assert run_state.state_of(run) == state
    elif states.is_kept(state):
        rows.states[stream] = StateRow(stream, position, state)


def _note_run(rows: Rows, run: RunRow) -> None:
    rows.runs[run.id] = run
    rows.tags = {row for row in rows.tags if row.run != run.id}
    rows.tags |= {TagRow(run.environment, tag, run.id) for tag in run.tags}
    execution = executions.row_of(run)
    if execution is not None:
        rows.executions[run.id] = execution
    lasted = lasting.row_of(run)
    if lasted is not None:
        rows.lasting[lasted.environment, lasted.span, lasted.born] = lasted


def follow(rows: Rows, records: Sequence[Recorded]) -> None:
    """Fold one batch into the rows, loading no more than what it touches."""
    histories = histories_of(records)
    runs, continued, tokens = touched(histories)
    loaded = Loaded(
        runs={run: rows.runs[run] for run in runs if run in rows.runs},
        states={stream: rows.states[stream].state for stream in continued if stream in rows.states},
        waitpoints={token: rows.waitpoints[token] for token in tokens if token in rows.waitpoints},
    )
    for run in loaded.runs.values():
        if run.status in OPEN:
            loaded.attempts[run.id] = rows.attempts[run.id, run.attempts]
    changes = fold(histories, loaded)
    assert not {row.id for row in changes.added} & rows.runs.keys()
    assert {row.id for row in changes.changed} <= rows.runs.keys()
    assert not {(row.run, row.number) for row in changes.tried} & rows.attempts.keys()
    assert {(row.run, row.number) for row in changes.attempts} <= rows.attempts.keys()
    assert not {row.stream for row in changes.begun} & rows.states.keys()
    assert {row.stream for row in changes.states} <= rows.states.keys()
    rows.runs |= {row.id: row for row in [*changes.added, *changes.changed]}
    rows.attempts |= {(row.run, row.number): row for row in (*changes.tried, *changes.attempts)}
    for stream in changes.erased:
        _erase_attempts(rows, stream)
    for stream in changes.archived:
        _drop(rows, stream)
    rows.tags = (rows.tags | set(changes.tags)) - set(changes.untagged)
    rows.states |= {row.stream: row for row in (*changes.begun, *changes.states)}
    rows.waitpoints |= {row.id: row for row in changes.waitpoints}
    rows.waitpoint_tags = (rows.waitpoint_tags | set(changes.waitpoint_tags)) - set(changes.waitpoint_untagged)
    rows.executions |= {row.id: row for row in changes.executions}
    rows.lasting |= {(row.environment, row.span, row.born): row for row in changes.lasting}
    for row in changes.lasting_gone:
        rows.lasting.pop((row.environment, row.span, row.born))
    rows.schedules |= {row.id: row for row in changes.schedules}
    assert not {row.begun.stream for row in changes.listings} & rows.listings.keys()
    rows.listings |= {row.begun.stream: row for row in changes.listings}
    for now in changes.standings:
        rows.listings[now.stream] = ListingRow(rows.listings[now.stream].begun, now)
    for stream in changes.schedules_gone:
        rows.schedules.pop(stream, None)
    for stream in changes.gone:
        rows.states.pop(stream, None)


def _erase_attempts(rows: Rows, run: str) -> None:
    rows.attempts |= {key: attempts.erased(row) for key, row in rows.attempts.items() if key[0] == run}


def _drop(rows: Rows, run: str) -> None:
    rows.runs.pop(run)
    rows.executions.pop(run, None)
    rows.tags = {row for row in rows.tags if row.run != run}
    rows.attempts = {key: row for key, row in rows.attempts.items() if key[0] != run}
