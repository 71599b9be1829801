"""A run drawn to scale: what it was, its attempts, its steps and waits, and its children, each a bar on one axis."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from app.pages.words import duration, tone, word
from domain.events import Recorded, RunEvent
from domain.status import FINAL, Status
from domain.transitions import target_of
from projections import attempts
from projections.attempts import AttemptRow
from projections.journal import EntryKind, EntryRow, EntryStatus, journal_of
from projections.run_row import RunRow

WIDTH = 1_000
"""How wide an axis is; browsers stretch it."""
NARROWEST = 4.0
TICKS = 4


class Bar(NamedTuple):
    """A part of a track: where it begins and how wide it is, of what sort, and in words."""

    x: float
    width: float
    tone: str
    words: str


class Track(NamedTuple):
    """A line of the drawing. `run` is the run that it leads to, `depth` how far in it stands."""

    label: str
    depth: int
    bars: Sequence[Bar]
    words: str
    status: str = ""
    run: str | None = None


class Timeline(NamedTuple):
    """The whole drawing: `ticks` are how long after the beginning."""

    tracks: Sequence[Track]
    ticks: Sequence[str]
    took: str


class Span(NamedTuple):
    """A time in which something was so, in milliseconds; `end` is None while it is."""

    start: int
    end: int | None
    status: str


def draw(
    history: Sequence[Recorded], children: Mapping[str, RunRow], now: int, shown: Collection[int] | None = None
) -> Timeline:
    """The drawing of a run with these events, and of those of its children that are known.

    `shown` are the indexes of the entries of its journal that are drawn, all if left out.
    """
    statuses = spans_of(history)
    entries = journal_of(history)
    known = {row.entry.index: row for row in entries}
    wanted = known.keys() if shown is None else shown
    start, last = statuses[0].start, statuses[-1]
    ended = last.end if last.end is not None else max(now, last.start)
    axis = _Axis(start, max([ended, *(row.finished_at or 0 for row in children.values())]), ended)
    tracks = [axis.track("Run", 0, statuses, status=last.status)]
    attempted = attempts.rows_of(history)
    for attempt in attempted:
        span = Span(attempt.started_at, attempt.finished_at, attempt.outcome.value)
        name = f"Attempt {attempt.number}"
        tracks.append(axis.track(name, 1, [span], status=attempt.outcome.value))
        mine = [each for each in entries if each.attempt == attempt.number]
        tracks += _entries(axis, mine, wanted, attempt, known, children)
    ticks = [f"+{duration(axis.length * each / TICKS)}" for each in range(TICKS + 1)]
    return Timeline(tracks, ["0", *ticks[1:]], duration(ended - start))


def spans_of(history: Iterable[Recorded]) -> list[Span]:
    """The statuses that a run had, one after the other; the last one of a finished run takes no time."""
    spans: list[Span] = []
    status: Status | None = None
    for recorded in history:
        if not isinstance(recorded.event, RunEvent):
            continue
        before, status = status, target_of(status, recorded.event)
        if status is before:
            continue
        at = recorded.occurred_at
        if spans:
            # The clock of a worker may be behind the engine's.
            at = max(at, spans[-1].start)
            spans[-1] = spans[-1]._replace(end=at)
        spans.append(Span(at, at if status in FINAL else None, status.value))
    return spans


class _Axis:
    def __init__(self, start: int, end: int, now: int) -> None:
        self.start = start
        self.length = max(1, end - start)
        self.now = now

    def track(
        self, label: str, depth: int, spans: Sequence[Span], *, status: str = "", run: str | None = None
    ) -> Track:
        bars = [self._bar(span) for span in spans if len(spans) == 1 or span.end != span.start]
        words = ", then ".join(bar.words for bar in bars) or word(status)
        return Track(label, depth, bars, f"{label}: {words}", status, run)

    def _bar(self, span: Span) -> Bar:
        end = self.now if span.end is None else span.end
        x = min(max(0.0, (span.start - self.start) / self.length * WIDTH), WIDTH - NARROWEST)
        width = max(NARROWEST, (end - span.start) / self.length * WIDTH)
        took = (
            "until now" if span.end is None else "at once" if end <= span.start else f"for {duration(end - span.start)}"
        )
        after = duration(max(0, span.start - self.start))
        return Bar(
            round(x, 1),
            round(min(width, WIDTH - x), 1),
            tone(span.status),
            f"{word(span.status).lower()} {took} from +{after}",
        )


def _entries(
    axis: _Axis,
    mine: Sequence[EntryRow],
    shown: Collection[int],
    attempt: AttemptRow,
    known: Mapping[int, EntryRow],
    children: Mapping[str, RunRow],
) -> Iterable[Track]:
    tries: dict[tuple[object, ...], list[EntryRow]] = {}
    for row in mine:
        entry = row.entry
        is_shown = entry.index in shown
        if not is_shown and row.kind is not EntryKind.TRY:
            continue
        label = entry.name if entry.number == 1 else f"{entry.name} #{entry.number}"
        # The journal has what came of a step: it began when its branch of the code had come so far.
        before = None if entry.after is None else known.get(entry.after)
        begun = attempt.started_at if before is None or before.attempt != row.attempt else before.ended_at or before.at
        status = row.status.value
        match row.kind:
            case EntryKind.WAIT:
                yield axis.track(label, 2, [Span(row.at, row.ended_at, status)], status=status)
            case EntryKind.STEP:
                yield axis.track(label, 2, [Span(min(begun, row.at), row.at, status)], status=status)
            case EntryKind.TRY:
                alike = tries.setdefault((entry.name, entry.number, entry.after, entry.digest), [])
                spans = _spans_of_try(row, alike[-1].ended_at or row.at if alike else begun)
                alike.append(row)
                if is_shown:
                    yield axis.track(f"{label}, try {len(alike)}", 2, spans, status=status)
            case EntryKind.CHILDREN:
                for run in row.runs:
                    if child := children.get(run):
                        span = Span(child.created_at, child.finished_at, child.status.value)
                        yield axis.track(child.task, 2, [span], status=child.status.value, run=run)


def _spans_of_try(row: EntryRow, begun: int) -> list[Span]:
    """It failed, and the run waited for the next one."""
    return [Span(min(begun, row.at), row.at, row.status.value), Span(row.at, row.ended_at, EntryStatus.WAITING.value)]
