"""`verify` finds every row that is not what the ledger makes of it, says where, and a rebuild heals it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from msgspec import Raw, to_builtins
from msgspec.structs import replace

from adapters.read_models_entries import Unreadable
from adapters.sqlite.ledger import SqliteLedger
from app.engine.rebuild import rebuild
from app.history import parts
from app.history.comparison import SHOWN_MAX, Difference, plain
from app.history.verify import verify
from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Recorded
from domain.ports import START
from domain.status import Status
from projections.attempts import Outcome
from projections.fold import TagRow
from tests.adapters.read_models import Tables, dump, follow, ledger_of, tamper
from tests.projections.histories import history, of_run
from tests.projections.model import naively

TRIGGERED = e.RunTriggered("greet", "urgent", tags=("red",), metadata=Raw(b'{"a":1}'))
STARTED = (e.RunDequeued(2, "worker_1", "20260101.1"), e.AttemptStarted(1, 2, "worker_1", "20260101.1"))
HISTORY = of_run(TRIGGERED, *STARTED)


@pytest.fixture(autouse=True)
def _parts_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are many."""
    monkeypatch.setattr(parts, "SIZE", 2)


def test_sound_rows_hold_at_the_position_where_they_are(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger, upto=2)
    report = verify(ledger, read_models)

    assert report.holds
    assert report.position == 2
    assert report.rows == {
        "runs": 1,
        "attempts": 0,
        "tags": 1,
        "checkpoint": 1,
        "waitpoints": 0,
        "waitpoint tags": 0,
        "schedules": 0,
        "listings": 0,
        "executions": 0,
        "lasting": 0,
    }


RUN, ATTEMPT, RED = ("run_1",), ("run_1", 1), ("env_a", "red", "run_1")
ROWS = naively(HISTORY)
COPY = """
insert into run_rows
select 'run_0', environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at,
    detail
from run_rows
"""


@pytest.mark.parametrize(
    ("plant", "differences"),
    [
        ("update run_rows set task = 'mail'", [Difference("runs", RUN, "task", "mail", "greet", 3)]),
        (
            """
            update run_rows
            set detail = replace(replace(detail, '"attempts":1', '"attempts":7'), '"worker_1"', '"worker_2"')
            """,
            [
                Difference("runs", RUN, "worker", "worker_2", "worker_1", 3),
                Difference("runs", RUN, "attempts", 7, 1, 3),
            ],
        ),
        ("delete from run_rows", [Difference("runs", RUN, "", None, plain(ROWS.runs["run_1"]), 3)]),
        (COPY, [Difference("runs", ("run_0",), "", plain(replace(ROWS.runs["run_1"], id="run_0")), None, 3)]),
        (
            "update run_rows set status = 'ASLEEP'",
            [
                Difference(
                    "runs", RUN, "", plain(Unreadable("'ASLEEP' is not a valid Status")), plain(ROWS.runs["run_1"]), 3
                )
            ],
        ),
        (
            """update attempt_rows set detail = replace(detail, '"EXECUTING"', '"LOST"')""",
            [Difference("attempts", ATTEMPT, "outcome", Outcome.LOST, Outcome.EXECUTING, 3)],
        ),
        (
            "delete from attempt_rows",
            [Difference("attempts", ATTEMPT, "", None, plain(ROWS.attempts["run_1", 1]), 3)],
        ),
        (
            "update tag_rows set tag = 'blue'",
            [
                Difference("tags", ("env_a", "blue", "run_1"), "", plain(TagRow("env_a", "blue", "run_1")), None, 3),
                Difference("tags", RED, "", None, plain(TagRow(*RED)), 3),
            ],
        ),
        (
            """update state_rows set detail = replace(detail, '"EXECUTING"', '"QUEUED"')""",
            [Difference("checkpoint", RUN, "state.status", Status.QUEUED, Status.EXECUTING, 3)],
        ),
        ("update state_rows set position = 2", [Difference("checkpoint", RUN, "position", 2, 3, 3)]),
        ("delete from state_rows", [Difference("checkpoint", RUN, "", None, plain(ROWS.states["run_1"]), 3)]),
    ],
)
def test_a_row_that_is_not_what_the_ledger_makes_of_it_is_found_and_rebuilt(
    read_models: Tables, plant: str, differences: list[Difference]
) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger)
    tamper(read_models, plant)
    report = verify(ledger, read_models)
    rebuild(ledger, read_models)

    assert list(report.differences) == differences
    assert to_builtins(report)["differences_total"] == len(differences)
    assert (report.differences_total, report.holds, report.position) == (len(differences), False, 3)
    assert verify(ledger, read_models).holds
    assert dump(read_models) == ROWS


def test_a_difference_reads_as_a_sentence() -> None:
    assert str(Difference("runs", RUN, "task", "mail", "greet", 3)) == (
        "runs: task of run_1 is stored as 'mail', and the ledger makes it 'greet' (at event 3)."
    )
    assert str(Difference("attempts", ATTEMPT, "", None, 1, 3)).startswith(
        "attempts: the row run_1, 1 is stored as None"
    )


def test_of_many_differences_the_first_are_told_and_all_are_counted(read_models: Tables) -> None:
    ledger = ledger_of(history(Random(6), 700))
    follow(read_models, ledger)
    changed = tamper(read_models, "update run_rows set task = 'other'")
    report = verify(ledger, read_models)

    assert changed > SHOWN_MAX
    assert (len(report.differences), report.differences_total) == (SHOWN_MAX, changed)


def test_another_event_at_the_position_is_found(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger)
    tamper(read_models, "update tracked set digest = ?", bytes(32))
    report = verify(ledger, read_models)

    assert (report.digest_matches, report.differences, report.holds) == (False, (), False)


