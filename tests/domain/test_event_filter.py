"""Filters of named events: what they take, and which of them are none."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.event_filter import DEPTH_MAX, check, matches

LITERALS = st.sampled_from(["", "a", "A", "ab", 0, 1, 1.0, 0.5, -1, True, False])
LEAF_VALUES = LITERALS | st.none() | st.lists(LITERALS, max_size=2)
INNER = st.dictionaries(st.sampled_from("ab"), LEAF_VALUES, max_size=2)
VALUES = LEAF_VALUES | INNER | st.lists(INNER, max_size=2)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
MATCHERS = st.sampled_from(
    [
        *({name: given} for name in ("$exists", "$isNull") for given in (True, False)),
        *({name: given} for name in ("$gt", "$gte", "$lt", "$lte") for given in (0, 1)),
        *({name: given} for name in ("$anythingBut", "$not", "$includes") for given in ("a", 1, True)),
        *({name: "a"} for name in ("$startsWith", "$endsWith", "$ignoreCaseEquals")),
        {"$between": [0, 1]},
        {"$anythingBut": ["a", 1]},
    ]
)
LEAVES = st.lists(LITERALS, min_size=1, max_size=2) | st.lists(MATCHERS, min_size=1, max_size=2)
FILTERS = st.dictionaries(
    st.sampled_from("abc"), LEAVES | st.dictionaries(st.sampled_from("ab"), LEAVES, max_size=2), max_size=3
)
WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [None, [], [None], ["a", {"$gt": 1}], [{"$gt": "a"}], [{"$gt": 1, "$lt": 2}], [{}], {"$gt": 1}]
)
ANY = st.dictionaries(st.sampled_from(["a", "$gt"]), LEAVES | LEAF_VALUES | WRONG | FILTERS, max_size=3)
EXAMPLES = settings(max_examples=60)
USER = {
    "name": "Ada",
    "age": 36,
    "isAdmin": False,
    "plan": None,
    "tags": ["new", "paid"],
    "address": {"city": "London", "zip": "NW1"},
    "pets": [{"kind": "cat", "age": 2}, {"kind": "dog", "age": 9}],
}

NO_FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"name": "Ada"}, "The filter is wrong at name: what is allowed there is a list that is not empty, or an obj"),
    ({"user": {"name": None}}, "The filter is wrong at user.name: what is allowed there"),
    ({"name": []}, "The filter is wrong at name: what is allowed there is a list that is not empty"),
    ({"name": [None]}, "The filter is wrong at name: a list has strings, numbers and booleans, or matchers"),
    ({"name": ["Ada", {"$exists": True}]}, "The filter is wrong at name: a list has strings"),
    ({"name": [{"$regex": "A"}]}, "The filter is wrong at name: each matcher is an object with one of $exists, $i"),
    ({"name": [{}]}, "The filter is wrong at name: each matcher"),
    ({"age": [{"$gt": 1, "$lt": 3}]}, "The filter is wrong at age: each matcher"),
    ({"age": [{"$gt": "1"}]}, "The filter is wrong at age: $gt takes a number."),
    ({"age": [{"$gt": True}]}, "The filter is wrong at age: $gt takes a number."),
    (
        {"age": [{"$between": [3, 1]}]},
        "The filter is wrong at age: $between takes a list of two numbers, the small",
    ),
    ({"age": [{"$exists": "yes"}]}, "The filter is wrong at age: $exists takes true or false."),
    ({"age": [{"$anythingBut": []}]}, "The filter is wrong at age: $anythingBut takes a string, a number, true,"),
    ({"age": {"$gt": 1}}, 'The filter is wrong at age: matchers stand in a list: write [{"$gt": …}].'),
    ({"a": ["x" * 20_000]}, "at most 16384 are taken."),
]


@pytest.mark.parametrize(
    "filter_",
    [
        {},
        {"name": ["Ada"]},
        {"name": ["Eve", "Ada"]},
        {"age": [36]},
        {"age": [36.0]},
        {"isAdmin": [False]},
        {"address": {"city": ["London"]}},
        {"address": {}},
        {"pets": {"kind": ["dog"]}},
        {"name": [{"$startsWith": "A"}, {"$endsWith": "a"}]},
        {"name": [{"$ignoreCaseEquals": "aDA"}]},
        {"age": [{"$gt": 35}, {"$lt": 37}]},
        {"age": [{"$gte": 36}, {"$lte": 36}]},
        {"age": [{"$between": [36, 40]}]},
        {"tags": [{"$includes": "paid"}]},
        {"name": [{"$anythingBut": "Eve"}]},
        {"name": [{"$anythingBut": ["Eve", "Bob"]}]},
        {"name": [{"$not": "Eve"}]},
        {"tags": [{"$not": "old"}]},
        {"nothing": [{"$not": "Eve"}]},
        {"plan": [{"$isNull": True}]},
        {"plan": [{"$exists": True}]},
        {"nothing": [{"$exists": False}]},
        {"nothing": [{"$isNull": False}]},
    ],
    ids=str,
)
def test_a_payload_fits(filter_: dict[str, Any]) -> None:
    check(filter_)

    assert matches(USER, filter_)


@pytest.mark.parametrize(
    "filter_",
    [
        {"name": ["Eve"]},
        {"name": ["Ada"], "age": [35]},
        {"age": ["36"]},
        {"isAdmin": [0]},
        {"address": {"city": ["London"], "zip": ["E1"]}},
        {"nothing": ["Ada"]},
        {"nothing": {"city": [{"$exists": False}]}},
        {"plan": {"name": ["free"]}},
        {"name": {"first": ["Ada"]}},
        {"pets": {"kind": ["dog"], "age": [2]}},
        {"tags": ["paid"]},
        {"name": [{"$startsWith": "A"}, {"$endsWith": "x"}]},
        {"age": [{"$startsWith": "3"}]},
        {"name": [{"$gt": 3}]},
        {"isAdmin": [{"$lt": 1}]},
        {"age": [{"$between": [37, 40]}]},
        {"name": [{"$includes": "A"}]},
        {"tags": [{"$not": "paid"}]},
        {"name": [{"$anythingBut": "Ada"}]},
        {"name": [{"$exists": False}]},
        {"nothing": [{"$exists": True}]},
        {"nothing": [{"$isNull": True}]},
    ],
    ids=str,
)
def test_a_payload_does_not_fit(filter_: dict[str, Any]) -> None:
    check(filter_)

    assert not matches(USER, filter_)


@pytest.mark.parametrize("payload", [None, "Ada", 36, True, [USER]], ids=str)
def test_only_an_object_has_fields(payload: Any) -> None:
    assert matches(payload, {})
    assert not matches(payload, {"name": ["Ada"]})


@pytest.mark.parametrize(("filter_", "sentence"), NO_FILTERS, ids=str)
def test_what_is_no_filter_is_refused_with_its_place(filter_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(filter_)

    assert sentence in str(refused.value)


def test_a_filter_has_an_end() -> None:
    filter_: dict[str, Any] = {"a": [1]}
    for _ in range(DEPTH_MAX):
        filter_ = {"a": filter_}
    check(filter_)

    with pytest.raises(InvalidInput, match="nested too deeply"):
        check({"a": {"a": filter_}})


@EXAMPLES
@given(OBJECTS)
def test_a_filter_made_of_a_payload_takes_it(payload: dict[str, Any]) -> None:
    def made_of(fields: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in fields.items():
            if isinstance(value, dict):
                found[name] = made_of(value)  # pyright: ignore[reportUnknownArgumentType]
            elif value is None:
                found[name] = [{"$isNull": True}]
            elif isinstance(value, list):
                found[name] = [{"$exists": True}]
            else:
                found[name] = [value]
        return found

    filter_ = made_of(payload)
    check(filter_)

    assert matches(payload, filter_)


@EXAMPLES
@given(OBJECTS, FILTERS)
def test_every_field_of_a_filter_has_to_fit(payload: dict[str, Any], filter_: dict[str, Any]) -> None:
    check(filter_)

    assert matches(payload, filter_) == all(matches(payload, {name: leaf}) for name, leaf in filter_.items())


@EXAMPLES
@given(OBJECTS, st.sampled_from("abc"), LITERALS)
def test_what_a_literal_takes_its_opposite_does_not(payload: dict[str, Any], name: str, literal: Any) -> None:
    assert matches(payload, {name: [literal]}) is not matches(payload, {name: [{"$anythingBut": literal}]})


@EXAMPLES
@given(ANY, VALUES)
def test_any_json_is_refused_or_is_a_filter_for_any_payload(filter_: dict[str, Any], payload: Any) -> None:
    try:
        check(filter_)
    except InvalidInput:
        return

    assert matches(payload, filter_) in {True, False}
