"""What is said of a field that a body does not have."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from msgspec import inspect

NAME_MAX = 60
NEAR, VERY_NEAR = 0.62, 0.8
"""How alike names are (0 to 1): of one object, and of another one than the unknown field is in."""
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$(.*)`)?", re.DOTALL)
"""How msgspec says it, with the place of the object if that is not the whole body."""


def misspelled(said: str, shape: Any) -> str | None:
    """A sentence that names the field and the one that was probably meant; None if msgspec said something else."""
    found = _UNKNOWN.fullmatch(said)
    if found is None:
        return None
    name, place = found[1][:NAME_MAX], re.sub(r"\[.*?\]", "", found[2] or "").removeprefix(".")
    fields = list(_fields(inspect.type_info(shape), ""))
    beside = {each: each for where, each in fields if where == place}
    elsewhere = {each: f"{where}.{each}".removeprefix(".") for where, each in reversed(fields)}
    meant = _nearest(name, beside, NEAR) or _nearest(name, elsewhere, VERY_NEAR)
    sentence = f"The body has no field `{name}`"
    if found[2]:
        sentence += f" in `{found[2].removeprefix('.')[:NAME_MAX]}`"
    if meant:
        return f"{sentence}; probably `{meant}` is meant."
    return f"{sentence}; there are {', '.join(sorted(beside))}." if beside else f"{sentence}."


def _nearest(name: str, names: dict[str, str], alike: float) -> str | None:
    return next((names[each] for each in get_close_matches(name, names, 1, alike)), None)


def _fields(kind: inspect.Type, place: str) -> Iterator[tuple[str, str]]:
    """All fields of a shape, outer ones first, each behind the names that lead to its object."""
    match kind:
        case inspect.StructType():
            yield from ((place, each.encode_name) for each in kind.fields)
            for each in kind.fields:
                yield from _fields(each.type, f"{place}.{each.encode_name}".removeprefix("."))
        case inspect.UnionType():
            for one in kind.types:
                yield from _fields(one, place)
        case inspect.Metadata():
            yield from _fields(kind.type, place)
        case inspect.VarTupleType() | inspect.ListType():
            yield from _fields(kind.item_type, place)
        case _:
            pass
