"""What a node knows to be committed: a ledger without it lost its tail, and is not written over."""

from collections.abc import Awaitable, Callable
from typing import Any

from domain.errors import LedgerCorrupt
from domain.ports import Head, Ledger


class KnownTail:
    """The last event that this node has seen, as the writer or as a standby. One that saw nothing knows nothing.

    What was seen is committed, so the ledger has it at the same position with the same hash for ever. `read` calls
    what blocks.
    """

    def __init__(self, ledger: Ledger, read: Callable[..., Awaitable[Any]]) -> None:
        self._ledger = ledger
        self._read = read
        self._seen: tuple[Head, ...] = ()
        """What was there when it was checked last, and the furthest that was seen since."""

    def saw(self, head: Head) -> None:
        """The ledger ended, or ends, here. Reads may come out of order: a head that is further back says nothing."""
        if not self._seen or head.position > self._seen[-1].position:
            self._seen = (*self._seen[:1], head)

    async def look(self) -> None:
        """See where the ledger ends now. Raises LedgerUnavailable, and as `check` does."""
        self.saw(await self._read(self._ledger.head))
        await self.check()

    async def check(self) -> None:
        """Raises LedgerCorrupt when what this node has seen is gone or another."""
        seen = self._seen
        for position, digest in reversed(seen):
            if await self._read(self._ledger.digest_at, position) != digest:
                raise LedgerCorrupt(
                    f"The ledger lost its tail: event {position} was committed here, and is no longer as it was."
                    " Restore the database and start this node again, or start it to go on from what there is."
                )
        if self._seen is seen:
            self._seen = seen[-1:]
