"""Moments of the past that somebody asks about: where the ledger ended then, and what the clock said."""

from typing import NamedTuple

from app.engine.reader import Reader
from app.history.auditing import last_before
from domain import durations
from domain.ports import Ledger
from domain.timing import MOMENT_MAX

MILLISECONDS_MIN = 10**12
"""From here on a number is a time in milliseconds (2001 and later); no ledger has as many events."""
DIGITS_MAX = 18


class Moment(NamedTuple):
    """The last event that was committed then, and the time: of that event, or the one that was asked for."""

    position: int
    wall: int


BEGINNING = Moment(0, 0)


async def moment_of(text: str, reader: Reader) -> Moment:
    """What a position, a number of milliseconds or an ISO 8601 date means. Raises InvalidInput.

    What is still to come is as it is now.
    """
    head = await reader.head()
    if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX:
        number = int(text)
        if number < MILLISECONDS_MIN:
            return await reader.read(_at_position, reader.ledger, min(number, head))
        return await reader.read(_at_time, reader.ledger, number, head)
    return await reader.read(_at_time, reader.ledger, durations.parse_date(text), head)


async def present(reader: Reader) -> Moment:
    """The moment that is now."""
    return Moment(await reader.head(), reader.clock.now().wall)


def _at_position(ledger: Ledger, position: int) -> Moment:
    if position == 0:
        return BEGINNING
    (last,) = ledger.read_after(position - 1, limit=1)
    return Moment(position, last.recorded_at)


def _at_time(ledger: Ledger, wall: int, head: int) -> Moment:
    wall = min(wall, MOMENT_MAX)
    return Moment(last_before(ledger, wall + 1, 0, head), wall)
