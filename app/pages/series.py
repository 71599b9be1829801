"""Runs over time: how many were made and how they ended, and how long they took."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from app.pages.words import duration, tone
from domain.status import FINAL, Status
from projections.run_row import RunRow
from runfold.counting import counted

BUCKETS = 48
TASKS_MAX = 20
WIDTH, HEIGHT = 960.0, 160.0
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
TONES = ("good", "bad", "past", "busy", "wait", "idle")
"""From the bottom of a column to its top."""


class Column(NamedTuple):
    """The runs that were made in one part of the time, by how they are coloured; `words` says what there is."""

    x: float
    parts: Sequence[tuple[str, float, float]]
    words: str


class OfTask(NamedTuple):
    """The runs of a task: how many, how many failed, and in what time half of them, and nearly all, were completed."""

    task: str
    runs: int
    failed: int
    p50: str
    p95: str


class Series(NamedTuple):
    """Two charts over the same time. A curve is a list of strokes: it is broken where nothing ended."""

    runs: int
    failed: int
    start: int
    end: int
    columns: Sequence[Column]
    most: int
    curves: dict[str, list[str]]
    longest: str
    shares: dict[str, str]
    tasks: Sequence[OfTask]


def series_of(rows: Sequence[RunRow], start: int, end: int) -> Series:
    """The charts of these runs, all of which were made between two moments."""
    size = max(1, end - start) / BUCKETS
    parts: list[list[RunRow]] = [[] for _ in range(BUCKETS)]
    for row in rows:
        parts[min(BUCKETS - 1, max(0, int((row.created_at - start) / size)))].append(row)
    most = max(1, *map(len, parts))
    took = [sorted(_took(row) for row in part if row.status is Status.COMPLETED) for part in parts]
    longest = max((each[-1] for each in took if each), default=0)
    whole = sorted(_took(row) for row in rows if row.status is Status.COMPLETED)
    return Series(
        runs=len(rows),
        failed=sum(tone(row.status) == "bad" for row in rows),
        start=start,
        end=end,
        columns=[_column(index, part, most) for index, part in enumerate(parts)],
        most=most,
        curves={name: _strokes([_share(each, share) for each in took], longest) for name, share in SHARES.items()},
        longest=duration(longest),
        shares={name: duration(_share(whole, share) or 0) for name, share in SHARES.items()} if whole else {},
        tasks=_tasks(rows),
    )


def _tasks(rows: Sequence[RunRow]) -> list[OfTask]:
    """The tasks, those first of which most failed."""
    names = Counter(row.task for row in rows)
    failed = Counter(row.task for row in rows if tone(row.status) == "bad")
    took: dict[str, list[int]] = {name: [] for name in names}
    for row in rows:
        if row.status is Status.COMPLETED:
            took[row.task].append(_took(row))
    ordered = sorted(names, key=lambda name: (-failed[name], -names[name], name))[:TASKS_MAX]
    return [OfTask(name, names[name], failed[name], *_both(sorted(took[name]))) for name in ordered]


def _both(ordered: Sequence[int]) -> tuple[str, str]:
    found = [_share(ordered, share) for share in (0.5, 0.95)]
    half, most = ("none" if each is None else duration(each) for each in found)
    return half, most


def _took(row: RunRow) -> int:
    """From when a run was made until it was over."""
    assert row.status in FINAL, "only what is over took a time"
    return max(0, (row.finished_at or row.created_at) - row.created_at)


def _column(index: int, part: Sequence[RunRow], most: int) -> Column:
    counts = Counter(tone(row.status) for row in part)
    top, pieces = HEIGHT, list[tuple[str, float, float]]()
    for name in TONES:
        if counts[name]:
            height = counts[name] / most * HEIGHT
            top -= height
            pieces.append((name, round(top, 2), round(height, 2)))
    words = f"{counted(len(part), 'run')}, {counts['bad']} failed" if part else "no runs"
    return Column(round(index * WIDTH / BUCKETS, 2), pieces, words)


def _share(ordered: Sequence[int], share: float) -> int | None:
    """The smallest value that so large a part is not above; None of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _strokes(values: Sequence[int | None], longest: int) -> list[str]:
    """Each value is a level as wide as most of its part of the time, so that one alone can be seen, too."""
    strokes: list[str] = []
    points: list[str] = []
    size = WIDTH / BUCKETS
    for index, value in enumerate([*values, None]):
        if value is not None:
            y = HEIGHT * (1 - value / max(1, longest))
            points += [f"{(index + part) * size:.1f},{y:.1f}" for part in (0.2, 0.8)]
        elif points:
            strokes.append(" ".join(points))
            points = []
    return strokes
