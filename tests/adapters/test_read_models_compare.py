"""Rows are compared with the ledger in slices, while others follow: nothing is missed, nothing found for no reason."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from app.engine.rebuild import rebuild
from app.history import parts
from app.history.comparing import Place, look
from app.history.comparison import Difference
from app.history.verify import verify
from domain import events as e
from domain.errors import OutOfStep
from domain.ports import CopyableLedger, Head
from projections import lasting
from tests.adapters.read_models import Opener, Tables, dump, entries_of, follow, ledger_of, tamper
from tests.projections.histories import chances, history, of_run, unhurried

TRIGGERED = e.RunTriggered("greet", "urgent", tags=("red",), metadata=Raw(b'{"a":1}'))
STARTED = (e.RunDequeued(2, "worker_1", "20260101.1"), e.AttemptStarted(1, 2, "worker_1", "20260101.1"))
HISTORY = of_run(TRIGGERED, *STARTED)
STEPS_MAX = 10_000
LASTED = of_run(TRIGGERED, e.RunCanceled())
KEY = ("env_a", 1, 1)


@pytest.fixture(autouse=True)
def _short_runs_lasted_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are rows of such runs; and `verify` has many parts to look at."""
    monkeypatch.setattr(lasting, "LASTING_MIN", 1)
    monkeypatch.setattr(parts, "SIZE", 7)


def _compare_all(ledger: CopyableLedger, read_models: Tables, size: int) -> list[Difference]:
    """What a look at everything finds; one that finds something goes on as if it had not."""
    place, found = Place(), list[Difference]()
    for _ in range(STEPS_MAX):
        seen = look(ledger, read_models, place, size)
        found += seen.differences
        if seen.after is None:
            return found
        place = seen.after
    raise AssertionError("the look does not come to an end")


@unhurried
@given(chances, st.integers(1, 120), st.integers(1, 9))
def test_rows_that_others_go_on_writing_never_seem_to_differ(
    empty: Opener, chance: Random, length: int, size: int
) -> None:
    records = history(chance, length)
    ledger, read_models = ledger_of(records), empty()
    place, at = Place(), 0
    for _ in range(STEPS_MAX):
        if at < length and chance.random() < 0.5:
            upto = min(length, at + chance.randint(1, 10))
            digest = ledger.digest_at(upto)
            assert digest is not None
            read_models.apply(records[at:upto], Head(upto, digest))
            at = upto
        seen = look(ledger, read_models, place, size)

        assert (seen.differences, seen.position) == ((), at)
        if seen.after is None and at == length:
            assert verify(ledger, read_models).holds
            return
        place = seen.after or Place()
    raise AssertionError("the look does not come to an end")


@unhurried
@given(chances, st.integers(20, 120), st.integers(1, 9))
def test_a_row_that_is_gone_is_found_wherever_it_was(empty: Opener, chance: Random, length: int, size: int) -> None:
    ledger, read_models = ledger_of(history(chance, length)), empty()
    follow(read_models, ledger)
    with read_models.snapshot() as stored:
        before = entries_of(stored)
    there = [(name, entry.key) for name, entries in before.items() for entry in entries]
    name, key = chance.choice(there)
    table, columns = KEYS[name]
    values = [
        str(each).encode() if "bytea" in kind else each
        for each, kind in zip(key, _kinds(read_models, table), strict=False)
    ]
    conditions = " and ".join(f"{each} = {_asked(read_models, table, each)}" for each in columns)
    assert tamper(read_models, f"delete from {table} where {conditions}", *values) == 1

    found = _compare_all(ledger, read_models, size)

    assert {(each.projection, each.key, each.field) for each in found} >= {(name, key, "")}
    whole = verify(ledger, read_models)
    assert [(each.projection, each.key, each.field) for each in whole.differences] == [(name, key, "")]
    assert whole.rows == {projection: len(entries) for projection, entries in before.items()}


KEYS = {
    "runs": ("run_rows", ("id",)),
    "attempts": ("attempt_rows", ("run", "number")),
    "tags": ("tag_rows", ("environment", "tag", "run")),
    "checkpoint": ("state_rows", ("stream",)),
    "waitpoints": ("waitpoint_rows", ("id",)),
    "waitpoint tags": ("waitpoint_tag_rows", ("environment", "tag", "status", "waitpoint")),
    "executions": ("execution_rows", ("id",)),
    "schedules": ("schedule_rows", ("id",)),
    "listings": ("listing_rows", ("stream",)),
    "lasting": ("lasting_rows", ("environment", "span", "born")),
}


