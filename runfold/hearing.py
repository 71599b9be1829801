"""What a journal says of the order in which the code of its run heard what came of what it asked for."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from runfold.entries import WAITS, Entry


class Hearing(NamedTuple):
    order: list[int]
    """The indexes of all of which the code heard, in that order, and then of what it could not hear of any more."""
    sure: int
    """Of so many of the first of them it had heard when the last entry was made, or left them; not so of the others."""
    left: frozenset[int]
    """Of these it does not want to hear, as far as it is known."""
    heard_by: dict[int, int]
    """The first entry that was made when the code had heard of this, for each of the first of them."""


def hearing_of(entries: Sequence[Entry]) -> Hearing:
    """As the entries of all attempts say it, in their order.

    An entry says which waits it came behind; those of workers that did not say it came behind what was over by then.
    It says as well what was left, and how many came before it of which the code had not heard yet.
    """
    over = sorted((entry for entry in entries if entry.completed), key=_ended_at)
    place = sure = 0
    order: dict[int, None] = {}
    left: set[int] = set()
    unheard: OrderedDict[int, None] = OrderedDict()
    heard_by: dict[int, int] = {}
    for entry in entries:
        for index in entry.left:
            order.pop(index, None)
            unheard.pop(index, None)
        left.update(entry.left)
        if entry.heard is not None:
            left.difference_update(entry.heard)
            order |= dict.fromkeys(entry.heard)
            unheard |= dict.fromkeys(entry.heard)
        else:
            while place < len(over) and _ended_at(over[place])[0] <= entry.index:
                order[over[place].index] = unheard[over[place].index] = None
                place += 1
        sure = len(order) - entry.ahead
        while len(unheard) > entry.ahead:
            heard_by[unheard.popitem(last=False)[0]] = entry.index
        if entry.kind not in WAITS and not entry.is_canceled:
            order[entry.index] = unheard[entry.index] = None
    return Hearing(list(order | {entry.index: None for entry in over}), sure, frozenset(left), heard_by)


def _ended_at(entry: Entry) -> tuple[int, int]:
    assert entry.completed is not None, "only what is over has an end"
    return max(entry.completed.behind, entry.index + 1), entry.completed.order
