"""Filters of named events: which payloads a subscription takes. The shape is that of Trigger.dev v2's EventFilter.

A filter is an object that mirrors a part of the payload. Its leaves are lists: of the literals that are allowed there,
or of matchers, all of which must fit. In a list within the payload one item that fits is enough.
"""

import unicodedata
from collections.abc import Callable
from typing import Any, TypeAlias, TypeGuard

from msgspec import json

from domain.errors import InvalidInput

Filter: TypeAlias = dict[str, Any]
SIZE_MAX = 16_384
DEPTH_MAX = 20
_ABSENT = object()
_Matcher: TypeAlias = Callable[[Any, Any], bool]


def check(filter_: Filter) -> None:
    """Raises InvalidInput, with the place, for what is no filter."""
    size = len(json.encode(filter_))
    if size > SIZE_MAX:
        raise InvalidInput(f"The filter has {size} bytes; at most {SIZE_MAX} are taken.")
    _check_object(filter_, ())


def matches(payload: Any, filter_: Filter) -> bool:
    """Whether the payload (any JSON, decoded) fits the filter, which has been checked. An empty one takes all."""
    if not filter_:
        return True
    if payload is None or payload is _ABSENT:
        return False
    fields = payload if _is_object(payload) else {}
    return all(_fits(fields.get(name, _ABSENT), wanted) for name, wanted in filter_.items())


def _fits(value: Any, wanted: Any) -> bool:
    if _is_object(wanted):
        return any(matches(each, wanted) for each in value) if _is_list(value) else matches(value, wanted)
    if _is_object(wanted[0]):
        return all(_MATCHERS[name](value, argument) for each in wanted for name, argument in each.items())
    return _is_among(value, wanted)


def _is_same(one: Any, other: Any) -> bool:
    """As JSON has it: 1 is 1.0, and true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _is_among(value: Any, literals: list[Any]) -> bool:
    return any(_is_same(value, each) for each in literals)


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_literal(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _is_but(value: Any, argument: Any) -> bool:
    return not _is_among(value, argument if _is_list(argument) else [argument])


def _is_not(value: Any, argument: Any) -> bool:
    return not (_is_among(argument, value) if _is_list(value) else _is_same(value, argument))


def _is_including(value: Any, argument: Any) -> bool:
    return _is_list(value) and _is_among(argument, value)


_MATCHERS: dict[str, _Matcher] = {
    "$exists": lambda value, argument: (value is not _ABSENT) is argument,
    "$isNull": lambda value, argument: (value is None) is argument,
    "$startsWith": lambda value, argument: isinstance(value, str) and value.startswith(argument),
    "$endsWith": lambda value, argument: isinstance(value, str) and value.endswith(argument),
    "$ignoreCaseEquals": lambda value, argument: isinstance(value, str) and _folded(value) == _folded(argument),
    "$anythingBut": _is_but,
    "$not": _is_not,
    "$includes": _is_including,
    "$gt": lambda value, argument: _is_number(value) and value > argument,
    "$gte": lambda value, argument: _is_number(value) and value >= argument,
    "$lt": lambda value, argument: _is_number(value) and value < argument,
    "$lte": lambda value, argument: _is_number(value) and value <= argument,
    "$between": lambda value, argument: _is_number(value) and argument[0] <= value <= argument[1],
}


def _are_literals(argument: Any) -> bool:
    return _is_list(argument) and bool(argument) and all(map(_is_literal, argument))


def _is_range(argument: Any) -> bool:
    is_pair = _is_list(argument) and len(argument) == 2 and all(map(_is_number, argument))
    return is_pair and bool(argument[0] <= argument[1])


_Taken: TypeAlias = tuple[str, Callable[[Any], bool]]
_LITERAL: _Taken = "a string, a number, true or false", _is_literal
_BOOLEAN: _Taken = "true or false", lambda argument: isinstance(argument, bool)
_TEXT: _Taken = "a string", lambda argument: isinstance(argument, str)
_NUMBER: _Taken = "a number", _is_number
_ARGUMENTS: dict[str, _Taken] = {
    "$exists": _BOOLEAN,
    "$isNull": _BOOLEAN,
    "$startsWith": _TEXT,
    "$endsWith": _TEXT,
    "$ignoreCaseEquals": _TEXT,
    "$anythingBut": (
        "a string, a number, true, false, or a list of such",
        lambda argument: _is_literal(argument) or _are_literals(argument),
    ),
    "$not": _LITERAL,
    "$includes": _LITERAL,
    "$gt": _NUMBER,
    "$gte": _NUMBER,
    "$lt": _NUMBER,
    "$lte": _NUMBER,
    "$between": ("a list of two numbers, the smaller one first", _is_range),
}
"""What each matcher takes."""
assert _ARGUMENTS.keys() == _MATCHERS.keys()


def _check_object(filter_: Filter, path: tuple[str, ...]) -> None:
    if len(path) > DEPTH_MAX:
        raise InvalidInput(f"The filter is nested too deeply: more than {DEPTH_MAX} levels.")
    for name, wanted in filter_.items():
        place = (*path, name)
        if name in _MATCHERS:
            raise _refusal(path, f'matchers stand in a list: write [{{"{name}": …}}]')
        if _is_object(wanted):
            _check_object(wanted, place)
        elif _is_list(wanted) and wanted:
            _check_leaf(wanted, place)
        else:
            raise _refusal(place, "what is allowed there is a list that is not empty, or an object of further fields")


def _check_leaf(wanted: list[Any], path: tuple[str, ...]) -> None:
    if all(map(_is_literal, wanted)):
        return
    if not all(isinstance(each, dict) for each in wanted):
        raise _refusal(path, "a list has strings, numbers and booleans, or matchers, and not both ($isNull finds null)")
    for each in wanted:
        name, argument = next(iter(each.items()), ("", None))
        if len(each) != 1 or name not in _ARGUMENTS:
            raise _refusal(path, f"each matcher is an object with one of {', '.join(_ARGUMENTS)}")
        what, is_right = _ARGUMENTS[name]
        if not is_right(argument):
            raise _refusal(path, f"{name} takes {what}")


def _refusal(path: tuple[str, ...], why: str) -> InvalidInput:
    return InvalidInput(f"The filter is wrong at {'.'.join(path)[:200] or 'its top'}: {why}.")
