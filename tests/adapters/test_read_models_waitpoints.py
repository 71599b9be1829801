"""Tokens in the read models: the rows of the pure fold, and lists with what the naive filter leaves, page by page."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.read_models_entries import Unreadable
from app.engine.rebuild import rebuild
from app.history.comparison import Difference, plain
from app.history.verify import verify
from domain import events as e
from domain.events import Event, Recorded
from domain.waitpoint import WaitpointStatus
from projections.waitpoints import WaitpointFilter, WaitpointRow, WaitpointTagRow, matches
from tests.adapters.read_models import Opener, Tables, apply, dump, follow, forget, ledger_of, tamper
from tests.projections.histories import MOMENT, TAGS, chances, history_of_tokens, split, unhurried
from tests.projections.model import naively

moments = st.none() | st.integers(MOMENT - 10, MOMENT + 20_000)
filters = st.builds(
    WaitpointFilter,
    statuses=st.lists(st.sampled_from(WaitpointStatus), max_size=3).map(tuple),
    tags=st.lists(st.sampled_from((*TAGS, "none")), max_size=3).map(tuple),
    idempotency_key=st.none() | st.sampled_from(("once", "two\0", "none")),
    created_from=moments,
    created_to=moments,
)
# Most filters at once leave nothing; those that leave something are mostly of one part.
single_filters = st.one_of(
    st.just(WaitpointFilter()),
    st.builds(WaitpointFilter, statuses=st.lists(st.sampled_from(WaitpointStatus), max_size=2).map(tuple)),
    st.builds(WaitpointFilter, tags=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple)),
    st.builds(WaitpointFilter, idempotency_key=st.sampled_from(("once", "two\0"))),
    st.builds(WaitpointFilter, created_from=moments, created_to=moments),
)


def listed(read_models: Tables, wanted: WaitpointFilter, limit: int) -> list[WaitpointRow]:
    """All pages, from the newest token to the oldest."""
    rows, has_more = read_models.list_waitpoints("env_a", wanted, limit)
    while has_more:
        assert rows
        page, has_more = read_models.list_waitpoints("env_a", wanted, limit, after=rows[-1].id)
        assert 0 < len(page) <= limit
        rows += page
    return rows


def listed_backwards(read_models: Tables, wanted: WaitpointFilter, limit: int) -> list[WaitpointRow]:
    """All pages, from the oldest token to the newest, put together."""
    rows, has_more = read_models.list_waitpoints("env_a", wanted, limit, before="waitpoint_")
    while has_more:
        assert rows
        page, has_more = read_models.list_waitpoints("env_a", wanted, limit, before=rows[0].id)
        assert 0 < len(page) <= limit
        rows = page + rows
    return rows


@unhurried
@given(chances, filters | single_filters, st.integers(1, 7))
def test_pages_in_both_directions_are_what_the_naive_filter_leaves(
    empty: Opener, chance: Random, wanted: WaitpointFilter, limit: int
) -> None:
    records = history_of_tokens(chance, 60)
    read_models = empty()
    for batch in split(records, chance):
        apply(read_models, batch)
    rows = [row for row in naively(records).waitpoints.values() if row.environment == "env_a" and matches(row, wanted)]
    newest_first = sorted(rows, key=lambda row: row.id, reverse=True)

    assert dump(read_models) == naively(records)
    assert listed(read_models, wanted, limit) == newest_first
    assert listed_backwards(read_models, wanted, limit) == newest_first


def test_a_token_is_completed_also_when_its_row_was_stored_by_a_process_before(read_models: Tables) -> None:
    apply(read_models, HISTORY[:1])
    forget(read_models)
    apply(read_models, HISTORY[:2])

    assert dump(read_models) == naively(HISTORY)


def of_token(*events: Event) -> list[Recorded]:
    return [
        Recorded(number, "waitpoint_1", number, "env_a", 1_000, 1_001, "test", "test", event)
        for number, event in enumerate(events, start=1)
    ]


HISTORY = of_token(e.WaitpointCreated(5_000, ("red",), "ke\0y", 9_000, "5ec7e7"), e.WaitpointCompleted())
ROWS = naively(HISTORY)


def tag_key(tag: str, status: str = "COMPLETED") -> tuple[str, str, str, str]:
    return "env_a", tag, status, "waitpoint_1"


TOKEN, RED = ("waitpoint_1",), WaitpointTagRow("env_a", "red", WaitpointStatus.COMPLETED, "waitpoint_1")


@pytest.mark.parametrize(
    ("plant", "differences"),
    [
        (
            "update waitpoint_rows set status = 'WAITING'",
            [Difference("waitpoints", TOKEN, "status", "WAITING", "COMPLETED", 2)],
        ),
        (
            """update waitpoint_rows set detail = replace(detail, '5ec7e7', '0')""",
            [Difference("waitpoints", TOKEN, "secret", "0", "5ec7e7", 2)],
        ),
        (
            "update waitpoint_rows set key_digest = null",
            [
                Difference(
                    "waitpoints",
                    TOKEN,
                    "",
                    {"error": "The digest of the idempotency key is that of another one."},
                    plain(ROWS.waitpoints["waitpoint_1"]),
                    2,
                )
            ],
        ),
        (
            "delete from waitpoint_rows",
            [Difference("waitpoints", TOKEN, "", None, plain(ROWS.waitpoints["waitpoint_1"]), 2)],
        ),
        (
            "update waitpoint_tag_rows set tag = 'blue'",
            [
                Difference("waitpoint tags", tag_key("blue"), "", plain(replace(RED, tag="blue")), None, 2),
                Difference("waitpoint tags", tag_key("red"), "", None, plain(RED), 2),
            ],
        ),
        (
            "update waitpoint_tag_rows set status = 'DONE'",
            [
                Difference("waitpoint tags", tag_key("red"), "", None, plain(RED), 2),
                Difference(
                    "waitpoint tags",
                    tag_key("red", "DONE"),
                    "",
                    plain(Unreadable("'DONE' is not a valid WaitpointStatus")),
                    None,
                    2,
                ),
            ],
        ),
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
    assert report.rows == {
        "runs": 0,
        "attempts": 0,
        "tags": 0,
        "checkpoint": 0,
        "waitpoints": 1,
        "waitpoint tags": 1,
        "schedules": 0,
        "executions": 0,
        "lasting": 0,
        "listings": 0,
    }
    assert verify(ledger, read_models).holds
    assert dump(read_models) == ROWS
