"""How lengths of time are written."""

from datetime import timedelta
from typing import Any

import pytest

from runfold.durations import Duration, duration_ms, in_words, whole_seconds


@pytest.mark.parametrize(
    ("duration", "ms"),
    [
        ("30s", 30_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("2hr", 7_200_000),
        ("1d", 86_400_000),
        ("1w2d", 777_600_000),
        ("1h30m", 5_400_000),
        ("0s", 0),
        (5, 5000),
        (0.25, 250),
        (timedelta(minutes=1, microseconds=900), 60_000),
    ],
)
def test_a_duration_in_milliseconds(duration: Any, ms: int) -> None:
    assert duration_ms(duration) == ms


@pytest.mark.parametrize(
    "duration",
    [
        "",
        "5",
        "m",
        "5 m",
        "5x",
        "-5m",
        "1.5h",
        "5m ",
        "1" * 101 + "s",
        -1,
        float("nan"),
        float("inf"),
        True,
        None,
        [5],
        timedelta(seconds=-1),
    ],
)
def test_what_is_no_duration_is_refused(duration: Any) -> None:
    with pytest.raises(ValueError, match="is no duration: write seconds, a timedelta, or text such as"):
        duration_ms(duration)


def test_seconds_are_rounded_up() -> None:
    assert [whole_seconds(each) for each in (0, 0.001, 1, 1.2, "1m")] == [0, 1, 1, 2, 60]


@pytest.mark.parametrize("duration", ["522w", "3651d", 315_360_001, timedelta(days=3_651)])
def test_what_the_engine_would_refuse_is_refused_at_once(duration: Duration) -> None:
    with pytest.raises(ValueError, match="is longer than ten years"):
        duration_ms(duration)


@pytest.mark.parametrize(
    ("duration", "words"),
    [("1h30m", "1h30m"), (5, "5 s"), (0.25, "0.25 s"), (timedelta(minutes=1), "0:01:00"), (None, "None")],
)
def test_a_duration_is_told_as_it_was_written_and_a_number_as_seconds(duration: Duration | None, words: str) -> None:
    assert in_words(duration) == words