def test_an_edited_event_is_found_in_the_ledger_and_in_the_rows(read_models: Tables, tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.append(HISTORY, {}, after=START)
    follow(read_models, ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("update events set state = replace(state, 'urgent', 'lazily') where notification_id = 1")
    report = verify(ledger, read_models)

    assert len(report.ledger_faults) == 1
    assert "Event 1 " in report.ledger_faults[0]
    assert Difference("runs", RUN, "queue", "urgent", "lazily", 3) in report.differences
    assert not report.holds


def _behind(history: list[Recorded], *events: e.RunEvent) -> list[Recorded]:
    """What another run did afterwards."""
    last = history[-1]
    return [
        replace(each, position=last.position + each.version, recorded_at=last.recorded_at + each.version)
        for each in of_run(*events, stream="run_2")
    ]


def _again(history: list[Recorded], event: e.RunEvent) -> list[Recorded]:
    """What happens to the run of a history at last, two positions behind it."""
    last = history[-1]
    (after,) = of_run(event)
    return [replace(after, position=last.position + 2, version=last.version + 1, recorded_at=last.recorded_at + 1)]


def test_what_no_run_may_do_is_named_with_its_position(read_models: Tables) -> None:
    """The hashes are right: whoever wrote this could append."""
    ledger = ledger_of([*HISTORY, *_behind(HISTORY, TRIGGERED, e.RunFrozen())])
    follow(read_models, ledger, upto=3)
    tamper(read_models, "update tracked set notification_id = 5, digest = ?", ledger.digest_at(5))

    report = verify(ledger, read_models)

    assert report.ledger_faults == ("Event 5 of run_2: RunFrozen cannot happen while the run is QUEUED.",)
    assert (report.rows, report.holds) == ({}, False)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ((e.RunDelayed(5),), "Event 4 of run_2: RunDelayed cannot happen before the run exists."),
        ((TRIGGERED, e.RunCanceled(), e.RunCanceled()), "while the run is CANCELED."),
        ((TRIGGERED, *STARTED, e.AttemptSucceeded(1, 9)), "and attempt 1 under the token 2 is open."),
    ],
)
def test_what_the_read_models_have_not_followed_is_looked_at_too(
    read_models: Tables, events: tuple[e.RunEvent, ...], said: str
) -> None:
    ledger = ledger_of([*HISTORY, *_behind(HISTORY, *events)])
    follow(read_models, ledger, upto=3)
    report = verify(ledger, read_models)

    assert (report.head, report.position, len(report.ledger_faults)) == (3 + len(events), 3, 1)
    assert report.ledger_faults[0].endswith(said)
    assert report.differences_total == 0


def test_read_models_that_are_behind_are_compared_where_they_are(read_models: Tables) -> None:
    ledger = ledger_of([*HISTORY, *_behind(HISTORY, TRIGGERED), *_again(HISTORY, e.AttemptSucceeded(1, 2))])
    follow(read_models, ledger, upto=2)
    report = verify(ledger, read_models)

    assert report.holds
    assert (report.head, report.position, report.rows["runs"], report.rows["attempts"]) == (5, 2, 1, 0)


def test_a_clock_that_goes_back_is_found_within_a_part_and_between_two(read_models: Tables) -> None:
    records = of_run(TRIGGERED, *STARTED, e.AttemptSucceeded(1, 2), e.TagsAdded(("a",)))
    for early in range(1, 5):
        changed = [replace(each, recorded_at=each.recorded_at - 15 * (at == early)) for at, each in enumerate(records)]
        ledger = ledger_of(changed)

        assert list(ledger.verify()) == [f"Event {early + 1} was recorded before the event in front of it."]
        assert verify(ledger, read_models).ledger_faults == tuple(ledger.verify())


def test_an_event_far_behind_all_others_is_found_at_once(read_models: Tables, tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.append(HISTORY, {}, after=START)
    follow(read_models, ledger)
    far = 2**62
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("update events set notification_id = ? where notification_id = 3", (far,))
    report = verify(ledger, read_models)

    assert report.ledger_faults == (
        f"Events 3 to {far - 1} are missing.",
        f"Event {far} is not as it was appended: its hash is wrong.",
    )


def test_a_name_that_is_no_text_any_more_is_named_with_its_position(read_models: Tables, tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.append(HISTORY, {}, after=START)
    follow(read_models, ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("update events set originator_id = cast(x'72ff' as text) where notification_id = 2")
    report = verify(ledger, read_models)

    assert report.ledger_faults == ("Event 2 is not as it was appended: its hash is wrong.",)
    assert (report.rows, report.holds) == ({}, False)


def test_events_that_are_not_found_by_the_name_of_their_stream_are_missed(
    read_models: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when an index of the database is damaged: the positions are all there."""
    ledger = ledger_of([*HISTORY, *_behind(HISTORY, TRIGGERED)])
    follow(read_models, ledger, upto=3)
    tamper(read_models, "update tracked set notification_id = 4, digest = ?", ledger.digest_at(4))
    found = ledger.read_between

    def read_between(first: str, last: str | None, *, upto: int) -> dict[str, list[Recorded]]:
        return found(first, last, upto=upto - 1)

    monkeypatch.setattr(ledger, "read_between", read_between)

    with pytest.raises(LedgerCorrupt, match="3 of 4 events are found by the names of their streams"):
        verify(ledger, read_models)


def test_of_a_ledger_of_which_no_rows_can_be_made_it_is_said_what_is_missing(
    read_models: Tables, tmp_path: Path
) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.append(HISTORY, {}, after=START)
    follow(read_models, ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("delete from events where notification_id = 1")
    report = verify(ledger, read_models)

    assert report.ledger_faults[0] == "Events 1 to 1 are missing."
    assert (report.rows, report.holds) == ({}, False)
