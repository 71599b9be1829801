"""Ids that are derived: the same for the same, sorted by time and place, and uuid7s as all others are."""

from itertools import product
from uuid import UUID

from domain.derived import derived_id

WALL = 1_800_000_000_000


def test_the_same_parts_have_the_same_id_and_others_another() -> None:
    parts = [("a", 1), ("a", 2), ("b", 1), ("a1",), ("a", 1, "")]
    ids = {derived_id("run", WALL, *each) for each in parts}

    assert len(ids) == len(parts)
    assert derived_id("run", WALL, "a", 1) in ids


def test_ids_sort_by_time_and_then_by_place() -> None:
    ids = [
        derived_id("run", WALL + later, "a", number, place=place)
        for number, (later, place) in enumerate(product(range(3), range(100)))
    ]

    assert ids == sorted(ids)


def test_an_id_is_a_uuid7() -> None:
    kind, _, digits = derived_id("sched", WALL, "\ud800", place=4_095).partition("_")
    found = UUID(hex=digits)

    assert (kind, found.version, found.variant) == ("sched", 7, "specified in RFC 4122")
    assert found.int >> 80 == WALL
