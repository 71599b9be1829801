"""Runs that lasted long, so that those that went on at any moment are found without looking at all that ever were.

A run goes on from the event that began it to the one that ended it. How far the two are apart, as a power of two, is
its span: of those of one span that went on at a position, none began more than twice that before it. So they are next
to each other in an index, and about every second one that is read there is one of them. What ended sooner has no row,
as most runs do: it is found in the ledger itself, a little before that position.
"""

from msgspec import Struct

from projections.run_row import RunRow

LASTING_MIN = 4_096
"""How many positions a run lasted at least that has a row."""


class LastingRow(Struct, frozen=True, gc=False):
    """A run that is over and lasted from `born` to `ended`, positions of the ledger."""

    environment: str
    span: int
    """The bits that it takes to write how many positions lie between the two."""
    born: int
    ended: int
    run: str


def row_of(run: RunRow) -> LastingRow | None:
    """The row of a run that lasted long enough and is over."""
    if run.ended is None or run.ended - run.born < LASTING_MIN:
        return None
    return LastingRow(run.environment, (run.ended - run.born).bit_length(), run.born, run.ended, run.id)


def spans(head: int) -> range:
    """All spans that there can be in a ledger that ends at this position."""
    return range(LASTING_MIN.bit_length(), head.bit_length() + 1)
