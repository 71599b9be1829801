"""Where a replay begins to do things itself: what stands before that in the journal of its run is taken over."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias

from domain.errors import InvalidInput
from domain.events import Entry

SHOWN_MAX = 20
"""So many names of a journal are told to whoever names one that is not there."""


_Place: TypeAlias = tuple[int, bool, str, int]
"""The branch of the code, whether it begins there, and the so-many-th of a name in it."""


class Known(NamedTuple):
    """An entry of the journal, and whether it is of a step, which has a result."""

    entry: Entry
    is_step: bool


class Beginning(NamedTuple):
    """How many entries are taken over, and the indexes of the steps whose results are to be others, by their names."""

    entries: int
    edited: dict[str, int]


def begin_at(step: str, edited: Collection[str], run: str, journal: Sequence[Known]) -> Beginning:
    """Begin with the first entry of this name; if its own result is given, behind it. Raises InvalidInput.

    The second of a name is called `name#2`. Where branches of the code use a name each, `name@7` is the one with that
    index in the journal.
    """
    first = _all_called(step, run, journal)[0]
    called = {name: _all_called(name, run, journal) for name in edited}
    own = [name for name, known in called.items() if known[0] == first]
    entries = first.entry.index + 1 if own else first.entry.index
    indexes: dict[str, int] = {}
    for name, known in called.items():
        before = [each for each in known if each.entry.index < entries]
        if not known[0].is_step:
            raise InvalidInput(f"Only a step has a result that can be another one, and {name[:60]!r} is none.")
        if not before:
            raise InvalidInput(
                f"{name[:60]!r} does not come before {step[:60]!r}: it is done anew, and has no result to be replaced."
            )
        # What failed first and was tried again is there twice, and the last one counts.
        indexes[name] = before[-1].entry.index
    if len(set(indexes.values())) < len(indexes):
        raise InvalidInput("A step is there twice among those whose results are replaced.")
    return Beginning(entries, indexes)


def _all_called(name: str, run: str, journal: Sequence[Known]) -> list[Known]:
    """The entries of a name, all of one place in the code. Raises InvalidInput if there is none, or are several."""
    places = _places_of(journal)
    known = [each for each in journal if _is_called(name, each.entry)]
    first: dict[_Place, Known] = {}
    for each in known:
        first.setdefault(places[each.entry.index], each)
    if len(first) > 1:
        named = [repr(f"{each.entry.name[:60]}@{each.entry.index}") for each in first.values()]
        more = f", and {len(named) - SHOWN_MAX} more" if len(named) > SHOWN_MAX else ""
        which = ", ".join(named[:SHOWN_MAX]) + more
        raise InvalidInput(f"Branches of run {run} have a {name[:60]!r} each. Name the one with its index: {which}.")
    if first:
        (place,) = first
        return [each for each in journal if places[each.entry.index] == place]
    names = list(dict.fromkeys(_name_of(each.entry) for each in journal))
    more = f", and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    there = f"it has {', '.join(names[:SHOWN_MAX])}{more}" if names else "it is empty"
    raise InvalidInput(f"There is no {name[:60]!r} in the journal of run {run}: {there}.")


def _places_of(journal: Sequence[Known]) -> dict[int, _Place]:
    """Where in the code each entry stands, by its index: what is tried again stands where it stood."""
    places: dict[int, _Place] = {}
    branches: dict[int | None, int] = {None: -1}
    begun: dict[tuple[int, str, str | None], int] = {}
    """Branches by what they begin with; each is called by the index of its first entry."""
    for entry, _ in journal:
        branch = branches.get(entry.after, -1)
        if entry.forked:
            branch = begun.setdefault((branch, entry.name, entry.digest), entry.index)
        branches[entry.index] = branch
        places[entry.index] = branch, entry.forked, entry.name, entry.number
    return places


def _is_called(name: str, entry: Entry) -> bool:
    return name in {_name_of(entry), f"{entry.name}#{entry.number}", f"{entry.name}@{entry.index}"}


def _name_of(entry: Entry) -> str:
    return entry.name if entry.number == 1 else f"{entry.name}#{entry.number}"
