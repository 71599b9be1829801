"""Operations on metadata: what each does to the object, and what is refused."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, json

from domain.errors import InvalidInput, Refused, TooLarge
from domain.metadata import METADATA_MAX_BYTES, OPERATIONS_MAX, Operation, apply, encode
from domain.nesting import NESTING_MAX

NAMES = st.sampled_from(["a", "b", "a.b", "ü", "x" * 2_048, "*", "/", ":", " "])
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
KINDS = "there are set, delete, append, remove, increment and update."
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


def applied(before: dict[str, Any], *operations: Operation) -> Any:
    return json.decode(apply(Raw(json.encode(before)) if before else Raw(), operations))


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ({}, Operation("set", "a", 1), {"a": 1}),
        ({"a": 1}, Operation("set", "a", {"b": None}), {"a": {"b": None}}),
        ({"a": 1}, Operation("set", "a"), {"a": None}),
        ({"a": 1, "b": 2}, Operation("delete", "a"), {"b": 2}),
        ({"b": 2}, Operation("delete", "a"), {"b": 2}),
        ({}, Operation("append", "a", 1), {"a": [1]}),
        ({"a": [1]}, Operation("append", "a", [2]), {"a": [1, [2]]}),
        ({"a": "x"}, Operation("append", "a", "y"), {"a": ["x", "y"]}),
        ({"a": None}, Operation("append", "a", "y"), {"a": [None, "y"]}),
        ({"a": [1, {"b": 1, "c": 2}, 1]}, Operation("remove", "a", {"c": 2, "b": 1}), {"a": [1, 1]}),
        ({"a": [1, True, 1.0, "1", 1]}, Operation("remove", "a", 1), {"a": [True, 1.0, "1"]}),
        ({"a": 1}, Operation("remove", "a", 1), {"a": 1}),
        ({}, Operation("remove", "a", 1), {}),
        ({"a": 1}, Operation("increment", "a", 2), {"a": 3}),
        ({"a": 1}, Operation("increment", "a", -0.5), {"a": 0.5}),
        ({}, Operation("increment", "a", 2), {"a": 2}),
        ({"a": "many"}, Operation("increment", "a", 2), {"a": 2}),
        ({"a": True}, Operation("increment", "a", 2), {"a": 2}),
        ({"a": 1}, Operation("update", value={"b": 2}), {"b": 2}),
    ],
)
def test_each_operation_does_what_its_name_says(
    before: dict[str, Any], operation: Operation, after: dict[str, Any]
) -> None:
    assert applied(before, operation) == after
    # 1, 1.0 and true are the same to Python, and not in JSON.
    assert json.encode(applied(before, operation)) == json.encode(after)


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ({}, Operation("set", "$.a.b", 1), {"a": {"b": 1}}),
        ({}, Operation("set", "$.a[2].b", 1), {"a": [None, None, {"b": 1}]}),
        ({}, Operation("set", "$.a['b.c'].d", 1), {"a": {"b.c": {"d": 1}}}),
        ({"a": [1, 2]}, Operation("set", "$.a[1]", 3), {"a": [1, 3]}),
        ({"a": {"1": 1}}, Operation("set", "$.a[1]", 3), {"a": {"1": 3}}),
        ({"a": {"b": [1]}}, Operation("append", "$.a.b", 2), {"a": {"b": [1, 2]}}),
        ({"a": [{"n": 1}]}, Operation("increment", "$.a[0].n", 1), {"a": [{"n": 2}]}),
        ({"a": {"b": [1, 2]}}, Operation("remove", "$.a.b", 2), {"a": {"b": [1]}}),
        ({"a": {"b": 1, "c": 2}}, Operation("delete", "$.a.b"), {"a": {"c": 2}}),
        ({"a": [1, 2, 3]}, Operation("delete", "$.a[1]"), {"a": [1, 3]}),
        ({"a": 5}, Operation("remove", "$.a.b", 1), {"a": 5}),
        ({"a": 5}, Operation("delete", "$.a.b"), {"a": 5}),
        ({"a": [1]}, Operation("delete", "$.a[7]"), {"a": [1]}),
        ({}, Operation("remove", "$.a.b", 1), {}),
        ({}, Operation("set", "a.b", 1), {"a.b": 1}),
        ({}, Operation("set", "$", 1), {"$": 1}),
    ],
)
def test_a_key_that_begins_with_a_dollar_and_a_dot_is_a_path(
    before: dict[str, Any], operation: Operation, after: dict[str, Any]
) -> None:
    assert applied(before, operation) == after


def test_operations_follow_each_other_and_leave_what_was_brought_as_it_is() -> None:
    brought = Operation("update", value={"a": {"n": 1}})
    operations = [brought, Operation("increment", "$.a.n", 1), Operation("set", "b", 2)]

    assert [applied({}, *operations), applied({}, brought)] == [{"a": {"n": 2}, "b": 2}, {"a": {"n": 1}}]


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        (Operation("set", "", 1), "'' is no key of metadata."),
        (Operation("set", "__proto__", 1), "'__proto__' is no key of metadata."),
        (Operation("set", "$.a.__proto__.b", 1), "'__proto__' is no key of metadata."),
        (Operation("append", "$.a['constructor']", 1), "'constructor' is no key of metadata."),
        (Operation("delete", "$."), "'$.' is no path: write it like $.steps[0].state."),
        (Operation("set", "$.a..b", 1), "'$.a..b' is no path: write it like $.steps[0].state."),
        (Operation("set", "$.a[-1]", 1), "'$.a[-1]' is no path: write it like $.steps[0].state."),
        (Operation("set", "$.a[\u0661]", 1), "'$.a[\u0661]' is no path: write it like $.steps[0].state."),
        (Operation("set", "$.list.b", 1), "A list in the metadata has no place 'b'."),
        (Operation("set", "$.list[10001]", 1), "A list in the metadata has no place '10001'."),
        (Operation("set", "$" + ".a" * 201, 1), "A path has at most 200 steps."),
        (Operation("increment", "a", "1"), "The operation increment needs a number."),
        (Operation("increment", "a", True), "The operation increment needs a number."),
        (
            Operation("increment", "large", 1.7e308),
            "The operation increment would lead to a number that JSON has no place for.",
        ),
        (
            Operation("increment", "large", 10**400),
            "The operation increment would lead to a number that JSON has no place for.",
        ),
        (Operation("update", value=[1]), "The operation update replaces the metadata by an object."),
        (
            Operation("multiply", "a", 2),
            f"There is no operation 'multiply' on metadata; {KINDS}",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(operation: Operation, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        applied({"list": [1], "large": 1.7e308}, operation)

    assert str(refusal.value) == sentence


def test_no_more_operations_are_taken_at_once_than_the_limit() -> None:
    operations = [Operation("increment", "a", 1)] * OPERATIONS_MAX

    assert applied({}, *operations) == {"a": OPERATIONS_MAX}
    with pytest.raises(InvalidInput, match=f"At most {OPERATIONS_MAX} operations"):
        applied({}, *operations, *operations[:1])


def test_metadata_is_as_large_as_its_limit_and_no_larger() -> None:
    longest = "x" * (METADATA_MAX_BYTES - len(b'{"a":""}'))

    assert applied({}, Operation("set", "a", longest)) == {"a": longest}
    with pytest.raises(TooLarge, match=f"would have {METADATA_MAX_BYTES + 1} bytes"):
        applied({}, Operation("set", "a", longest + "x"))


def test_metadata_is_nested_as_deeply_as_every_reader_can_follow() -> None:
    deep: Any = 1
    for _ in range(NESTING_MAX - 1):
        deep = [deep]

    assert applied({}, Operation("set", "a", deep)) == {"a": deep}
    for operation in (Operation("set", "a", [deep]), Operation("set", "$.a.b", deep)):
        with pytest.raises(InvalidInput, match="nested too deeply"):
            applied({}, operation)


@pytest.mark.parametrize("levels", [600, 5_000, 200_000])
def test_a_value_that_nobody_could_walk_through_is_refused(levels: int) -> None:
    deep: Any = 1
    for _ in range(levels):
        deep = {"a": deep}

    for attempt in (lambda: applied({}, Operation("set", "a", deep)), lambda: encode({"a": deep})):
        with pytest.raises(InvalidInput, match="nested too deeply"):
            attempt()


def test_a_few_short_paths_cannot_fill_the_memory() -> None:
    operations = [Operation("set", f"$.a{number}" + "[9999]" * 100, 1) for number in range(1_000)]

    with pytest.raises(InvalidInput, match="places of lists empty"):
        applied({}, *operations)


@given(
    VALUES.filter(lambda value: isinstance(value, dict)),
    st.lists(
        st.builds(
            Operation,
            st.sampled_from(["set", "delete", "append", "remove", "increment", "update", "other"]),
            st.one_of(
                NAMES,
                st.text(max_size=6),
                st.lists(st.sampled_from([".a", ".b", "[0]", "[2]", "['a.b']", ".", "[x]"]), max_size=5).map(
                    lambda steps: "$" + "".join(steps)
                ),
            ),
            VALUES,
        ),
        max_size=8,
    ),
)
def test_any_operations_give_an_object_or_are_refused(before: dict[str, Any], operations: list[Operation]) -> None:
    kept = json.encode(operations)

    with suppress(Refused):
        assert isinstance(applied(before, *operations), dict)

    assert json.encode(operations) == kept


@given(st.lists(st.tuples(st.sampled_from(["set", "delete", "increment", "append"]), NAMES, st.integers(-9, 9))))
def test_plain_keys_behave_as_a_dictionary_does(operations: list[tuple[str, str, int]]) -> None:
    model: dict[str, Any] = {}
    for kind, name, value in operations:
        old = model.get(name, [])
        match kind:
            case "set":
                model[name] = value
            case "delete":
                model.pop(name, None)
            case "increment":
                model[name] = (0 if isinstance(old, list) else old) + value
            case _:
                model[name] = [*(old if isinstance(old, list) else [old]), value]

    assert applied({}, *(Operation(kind, name, value) for kind, name, value in operations)) == model
