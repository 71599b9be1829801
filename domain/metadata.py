"""The metadata of a run: operations on a JSON object, as Trigger.dev names them.

A key that starts with `$.` is a path of names and indexes: `$.steps[0].state`.
"""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, TypeGuard, cast

import msgspec
from msgspec import Raw, Struct

from domain import paths
from domain.errors import InvalidInput, TooLarge
from domain.nesting import NESTING_MAX, is_too_deep
from domain.paths import MISSING

METADATA_MAX_BYTES = 262_144
OPERATIONS_MAX = 1_000
TOO_FAR = "The operation increment would lead to a number that JSON has no place for."
GAPS_MAX = 50_000
"""How many places of lists may be filled with null on the way to an index: more would not fit into the metadata."""


class Operation(Struct, frozen=True, omit_defaults=True):
    """`type` is set, delete, append, remove, increment or update; update has no key, delete no value."""

    type: str
    key: str = ""
    value: Any = None


def apply(metadata: Raw, operations: Sequence[Operation]) -> Raw:
    """The metadata after the operations, one after the other. Raises InvalidInput, TooLarge."""
    if len(operations) > OPERATIONS_MAX:
        raise InvalidInput(f"At most {OPERATIONS_MAX} operations on metadata are taken at once.")
    text = bytes(metadata)
    value: dict[str, Any] = msgspec.json.decode(text) if text else {}
    gaps = 0
    try:
        for operation in operations:
            # What is brought becomes part of what later operations change.
            value, more = _applied(value, operation.type, operation.key, deepcopy(operation.value))
            gaps += more
            if gaps > GAPS_MAX:
                raise InvalidInput(f"The operations on metadata would leave {gaps} places of lists empty.")
    except RecursionError as error:
        raise _too_deep() from error
    return encode(value)


def encode(value: dict[str, Any]) -> Raw:
    """The metadata as it is kept. Raises TooLarge, and InvalidInput when it is nested too deeply."""
    try:
        after = msgspec.json.encode(value)
    except RecursionError as error:
        raise _too_deep() from error
    if len(after) > METADATA_MAX_BYTES:
        raise TooLarge(f"The metadata would have {len(after)} bytes; at most {METADATA_MAX_BYTES} are kept.")
    if is_too_deep(after):
        raise _too_deep()
    return Raw(after)


def _too_deep() -> InvalidInput:
    return InvalidInput(f"The metadata would be nested too deeply: more than {NESTING_MAX} levels.")


def _applied(value: dict[str, Any], kind: str, key: str, new: Any) -> tuple[dict[str, Any], int]:
    """The metadata after one operation, and how many places of lists it left empty."""
    match kind:
        case "update":
            if not isinstance(new, dict):
                raise InvalidInput("The operation update replaces the metadata by an object.")
            return cast("dict[str, Any]", new), 0
        case "delete":
            paths.delete(value, paths.parse(key))
            return value, 0
        case "remove":
            _remove(paths.find(value, paths.parse(key)), new)
            return value, 0
        case "set" | "append" | "increment":
            change = _CHANGES[kind]
            return value, paths.change(value, paths.parse(key), lambda old: change(old, new))
        case other:
            raise InvalidInput(
                f"There is no operation {other[:40]!r} on metadata;"
                " there are set, delete, append, remove, increment and update."
            )


def _set(_old: Any, new: Any) -> Any:
    return new


def _append(old: Any, new: Any) -> Any:
    if old is MISSING:
        return [new]
    return [*old, new] if _is_list(old) else [old, new]


def _remove(old: Any, gone: Any) -> None:
    if _is_list(old):
        old[:] = [each for each in old if not _same(each, gone)]


def _increment(old: Any, by: Any) -> Any:
    if not _is_number(by):
        raise InvalidInput("The operation increment needs a number.")
    try:
        after = (old if _is_number(old) else 0) + by
        if math.isfinite(after):
            return after
    except OverflowError as error:
        raise InvalidInput(TOO_FAR) from error
    raise InvalidInput(TOO_FAR)


_CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "set": _set,
    "append": _append,
    "increment": _increment,
}


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    # In JSON true is no 1.
    if type(one) is not type(other) or not isinstance(one, dict | list):
        return type(one) is type(other) and bool(one == other)
    return msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(other, order="deterministic")
