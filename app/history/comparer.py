"""Are the read models what the ledger makes of them? Compared in slices while the engine runs, and repaired once."""

import asyncio
from typing import Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from app.engine.reader import Reader
from app.engine.rebuild import rebuild
from app.history.comparing import TAGS, Look, Place, look
from app.history.comparison import Difference
from domain.errors import LedgerCorrupt, LedgerUnavailable, OutOfStep, Unavailable
from domain.ports import CopyableLedger

log = structlog.get_logger(__name__)

SLICE = 50
AGAIN_MS = 3_600_000
"""How long after a look at all rows the next one begins."""
REPAIR_AGAIN_MS = 86_400_000
"""How long after a rebuild rows of the same projection must not differ again, or they are not rebuilt once more."""
IDLE_SECONDS = 30.0
OUTAGE_SECONDS = 2.0
LOGGED_MAX = 10


class Compared(Struct, frozen=True):
    """How far the rows are known to be those of the ledger, and since when (milliseconds; None: nothing is yet)."""

    position: int = 0
    """As of which event the last rows were compared."""
    at: int | None = None
    rows: int = 0
    """How many rows were compared in the look that goes on now, or was the last one."""
    rounds: int = 0
    """How often all rows were compared."""
    rebuilds: int = 0
    """How often the read models were rebuilt because rows differed."""


class Damaged(Protocol):
    """Who knows whether the ledger itself is in order."""

    fault: str | None


class Comparer:
    """Looks at all rows, again and again. Rows that differ are named, and all are rebuilt from the ledger, once.

    A rebuild folds events and does nothing else. Those that differ again soon, or that may not be rebuilt, stay a
    fault, which ends when the same slice is found to be right.
    """

    def __init__(self, reader: Reader, ledger: CopyableLedger, verifier: Damaged, *, repairs: bool = True) -> None:
        self.compared = Compared()
        self.fault: str | None = None
        """Which rows differ, and what is done about it."""
        self.repairs = repairs
        self.per_second = 0
        """How many events and rows are read in a second at most; 0: it does not run."""
        self._reader = reader
        self._ledger = ledger
        self._verifier = verifier
        self._place = Place()
        self._again_at: int | None = None
        self._waits = False
        """Whether the fault is for a person to end."""
        self._rebuilt_at: dict[str, int] = {}

    async def run(self, per_second: int) -> None:
        """Look on until cancelled."""
        self.per_second = per_second
        while True:
            try:
                effort = await self.step(min(SLICE, per_second))
            except (LedgerUnavailable, Unavailable) as error:
                log.warning("the read models cannot be compared now", error=str(error))
                await asyncio.sleep(OUTAGE_SECONDS)
            except Exception as error:
                # That is no fault of the rows: how far they are compared stays where it is, and shows it.
                log.exception("the read models could not be compared", error=str(error))
                await asyncio.sleep(IDLE_SECONDS)
            else:
                # What waits for a person, or for the next look, is in no hurry.
                await asyncio.sleep(IDLE_SECONDS if self._waits or not effort else effort / per_second)

    async def step(self, size: int = SLICE) -> int:
        """Compare the next slice; returns how many events and rows were read for it, 0 when none is due now.

        Raises Unavailable, and as `look` does.
        """
        if self._verifier.fault or (self._again_at is not None and self._reader.clock.now().mono < self._again_at):
            # Nothing can be said of rows whose ledger is damaged.
            return 0
        if self._again_at is not None:
            self._again_at, self.compared = None, replace(self.compared, rows=0)
        found = await self._reader.read(look, self._ledger, self._reader.read_models, self._place, size)
        if found.differences:
            await self._differ(found)
        else:
            self._go_on(found)
        return found.effort

    def _go_on(self, found: Look) -> None:
        if self.fault is not None:
            log.info("the read models are what the ledger makes of them again", position=found.position)
        self.fault, self._waits = None, False
        now, before = self._reader.clock.now(), self.compared
        is_whole = found.after is None
        self.compared = replace(
            before,
            position=found.position,
            at=now.wall,
            rows=before.rows + found.rows,
            rounds=before.rounds + is_whole,
        )
        self._place = found.after or Place()
        if is_whole:
            self._again_at = now.mono + AGAIN_MS

    async def _differ(self, found: Look) -> None:
        if self._waits:
            return  # all is said
        self._waits = True
        projections = sorted({each.projection for each in found.differences})
        named = _sentence(found.differences[0])
        if found.differences_total > 1:
            named = f"{named} There are {found.differences_total - 1} more differences there."
        now = self._reader.clock.now().mono
        rebuilt = [at for at in map(self._rebuilt_at.get, projections) if at is not None]
        is_again = any(now - at < REPAIR_AGAIN_MS for at in rebuilt)
        for each in found.differences[:LOGGED_MAX]:
            log.error(
                "the read models differ from the ledger", difference=_sentence(each), total=found.differences_total
            )
        if not self.repairs:
            self.fault = f"{named} Rebuild them: `runfold projections rebuild`."
        elif is_again:
            self.fault = (
                f"{named} A rebuild not long ago has not ended this, so there is none by itself again:"
                " find out what changes these rows, then run `runfold projections rebuild`."
            )
        else:
            self.fault = f"{named} They are being rebuilt."
            self._rebuilt_at |= dict.fromkeys(projections, now)
            await self._repair(named)

    async def _repair(self, named: str) -> None:
        damage = await self._reader.read(lambda: next(iter(self._ledger.verify()), None))
        if damage:
            self.fault = f"{named} They are not rebuilt, because the ledger is damaged: {damage}"
            return
        try:
            head = await self._reader.read(rebuild, self._ledger, self._reader.read_models)
        except (LedgerCorrupt, OutOfStep, Unavailable) as error:
            self.fault = f"{named} They could not be rebuilt: {error}"
            log.exception("the read models could not be rebuilt", error=str(error))
            return
        self.compared = replace(self.compared, rebuilds=self.compared.rebuilds + 1)
        self.fault = f"{named} They were rebuilt, and will be compared again."
        self._waits = False
        log.warning("the read models were rebuilt from the ledger", position=head.position, because=named)


def _sentence(difference: Difference) -> str:
    """Which row, and what of it. /readyz needs no key, so it tells no value, and of tags not what they say."""
    projection, key, field, position = difference.projection, difference.key, difference.field, difference.position
    name = ", ".join(map(str, (key[0], key[-1]) if projection in TAGS else key))
    if field:
        return f"{projection}: {field} of {name} is not what the ledger makes of it (at event {position})."
    if difference.stored is None:
        return f"{projection}: the row {name} is missing (at event {position})."
    return f"{projection}: the row {name} is there, and the ledger tells of none."
