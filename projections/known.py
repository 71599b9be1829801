"""The rows that further events may change, kept from the batches before, so that following need not load them again."""

from domain.ports import Head
from domain.status import FINAL
from projections.attempts import OPEN
from projections.fold import Changes, Loaded, Touched

RUNS_MAX = 200_000
"""Above so many unfinished runs nothing is kept, and all is loaded again: memory is worth more then."""


class Known:
    """Rows of the last batches, as they are at one head of one set of tables."""

    def __init__(self) -> None:
        self._rows = Loaded()
        self._of: tuple[Head, int] | None = None

    def begin(self, head: Head, tables: int) -> None:
        """What is stored stands at this head, in the tables of this rebuild; what is known of another is forgotten."""
        if self._of != (head, tables):
            self.forget()

    def forget(self) -> None:
        """Know nothing."""
        self._rows = Loaded({}, {}, {})
        self._of = None

    def among(self, touched: Touched) -> tuple[Loaded, Touched]:
        """What is known of these rows, and what has to be loaded."""
        rows = self._rows
        runs, attempts, states = rows.runs, rows.attempts, rows.states
        known = Loaded(
            {run: runs[run] for run in touched.runs if run in runs},
            {run: attempts[run] for run in touched.runs if run in attempts},
            {stream: states[stream] for stream in touched.states if stream in states},
        )
        return known, Touched(
            [run for run in touched.runs if run not in runs],
            # Of a run that is known either its state is, or its row tells that.
            [stream for stream in touched.states if stream not in states and stream not in runs],
            # A token changes once as a rule, so that it is not worth remembering.
            touched.waitpoints,
        )

    def learn(self, loaded: Loaded, changes: Changes, head: Head, tables: int) -> None:
        """These rows were loaded, and changed by a batch up to this head."""
        rows = self._rows
        for row in (*changes.added, *changes.changed):
            if row.status in FINAL:
                rows.runs.pop(row.id, None)
                rows.attempts.pop(row.id, None)
                continue
            rows.runs[row.id] = row
            if row.status in OPEN and row.id in loaded.attempts:
                rows.attempts[row.id] = loaded.attempts[row.id]
        # Those that began come last: of one batch they are behind those that were there.
        for attempt in (*changes.attempts, *changes.tried):
            if attempt.run in rows.runs:
                rows.attempts[attempt.run] = attempt
        for state in (*changes.begun, *changes.states):
            rows.states[state.stream] = state.state
        for stream in changes.gone:
            rows.states.pop(stream, None)
        self._of = (head, tables)
        if len(rows.runs) > RUNS_MAX:
            self.forget()
