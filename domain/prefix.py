"""Where a replay begins to do things itself: what stands before that in the journal of its run is taken over."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from domain.errors import InvalidInput
from domain.events import Entry

SHOWN_MAX = 20
"""So many names of a journal are told to whoever names one that is not there."""


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

    The second of a name is called `name#2`.
    """
    first = _all_called(step, run, journal)[0]
    own = [name for name in edited if _is_called(name, first.entry)]
    entries = first.entry.index + 1 if own else first.entry.index
    indexes: dict[str, int] = {}
    for name in edited:
        known = _all_called(name, run, journal)
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
    """The entries of a name. Raises InvalidInput if there is none."""
    known = [each for each in journal if _is_called(name, each.entry)]
    if known:
        return known
    names = list(dict.fromkeys(_name_of(each.entry) for each in journal))
    more = f", and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    there = f"it has {', '.join(names[:SHOWN_MAX])}{more}" if names else "it is empty"
    raise InvalidInput(f"There is no {name[:60]!r} in the journal of run {run}: {there}.")


def _is_called(name: str, entry: Entry) -> bool:
    return name == _name_of(entry) or (entry.number == 1 and name == f"{entry.name}#1")


def _name_of(entry: Entry) -> str:
    return entry.name if entry.number == 1 else f"{entry.name}#{entry.number}"
