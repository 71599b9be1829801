"""Given what happened to a token, then its row."""

import pytest
from msgspec import Raw

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Event, Recorded
from domain.waitpoint import WaitpointStatus
from projections.fold import Changes, Loaded, Touched, fold, histories_of, touched
from projections.waitpoints import WaitpointFilter, WaitpointRow, WaitpointTagRow, matches, project
from tests.projections.model import naively

CREATED = e.WaitpointCreated(5_000, ("red", "blue", "red"), "once", 9_000, "5ec7e7")
ROW = WaitpointRow(
    id="waitpoint_1",
    environment="env_a",
    status=WaitpointStatus.WAITING,
    position=1,
    created_at=1_000,
    timeout_at=5_000,
    tags=("blue", "red"),
    idempotency_key="once",
    key_until=9_000,
    secret="5ec7e7",
)


def of_token(*events: Event) -> list[Recorded]:
    return [
        Recorded(number, "waitpoint_1", number, "env_a", number * 1_000, number * 1_000 + 1, "test", "test", event)
        for number, event in enumerate(events, start=1)
    ]


def tagged(status: WaitpointStatus) -> list[WaitpointTagRow]:
    return [WaitpointTagRow("env_a", tag, status, "waitpoint_1") for tag in ("blue", "red")]


def row_after(*events: Event) -> WaitpointRow | None:
    row: WaitpointRow | None = None
    for recorded in of_token(*events):
        row = project(row, recorded)
    return row


def test_a_token_that_was_made() -> None:
    assert row_after(CREATED) == ROW


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (e.WaitpointCompleted(Raw(b"1")), WaitpointStatus.COMPLETED),
        (e.WaitpointTimedOut(), WaitpointStatus.TIMED_OUT),
    ],
)
def test_a_token_that_is_over(end: Event, status: WaitpointStatus) -> None:
    row = row_after(CREATED, end)

    assert row is not None
    assert (row.status, row.completed_at, row.position) == (status, 2_000, 2)
    assert (row.tags, row.idempotency_key, row.secret) == (("blue", "red"), "once", "5ec7e7")


def test_events_of_others_change_no_token() -> None:
    assert row_after(e.KeyClaimed("waitpoint_1", 5)) is None
    assert row_after(CREATED, e.KeyClaimed("waitpoint_1", 5)) == ROW


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ((e.WaitpointCompleted(),), "There is no token waitpoint_1, and its event 1 is to follow"),
        ((e.WaitpointTimedOut(),), "There is no token waitpoint_1, and its event 1 is to follow"),
        ((CREATED, CREATED), "There is token waitpoint_1, and its event 2 is to follow"),
    ],
)
def test_an_event_that_does_not_follow_is_noticed(events: tuple[Event, ...], sentence: str) -> None:
    with pytest.raises(LedgerCorrupt, match=sentence):
        row_after(*events)


def test_a_token_within_one_batch_loads_nothing() -> None:
    histories = histories_of(of_token(CREATED, e.WaitpointCompleted()))

    assert touched(histories) == Touched([], [], [])
    row = row_after(CREATED, e.WaitpointCompleted())
    assert row is not None
    assert fold(histories, Loaded()) == Changes(waitpoints=[row], waitpoint_tags=tagged(WaitpointStatus.COMPLETED))


def test_a_token_that_goes_on_needs_its_row_and_not_its_state() -> None:
    records = of_token(CREATED, e.WaitpointCompleted())
    histories = histories_of(records[1:])
    changes = fold(histories, Loaded(waitpoints={"waitpoint_1": ROW}))

    assert touched(histories) == Touched([], [], ["waitpoint_1"])
    assert changes == Changes(
        waitpoints=[naively(records).waitpoints["waitpoint_1"]],
        waitpoint_tags=tagged(WaitpointStatus.COMPLETED),
        waitpoint_untagged=tagged(WaitpointStatus.WAITING),
        gone=["waitpoint_1"],
    )
    with pytest.raises(LedgerCorrupt, match="There is no token waitpoint_1"):
        fold(histories, Loaded())


@pytest.mark.parametrize(
    ("wanted", "is_left"),
    [
        (WaitpointFilter(), True),
        (WaitpointFilter(statuses=(WaitpointStatus.WAITING, WaitpointStatus.COMPLETED)), True),
        (WaitpointFilter(statuses=(WaitpointStatus.COMPLETED,)), False),
        (WaitpointFilter(tags=("none", "red")), True),
        (WaitpointFilter(tags=("none",)), False),
        (WaitpointFilter(idempotency_key="once"), True),
        (WaitpointFilter(idempotency_key="Once"), False),
        (WaitpointFilter(created_from=1_000, created_to=1_000), True),
        (WaitpointFilter(created_from=1_001), False),
        (WaitpointFilter(created_to=999), False),
        (WaitpointFilter(tags=("red",), idempotency_key="twice"), False),
    ],
)
def test_all_that_a_filter_says_must_hold(wanted: WaitpointFilter, *, is_left: bool) -> None:
    assert matches(ROW, wanted) is is_left
