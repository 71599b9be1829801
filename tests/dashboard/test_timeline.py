"""The drawing of a run is to scale, and the charts add up, whatever happened."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from app.pages.series import BUCKETS, HEIGHT, WIDTH, series_of
from app.pages.timeline import NARROWEST, draw, spans_of
from app.pages.timeline import WIDTH as AXIS
from app.pages.words import GROUPS, clock, duration, moments, short, tone, word
from domain import events as e
from domain.events import Recorded, RunError, RunEvent
from domain.status import FINAL, Status
from projections.run_row import RunRow

START = 1_800_000_000_000


def _recorded(version: int, event: RunEvent, at: int) -> Recorded:
    return Recorded(version, "run_1", version, "env_1", at, at, "test", "test", event)


def _history(*after: int) -> list[Recorded]:
    """A run that fails once and then succeeds, its events so many milliseconds after its trigger."""
    error = RunError(message="no", name="E")
    events = (
        e.RunTriggered(task="greet", queue="task/greet"),
        e.RunDequeued(token=1, worker="w", version="1"),
        e.AttemptStarted(number=1, token=1, worker="w", version="1"),
        e.AttemptFailed(number=1, token=1, error=error),
        e.RetryScheduled(at=START),
        e.RunEnqueued(reason="backoff"),
        e.RunDequeued(token=2, worker="w", version="1"),
        e.AttemptStarted(number=2, token=2, worker="w", version="1"),
        e.AttemptSucceeded(number=2, token=2),
    )
    return [_recorded(n, event, START + at) for n, (event, at) in enumerate(zip(events, after, strict=False), 1)]


def test_each_status_is_as_long_as_it_was() -> None:
    drawing = draw(_history(0, 100, 200, 400, 400, 900, 900, 900, 1_000), {}, START + 9_999)

    run, first, second = drawing.tracks
    assert [(bar.tone, bar.x, bar.width) for bar in run.bars] == [
        ("idle", 0.0, 100.0),
        ("busy", 100.0, 100.0),
        ("busy", 200.0, 200.0),
        ("wait", 400.0, 500.0),
        ("busy", 900.0, 100.0),
    ]
    assert [(bar.x, bar.width, bar.words) for bar in (*first.bars, *second.bars)] == [
        (200.0, 200.0, "failed for 200 ms from +200 ms"),
        (900.0, 100.0, "completed for 100 ms from +900 ms"),
    ]
    assert (drawing.took, drawing.ticks) == ("1.0 s", ["0", "+250 ms", "+500 ms", "+750 ms", "+1.0 s"])


def test_what_goes_on_is_as_long_as_it_has_been() -> None:
    drawing = draw(_history(0, 0, 500), {}, START + 1_000)

    run, attempt = drawing.tracks
    assert [(bar.tone, bar.x, bar.width) for bar in run.bars] == [("busy", 0.0, 500.0), ("busy", 500.0, 500.0)]
    assert attempt.words == "Attempt 1: executing until now from +500 ms"


def test_each_try_of_a_step_is_drawn_with_the_wait_behind_it() -> None:
    error = RunError("busy")
    events: list[tuple[int, RunEvent]] = [
        *(
            (at, each.event)
            for at, each in zip((0, 0, 0), _history(0, 0, 0), strict=True)
            if isinstance(each.event, RunEvent)
        ),
        (100, e.StepTryFailed(e.Entry(0, "charge"), error, START + 300)),
        (300, e.WaitCompleted(0)),
        (400, e.StepTryFailed(e.Entry(1, "charge"), error, START + 600)),
        (600, e.WaitCompleted(1)),
        (650, e.StepTryFailed(e.Entry(2, "other"), error, START + 900)),
        (700, e.StepSucceeded(e.Entry(3, "charge"))),
    ]

    drawing = draw([_recorded(n, event, START + at) for n, (at, event) in enumerate(events, 1)], {}, START + 800)

    assert [(track.label, [bar.words for bar in track.bars]) for track in drawing.tracks[2:]] == [
        ("charge, try 1", ["failed for 100 ms from +0 ms", "waiting for 200 ms from +100 ms"]),
        ("charge, try 2", ["failed for 100 ms from +300 ms", "waiting for 200 ms from +400 ms"]),
        ("other, try 1", ["failed for 650 ms from +0 ms", "waiting until now from +650 ms"]),
        ("charge", ["completed for 700 ms from +0 ms"]),
    ]


@given(st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=9), st.integers(-5_000, 10_000))
def test_no_clock_makes_a_drawing_that_leaves_its_axis(after: list[int], now: int) -> None:
    history = _history(*after)

    drawing = draw(history, {}, START + now)

    spans = spans_of(history)
    assert all(one.end == other.start for one, other in itertools.pairwise(spans))
    for track in drawing.tracks:
        for bar in track.bars:
            assert 0 <= bar.x <= AXIS
            assert 0 < bar.width <= AXIS
            assert bar.x + bar.width <= AXIS + 0.2
            assert bar.width >= NARROWEST - 0.1


ROWS = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(-10, 5_000), st.sampled_from(Status), st.sampled_from("abc")),
    max_size=60,
)


@given(ROWS)
def test_charts_count_every_run_once_and_stay_in_their_frame(found: list[tuple[int, int, Status, str]]) -> None:
    rows = [_row(created, took, status, task) for created, took, status, task in found]

    series = series_of(rows, START, START + 10_000)

    heights = sum(height for column in series.columns for _, _, height in column.parts)
    assert (series.runs, len(series.columns)) == (len(rows), BUCKETS)
    assert abs(heights - len(rows) / series.most * HEIGHT) < 0.01 * (1 + len(rows))
    assert series.failed == sum(tone(row.status) == "bad" for row in rows)
    assert sum(task.runs for task in series.tasks) == len(rows)
    assert all(
        -0.01 <= y <= HEIGHT and x < WIDTH for column in series.columns for _, y, _ in column.parts for x in [column.x]
    )
    for strokes in series.curves.values():
        for x, y in (point.split(",") for stroke in strokes for point in stroke.split()):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT


def _row(created: int, took: int, status: Status, task: str) -> RunRow:
    at = START + created
    finished = at + took if status in FINAL else None
    return RunRow("run_1", "env_1", task, "q", status, 1, 1, at, at, None, finished_at=finished)


def test_shares_are_those_of_what_completed() -> None:
    rows = [_row(0, took, Status.COMPLETED, "a") for took in range(1, 101)] + [_row(0, 9_000, Status.FAILED, "a")]

    series = series_of(rows, START, START + 10_000)

    assert series.shares == {"p50": "51 ms", "p95": "96 ms", "p99": "100 ms"}
    assert series.tasks[0] == ("a", 101, 1, "51 ms", "96 ms")


def test_things_are_put_into_words() -> None:
    assert [duration(each) for each in (0, 999, 1_000, 59_949, 60_000, 61_000, 3_600_000, 5_400_000, 90_000_000)] == [
        *("0 ms", "999 ms", "1.0 s", "59.9 s", "1 min", "1 min 1 s", "1 h", "1 h 30 min", "1 d 1 h"),
    ]
    assert [word(each) for each in ("TIMED_OUT", "RunTriggered", "one_time", "skip")] == [
        *("Timed out", "Run triggered", "One time", "Skip"),
    ]
    assert short("run_01a200876a8e7054b5e5a7816cd37aa3") == "run_…6cd37aa3"
    assert short("run_1") == "run_1"
    assert clock("2027-01-15T08:00:00.000Z") == "2027-01-15 08:00:00"
    assert moments("at 2027-01-15T08:00:00.000Z.") == ["at ", "2027-01-15T08:00:00.000Z", "."]
    assert moments("never") == ["never"]


def test_every_status_of_a_run_is_in_a_group_or_canceled_and_has_a_colour() -> None:
    grouped = {status for _, statuses in GROUPS for status in statuses}

    assert {status.value for status in Status} == grouped | {"CANCELED"}
    assert {status for status in Status if tone(status) == "past"} == {Status.CANCELED, Status.EXPIRED}
