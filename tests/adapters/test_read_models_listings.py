"""Lists of named events and batches on every database: which rows, in which order, and how far each is."""

import pytest

from domain import events as e
from domain.events import Event, Recorded
from projections.listings import Begun, ListingFilter, ListingRow, Standing, place_at
from projections.ports import ReadModels
from tests.adapters.read_models import apply

PENDING = ("PENDING",)


def told(*happened: tuple[str, Event], environment: str = "env_a", behind: int = 0) -> list[Recorded]:
    """These events, a second apart, each stream's from its first version on."""
    versions: dict[str, int] = {}
    records: list[Recorded] = []
    for position, (stream, event) in enumerate(happened, behind + 1):
        version = versions[stream] = versions.get(stream, 0) + 1
        at = position * 1_000
        records.append(Recorded(position, stream, version, environment, at, at, "test", "test", event))
    return records


def sent(event: str, name: str = "user.created") -> e.EventSent:
    """An event that is to come."""
    return e.EventSent(event, name, 7, "shop", deliver_at=10**12)


EVENTS = (
    ("event_1", sent("1")),
    ("event_2", sent("2", "order.paid")),
    ("batch_1", e.BatchTriggered(("run_1", "run_2"))),
    ("event_3", sent("3")),
    ("event_1", e.EventDelivered(("run_3",))),
    ("batch_1", e.BatchCompleted()),
    ("batch_2", e.BatchCreated(5, 10**12)),
)


def ids(read_models: ReadModels, kind: str = "event", **wanted: object) -> list[str]:
    """The ids of those that the filter leaves."""
    rows, has_more = read_models.list_listings("env_a", ListingFilter(kind, **wanted), 10)  # type: ignore[arg-type]

    assert not has_more
    return [row.begun.id for row in rows]


@pytest.fixture(params=[1, 3, 7], ids=lambda size: f"in batches of {size}")
def listed(request: pytest.FixtureRequest, read_models: ReadModels) -> ReadModels:
    records = told(*EVENTS)
    for first in range(0, len(records), request.param):
        apply(read_models, records[first : first + request.param])
    return read_models


def test_the_newest_come_first_and_each_kind_has_its_list(listed: ReadModels) -> None:
    assert ids(listed) == ["3", "2", "1"]
    assert ids(listed, "batch") == ["batch_2", "batch_1"]
    assert listed.list_listings("env_b", ListingFilter("event"), 10) == ([], False)


def test_filters_narrow_by_name_status_and_time(listed: ReadModels) -> None:
    assert ids(listed, name="user.created") == ["3", "1"]
    assert ids(listed, statuses=PENDING) == ["3", "2"]
    assert ids(listed, name="user.created", statuses=PENDING) == ["3"]
    assert ids(listed, created_from=2_000, created_to=2_000) == ["2"]
    assert ids(listed, "batch", statuses=("COMPLETED", "PENDING")) == ["batch_2", "batch_1"]
    assert ids(listed, name="nul\0") == []


def test_a_row_has_all_that_the_events_told(listed: ReadModels) -> None:
    ((event,), _) = listed.list_listings("env_a", ListingFilter("event", created_to=1_000), 1)
    ((batch,), _) = listed.list_listings("env_a", ListingFilter("batch", created_to=3_000), 1)

    begun = Begun(
        "event_1", "env_a", "event", place_at("event", 1_000, 1), 1_000, "user.created", "1", "shop", 7, 10**12
    )
    assert event == ListingRow(begun, Standing("event_1", "DELIVERED", 5, 5_000))
    assert (batch.begun.items, batch.standing) == (2, Standing("batch_1", "COMPLETED", 6, 6_000))


def test_pages_go_both_ways(listed: ReadModels) -> None:
    first, has_older = listed.list_listings("env_a", ListingFilter("event"), 2)
    rest, has_more = listed.list_listings("env_a", ListingFilter("event"), 2, after=first[-1].id)
    back, has_newer = listed.list_listings("env_a", ListingFilter("event"), 2, before=rest[0].id)

    assert ([each.begun.id for each in rest], has_older, has_more) == (["1"], True, False)
    assert (back, has_newer) == (first, False)
