"""Tables and durations as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from app.cli.output import duration, print_fields, print_table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_table_is_aligned_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300

    print_table(("name", "value", "note"), [("a", "12345678", ""), ("日本", "1", "two\nlines"), (long, "", "")])

    head, first, second, third = capsys.readouterr().out.splitlines()
    assert head == f"name{' ' * 298}value     note"
    assert first == f"a{' ' * 301}12345678"
    assert second == f"日本{' ' * 298}1         two lines"
    assert third == long


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("run", "run_1"), ("tags", ""), ("idempotency key", "k")])

    assert capsys.readouterr().out == "run              run_1\nidempotency key  k\n"


def test_what_a_run_brings_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("error", "\x1b]0;title\x07 \x9b31m red [bold]")])

    assert capsys.readouterr().out == "error  �]0;title� �31m red [bold]\n"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (59_949, "59.9 s"),
        (60_000, "1 min 0 s"),
        (3_719_600, "62 min 0 s"),
    ],
)
def test_a_duration_is_as_exact_as_it_has_to_be(ms: int, text: str) -> None:
    assert duration(NOON, NOON + timedelta(milliseconds=ms)) == text


def test_what_has_not_ended_has_no_duration() -> None:
    assert duration(NOON, None) == ""
