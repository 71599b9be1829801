"""The metadata of a run: operations on a JSON object, as Trigger.dev names them.

A key that starts with `$.` is a path of names and indexes: `$.steps[0].state`.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias, TypeGuard, cast

import msgspec
from msgspec import Raw, Struct

from domain.errors import InvalidInput

METADATA_MAX_BYTES = 262_144
OPERATIONS_MAX = 1_000
INDEX_MAX = 10_000
_FORBIDDEN = frozenset({"__proto__", "constructor", "prototype"})
"""Clients in JavaScript would put these where their objects keep what they are."""
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,6})\]|\['([^']+)'\]")
_MISSING: Any = object()
Place: TypeAlias = dict[str, Any] | list[Any]


class Operation(Struct, frozen=True, omit_defaults=True):
    """`type` is set, delete, append, remove, increment or update; update has no key, delete no value."""

    type: str
    key: str = ""
    value: Any = None


def apply(metadata: Raw, operations: Sequence[Operation]) -> Raw:
    """The metadata after the operations, one after the other. Raises InvalidInput, and changes nothing then."""
    if len(operations) > OPERATIONS_MAX:
        raise InvalidInput(f"At most {OPERATIONS_MAX} operations on metadata are taken at once.")
    text = bytes(metadata)
    value: dict[str, Any] = msgspec.json.decode(text) if text else {}
    for operation in operations:
        value = _applied(value, operation)
    return encode(value)


def encode(value: dict[str, Any]) -> Raw:
    """The metadata as it is kept. Raises InvalidInput when it is too large."""
    after = msgspec.json.encode(value)
    if len(after) > METADATA_MAX_BYTES:
        raise InvalidInput(f"The metadata would have {len(after)} bytes; at most {METADATA_MAX_BYTES} are kept.")
    return Raw(after)


def _applied(value: dict[str, Any], operation: Operation) -> dict[str, Any]:
    match operation.type:
        case "update":
            replacement: Any = operation.value
            if not isinstance(replacement, dict):
                raise InvalidInput("The operation update replaces the metadata by an object.")
            return cast("dict[str, Any]", replacement)
        case "delete":
            value.pop(_plain(operation.key), None)
            return value
        case "set" | "append" | "remove" | "increment":
            change = _CHANGES[operation.type]
            _at(value, _path(operation.key), lambda old: change(old, operation.value))
            return value
        case other:
            raise InvalidInput(
                f"There is no operation {other[:40]!r} on metadata;"
                " there are set, delete, append, remove, increment and update."
            )


def _set(_old: Any, new: Any) -> Any:
    return new


def _append(old: Any, new: Any) -> Any:
    if old is _MISSING:
        return [new]
    return [*old, new] if _is_list(old) else [old, new]


def _remove(old: Any, gone: Any) -> Any:
    return [each for each in old if not _same(each, gone)] if _is_list(old) else old


def _increment(old: Any, by: Any) -> Any:
    if not _is_number(by):
        raise InvalidInput("The operation increment needs a number.")
    return (old if _is_number(old) else 0) + by


_CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "set": _set,
    "append": _append,
    "remove": _remove,
    "increment": _increment,
}


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    # In JSON true is no 1.
    return msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(other, order="deterministic")


def _plain(key: str) -> str:
    if not key or key in _FORBIDDEN:
        raise InvalidInput(f"{key!r} is no key of metadata.")
    return key


def _path(key: str) -> list[str | int]:
    """The steps of a key: one name, or those of a path."""
    if not key.startswith("$."):
        return [_plain(key)]
    steps: list[str | int] = []
    place = 1
    while place < len(key):
        match = _STEP.match(key, place)
        if match is None:
            raise InvalidInput(f"{key[:80]!r} is no path: write it like $.steps[0].state.")
        name, index, quoted = match.groups()
        steps.append(int(index) if index else _plain(name or quoted))
        place = match.end()
    return steps


def _at(value: dict[str, Any], path: list[str | int], change: Callable[[Any], Any]) -> None:
    """Change what stands at the end of a path; what is missing on the way is made."""
    place: Place = value
    for step, following in pairwise(path):
        inner: Any = _get(place, step)
        if isinstance(inner, dict | list):
            place = cast("Place", inner)
        else:
            made: Place = [] if isinstance(following, int) else {}
            _put(place, step, made)
            place = made
    after = change(_get(place, path[-1]))
    if after is not _MISSING:
        _put(place, path[-1], after)


def _get(place: Place, step: str | int) -> Any:
    if isinstance(place, list):
        return place[step] if isinstance(step, int) and step < len(place) else _MISSING
    return place.get(str(step), _MISSING)


def _put(place: Place, step: str | int, value: Any) -> None:
    if not isinstance(place, list):
        place[str(step)] = value
        return
    if not isinstance(step, int) or step > INDEX_MAX:
        raise InvalidInput(f"A list in the metadata has no place {str(step)[:40]!r}.")
    place += [None] * (step + 1 - len(place))
    place[step] = value
