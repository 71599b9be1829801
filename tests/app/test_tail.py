"""What a node has seen of a ledger, and what it makes of one that is without it."""

from collections.abc import Callable
from typing import Any

import pytest

from app.nodes.tail import KnownTail
from domain.errors import LedgerCorrupt
from domain.ports import START, Head


class Log:
    """A ledger of which only the hashes are told, one letter an event."""

    def __init__(self, digests: str) -> None:
        self.digests = digests

    def at(self, position: int) -> Head:
        return Head(position, self.digests[position - 1].encode()) if position else START

    def head(self) -> Head:
        return self.at(len(self.digests))

    def digest_at(self, position: int) -> bytes | None:
        return self.at(position).digest if position <= len(self.digests) else None


async def read(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def known(log: Log) -> KnownTail:
    return KnownTail(log, read)  # type: ignore[arg-type]  # all that it asks for


async def test_who_saw_nothing_goes_on_with_what_there_is() -> None:
    log = Log("abc")
    tail = known(log)
    log.digests = "ax"

    await tail.check()


async def test_a_ledger_that_grows_is_the_same() -> None:
    log = Log("")
    tail = known(log)
    for log.digests in ("", "a", "ab", "ab", "abcd"):
        await tail.look()


@pytest.mark.parametrize("left", ["", "ab", "abx", "xyz", "abxyz"])
async def test_a_ledger_without_what_was_seen_is_refused(left: str) -> None:
    log = Log("abc")
    tail = known(log)
    await tail.look()
    log.digests = left

    for _ in range(2):
        with pytest.raises(LedgerCorrupt, match=r"The ledger lost its tail: event 3 was committed here"):
            await tail.look()


async def test_what_was_seen_between_two_looks_counts_too() -> None:
    log = Log("a")
    tail = known(log)
    await tail.look()
    log.digests = "abc"
    tail.saw(log.head())
    log.digests = "ab"

    with pytest.raises(LedgerCorrupt, match="event 3 was"):
        await tail.look()


async def test_a_longer_history_does_not_hide_that_it_is_another() -> None:
    log = Log("abc")
    tail = known(log)
    await tail.look()
    log.digests = "abxyz"
    tail.saw(log.at(4))
    tail.saw(log.at(5))

    with pytest.raises(LedgerCorrupt, match="event 3 was"):
        await tail.check()


async def test_reads_that_come_out_of_order_are_no_loss() -> None:
    log = Log("abc")
    tail = known(log)
    for position in (1, 3, 2):
        tail.saw(log.at(position))

    await tail.look()