def _kinds(read_models: Tables, table: str) -> list[str]:
    """On PostgreSQL tags are bytes."""
    return ["", "bytea" if _is_postgres(read_models) and "tag_rows" in table else "", "", ""]


def _asked(read_models: Tables, table: str, column: str) -> str:
    """On PostgreSQL rows of what lasted long have their environments by numbers."""
    is_number = _is_postgres(read_models) and (table, column) == ("lasting_rows", "environment")
    return "(select number from environments where name = ?)" if is_number else "?"


def _is_postgres(read_models: Tables) -> bool:
    return type(read_models).__name__ == "PostgresReadModels"


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        ("update run_rows set status = 'QUEUED'", [("runs", ("run_1",), "status", "QUEUED", "EXECUTING")]),
        ("update run_rows set task = 'mail'", [("runs", ("run_1",), "task", "mail", "greet")]),
        (
            "update attempt_rows set detail = replace(detail, 'worker_1', 'worker_2')",
            [("attempts", ("run_1", 1), "worker", "worker_2", "worker_1")],
        ),
        ("delete from attempt_rows", [("attempts", ("run_1", 1), "", None, ...)]),
        (
            "insert into attempt_rows select run, 2, detail from attempt_rows",
            [("attempts", ("run_1", 2), "", ..., None)],
        ),
        (
            "update tag_rows set run = 'run_2'",
            [("tags", ("env_a", "red", "run_1"), "", None, ...), ("tags", ("env_a", "red", "run_2"), "", ..., None)],
        ),
        ("update state_rows set position = 2", [("checkpoint", ("run_1",), "position", 2, 3)]),
        ("delete from state_rows", [("checkpoint", ("run_1",), "", None, ...)]),
        ("delete from run_rows", [("runs", ("run_1",), "", None, ...)]),
    ],
)
def test_what_differs_is_named_with_both_values(
    read_models: Tables, plant: str, found: list[tuple[object, ...]]
) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger)
    tamper(read_models, plant)

    named = {
        tuple(
            ... if isinstance(value, dict) else value for value in (d.projection, d.key, d.field, d.stored, d.rebuilt)
        )
        for d in _compare_all(ledger, read_models, 1)
    }

    assert named == set(found)
    rebuild(ledger, read_models)
    assert _compare_all(ledger, read_models, 1) == []


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        ("delete from lasting_rows", {(KEY, "")}),
        ("update lasting_rows set ended = 9", {(KEY, "ended")}),
        ("update lasting_rows set run = 'run_9'", {(KEY, "run"), (KEY, "")}),
        ("update lasting_rows set born = 3", {(KEY, ""), (("env_a", 1, 3), "")}),
    ],
)
def test_what_lasted_long_is_compared_too(read_models: Tables, plant: str, found: set[tuple[object, str]]) -> None:
    ledger = ledger_of(LASTED)
    follow(read_models, ledger)
    assert tamper(read_models, plant) == 1

    seen = _compare_all(ledger, read_models, 1)

    assert {each.projection for each in seen} == {"lasting"}
    assert {(each.key, each.field) for each in seen} == found
    rebuild(ledger, read_models)
    assert _compare_all(ledger, read_models, 1) == []


def test_a_run_that_nothing_tells_of_is_found_with_all_its_rows(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger)
    for table, column in (("run_rows", "id"), ("attempt_rows", "run"), ("tag_rows", "run"), ("state_rows", "stream")):
        tamper(read_models, f"update {table} set {column} = 'run_0'")

    found = _compare_all(ledger, read_models, 1)

    assert {(each.projection, each.key) for each in found if each.rebuilt is None} == {
        ("runs", ("run_0",)),
        ("attempts", ("run_0", 1)),
        ("tags", ("env_a", "red", "run_0")),
        ("checkpoint", ("run_0",)),
    }
    assert {each.projection for each in found if each.stored is None} == {"runs", "attempts", "tags", "checkpoint"}


def test_a_position_that_was_moved_is_found(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger)
    tamper(read_models, "update tracked set notification_id = 2")

    (found,) = look(ledger, read_models, Place(), 10).differences

    assert (found.projection, found.field, found.position) == ("position", "digest", 2)


def test_rows_of_another_shape_are_not_compared(read_models: Tables) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger)
    tamper(read_models, "update tracked set shape = 'old'")

    with pytest.raises(OutOfStep, match="another shape"):
        look(ledger, read_models, Place(), 10)


def test_slices_of_everything_agree_with_the_whole(read_models: Tables) -> None:
    ledger = ledger_of(history(Random(11), 200))
    follow(read_models, ledger)

    assert verify(ledger, read_models).holds
    assert _compare_all(ledger, read_models, 3) == []
    assert len(dump(read_models).runs) > 3
