"""Is the ledger what was appended? Looked through in slices while the engine runs, again and again."""

import asyncio
from collections.abc import Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from adapters.codec import decode
from adapters.hashes import MARK, Chain
from adapters.tombstones import receipts_in
from app.engine.feed import Feed
from app.engine.reader import Reader
from app.history.values import value_faults
from domain.conduct import Conduct
from domain.errors import LedgerCorrupt, LedgerUnavailable, Unavailable
from domain.ports import CopyableLedger, Sealed

log = structlog.get_logger(__name__)

SLICE = 200
AGAIN_MS = 86_400_000
"""How long after a look at the whole ledger the next one begins."""
IDLE_SECONDS = 60.0
OUTAGE_SECONDS = 2.0


class Proved(Struct, frozen=True):
    """How far the ledger is known to be as it was appended, and since when (milliseconds; None: nothing is yet)."""

    position: int = 0
    at: int | None = None
    again: int = 0
    """How far the look that goes on now, or was the last one, has come behind the first one."""
    rounds: int = 0
    """How often everything was looked at again."""


class Verifier:
    """Follows the head, and reads everything once more each day: what was in order may be changed afterwards.

    First come hashes, gaps, readability, and whether the event may happen then. Later looks compare the hashes with
    those that were found first, so they notice also a log that was written anew with hashes that fit; and they read
    the large values, which a busy engine is not made to read back at once.
    """

    def __init__(self, reader: Reader, ledger: CopyableLedger, feed: Feed) -> None:
        self.proved = Proved()
        self.fault: str | None = None
        """What is wrong with the ledger; from then on nothing is looked at any more."""
        self.per_second = 0
        """How many events are looked at in a second at most; 0: it does not run."""
        self._reader = reader
        self._ledger = ledger
        self._feed = feed
        self._receipts = receipts_in(ledger)
        self._first = Chain(self._receipts)
        self._conduct = Conduct()
        self._again = Chain(self._receipts)
        self._again_at = reader.clock.now().mono + AGAIN_MS

    async def run(self, per_second: int) -> None:
        """Look on until something is wrong, or cancelled."""
        self.per_second = per_second
        size = min(SLICE, per_second)
        while self.fault is None:
            try:
                looked = await self.step(size)
            except (LedgerUnavailable, Unavailable) as error:
                log.warning("the ledger cannot be verified now", error=str(error))
                await asyncio.sleep(OUTAGE_SECONDS)
                continue
            except Exception as error:
                # That is a mistake of ours and no fault of the ledger: what is proved stays where it is, and shows it.
                log.exception("the ledger could not be verified", error=str(error))
                await asyncio.sleep(IDLE_SECONDS)
                continue
            # Also when there were fewer: a busy engine is not asked after each commit.
            await asyncio.sleep(size / per_second)
            if not looked:
                await self._news()

    async def step(self, size: int = SLICE) -> bool:
        """Look at the next events; False when there are none now. Raises LedgerUnavailable, Unavailable."""
        head, now = self._feed.head.position, self._reader.clock.now()
        position = self._first.head.position
        if self.fault is not None:
            return False
        if position < head:
            self.fault = await self._reader.read(self._look, min(size, head - position), head)
            if self.fault is None:
                self.proved = replace(self.proved, position=self._first.head.position, at=now.wall)
        elif now.mono >= self._again_at and position:
            self.fault = await self._reader.read(self._look_again, min(size, position - self._again.head.position))
            if self.fault is None:
                self._note_again(now.mono)
        else:
            return False
        if self.fault is not None:
            log.error("the ledger is not what was appended", fault=self.fault)
        return True

    def _look(self, size: int, head: int) -> str | None:
        """The first fault of the next events behind all that was looked at."""
        # At the head one more, if there is one: it is in order if it was just committed, and not if it was put there.
        is_last = self._first.head.position + size == head
        rows = self._rows(self._first, size + is_last)
        try:
            for row in rows:
                fault = next(self._first.check([row]), None) or self._conduct.fault(decode(row[:5]))
                if fault:
                    return fault
        except LedgerCorrupt as error:
            return str(error)
        return _missing(self._first, rows, size)

    def _look_again(self, size: int) -> str | None:
        rows = self._rows(self._again, size)
        fault = next(self._again.check(rows), None) or _missing(self._again, rows, size)
        if fault:
            return fault
        try:
            for _, fault in value_faults(self._ledger, [decode(row[:5]) for row in rows]):
                return fault
        except LedgerCorrupt as error:
            return str(error)
        marks = len(self._again.marks)
        if marks and self._again.marks[-1] != self._first.marks[marks - 1]:
            return f"Events {(marks - 1) * MARK + 1} to {marks * MARK} are not those that were there before."
        if self._again.head.position == self._first.head.position and self._again.head != self._first.head:
            return f"Events {marks * MARK + 1} to {self._again.head.position} are not those that were there before."
        return None

    def _rows(self, chain: Chain, size: int) -> Sequence[Sealed]:
        return self._ledger.sealed_after(chain.head.position, limit=size)

    def _note_again(self, now: int) -> None:
        again = self._again.head.position
        is_whole = again == self._first.head.position
        self.proved = replace(self.proved, again=again, rounds=self.proved.rounds + is_whole)
        if is_whole:
            self._again, self._again_at = Chain(self._receipts), now + AGAIN_MS

    async def _news(self) -> None:
        """Until something is committed; now and then without, because a look at everything may be due."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._feed.grown(self._first.head.position)
        except TimeoutError:
            return


def _missing(chain: Chain, rows: Sequence[Sealed], size: int) -> str | None:
    # All that was asked for is committed, so it has to be there.
    return None if len(rows) >= size else f"Event {chain.head.position + 1} is missing."
