"""The rows of every projection in plain dictionaries: folded event by event, or batch by batch as followers do."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from domain import states
from domain.events import Recorded
from domain.states import State
from projections import attempts, run_list
from projections.attempts import OPEN, AttemptRow
from projections.fold import Loaded, StateRow, TagRow, fold, histories_of, touched
from projections.run_list import RunRow


class Rows(Struct):
    """All rows, by their keys."""

    runs: dict[str, RunRow] = {}
    attempts: dict[tuple[str, int], AttemptRow] = {}
    tags: set[TagRow] = set()
    states: dict[str, StateRow] = {}


def naively(records: Iterable[Recorded]) -> Rows:
    """One event after the other, without what `projections.fold` knows about batches."""
    rows = Rows()
    last: dict[str, AttemptRow | None] = {}
    known: dict[str, State] = {}
    for recorded in records:
        stream = recorded.stream
        run = run_list.project(rows.runs.get(stream), recorded)
        if run is not None:
            rows.runs[stream] = run
            rows.tags = {row for row in rows.tags if row.run != stream}
            rows.tags |= {TagRow(run.environment, tag, stream) for tag in run.tags}
        attempt = last[stream] = attempts.project(last.get(stream), recorded)
        if attempt is not None:
            rows.attempts[stream, attempt.number] = attempt
        state = known[stream] = states.evolve(known.get(stream), recorded)
        rows.states.pop(stream, None)
        if states.is_kept(state):
            rows.states[stream] = StateRow(stream, recorded.position, state)
    return rows


def follow(rows: Rows, records: Sequence[Recorded]) -> None:
    """Fold one batch into the rows, loading no more than what it touches."""
    histories = histories_of(records)
    runs, continued = touched(histories)
    loaded = Loaded(
        runs={run: rows.runs[run] for run in runs if run in rows.runs},
        states={stream: rows.states[stream].state for stream in continued if stream in rows.states},
    )
    for run in loaded.runs.values():
        if run.status in OPEN:
            loaded.attempts[run.id] = rows.attempts[run.id, run.attempts]
    changes = fold(histories, loaded)
    assert not {row.id for row in changes.added} & rows.runs.keys()
    assert {row.id for row in changes.changed} <= rows.runs.keys()
    rows.runs |= {row.id: row for row in [*changes.added, *changes.changed]}
    rows.attempts |= {(row.run, row.number): row for row in changes.attempts}
    rows.tags = (rows.tags | set(changes.tags)) - set(changes.untagged)
    rows.states |= {row.stream: row for row in changes.states}
    for stream in changes.gone:
        rows.states.pop(stream, None)
