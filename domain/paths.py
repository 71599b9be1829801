"""Places in a JSON object, told by a key: one name, or a path of names and indexes such as `$.steps[0].state`."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias, cast

from domain.errors import InvalidInput
from domain.nesting import NESTING_MAX

INDEX_MAX = 10_000
MISSING: Any = object()
Place: TypeAlias = dict[str, Any] | list[Any]
Path: TypeAlias = list[str | int]
_FORBIDDEN = frozenset({"__proto__", "constructor", "prototype"})
"""Clients in JavaScript would put these where their objects keep what they are."""
_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,6})\]|\['([^']+)'\]")


def parse(key: str) -> Path:
    """The steps of a key. Raises InvalidInput."""
    if not key.startswith("$."):
        return [_named(key)]
    steps: Path = []
    place = 1
    while place < len(key):
        match = _STEP.match(key, place)
        if match is None:
            raise InvalidInput(f"{key[:80]!r} is no path: write it like $.steps[0].state.")
        name, index, quoted = match.groups()
        steps.append(int(index) if index else _named(name or quoted))
        place = match.end()
        if len(steps) > NESTING_MAX:
            raise InvalidInput(f"A path has at most {NESTING_MAX} steps.")
    return steps


def find(value: dict[str, Any], path: Path) -> Any:
    """What stands at the end of a path, or MISSING."""
    place = _holder(value, path)
    return MISSING if place is None else _get(place, path[-1])


def delete(value: dict[str, Any], path: Path) -> None:
    """Take away what stands at the end of a path, if there is something."""
    place, step = _holder(value, path), path[-1]
    if isinstance(place, dict):
        place.pop(str(step), None)
    elif place is not None and isinstance(step, int) and step < len(place):
        del place[step]


def change(value: dict[str, Any], path: Path, to: Callable[[Any], Any]) -> int:
    """Change what stands at the end of a path; what is missing on the way is made.

    Returns how many places of lists were filled with null for that. Raises InvalidInput.
    """
    gaps = 0
    place: Place = value
    for step, following in pairwise(path):
        inner: Any = _get(place, step)
        if isinstance(inner, dict | list):
            place = cast("Place", inner)
        else:
            made: Place = [] if isinstance(following, int) else {}
            gaps += _put(place, step, made)
            place = made
    return gaps + _put(place, path[-1], to(_get(place, path[-1])))


def _named(name: str) -> str:
    if not name or name in _FORBIDDEN:
        raise InvalidInput(f"{name!r} is no key of metadata.")
    return name


def _holder(value: dict[str, Any], path: Path) -> Place | None:
    """What the last step of a path leads out of, None if there is nothing."""
    place: Place = value
    for step in path[:-1]:
        inner: Any = _get(place, step)
        if not isinstance(inner, dict | list):
            return None
        place = cast("Place", inner)
    return place


def _get(place: Place, step: str | int) -> Any:
    if isinstance(place, list):
        return place[step] if isinstance(step, int) and step < len(place) else MISSING
    return place.get(str(step), MISSING)


def _put(place: Place, step: str | int, value: Any) -> int:
    if not isinstance(place, list):
        place[str(step)] = value
        return 0
    if not isinstance(step, int) or step > INDEX_MAX:
        raise InvalidInput(f"A list in the metadata has no place {str(step)[:40]!r}.")
    gap = max(0, step - len(place))
    place += [None] * (step + 1 - len(place))
    place[step] = value
    return gap
