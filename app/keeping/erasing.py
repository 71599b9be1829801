"""Erases what users gave runs: plans it, lets the engine decide it, and carries it out when its receipt has landed."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from adapters.codec import decode
from adapters.tombstones import mark_of, seal_of, tombstone_of
from app.engine.chores import keep_up
from app.engine.follower import Following
from app.engine.loop import EngineLoop
from app.engine.reader import Reader
from app.engine.triggered import TriggeredCache
from app.keeping.erasure_plans import Plan, plan_of
from app.keeping.segments import erase_in_segment
from app.transfer.lines import blobs_of
from domain.commands import CompleteErasure, EraseRuns
from domain.erasure import ERASURE, Erasure
from domain.errors import LedgerCorrupt, RunfoldError, Unavailable
from domain.events import ErasureRecorded, PacketStored, RunTriggered
from domain.ports import START, CopyableLedger, Sealed

log = structlog.get_logger(__name__)

TRIES = 5
FOLLOW_SECONDS = 5.0
DONE_SECONDS = 10.0


class Erasures:
    """What was decided is carried out portion by portion, also what another node, or this one before, had decided."""

    def __init__(
        self,
        reader: Reader,
        ledger: CopyableLedger,
        loop: EngineLoop,
        follower: Following,
        triggered: TriggeredCache,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._loop = loop
        self._follower = follower
        self._triggered = triggered
        self._news = asyncio.Event()
        self._news.set()
        self._done: dict[str, asyncio.Event] = {}
        self.segments: Path | None = None
        """The folder of the segments, if there is one."""

    async def erase(self, runs: Sequence[str], origin: dict[str, Any], *, with_names: bool) -> str | None:
        """Erase these runs; returns the id of the erasure, None if nothing was left to erase. Safe to repeat.

        It is complete then, unless that takes long. Raises NotFound, NotAllowed, InvalidInput, Unavailable.
        """
        erasure = self._reader.ids.new(ERASURE, origin["at"])
        done = self._done[erasure] = asyncio.Event()
        try:
            is_new = await self._decide(erasure, runs, origin, with_names=with_names)
            self._news.set()
            try:
                async with asyncio.timeout(DONE_SECONDS):
                    await (done.wait() if is_new else self._carried_out(frozenset(runs)))
            except TimeoutError:
                log.warning("an erasure takes long", erasure=erasure)
        finally:
            del self._done[erasure]
        return erasure if is_new else None

    async def _carried_out(self, runs: frozenset[str]) -> None:
        """Wait until what was decided of these runs before is done."""
        pending, states = self._loop.engine.memory.erasures, self._loop.engine.memory.states
        while True:
            erasures = (states.get(stream) for stream in pending)
            if all(runs.isdisjoint(each.runs) for each in erasures if isinstance(each, Erasure)):
                return
            await self._loop.feed.grown(self._loop.feed.head.position)

    async def run(self) -> None:
        """Carry out what was decided, until cancelled."""
        await keep_up(self._news, self._waiting, self._carry_out, "what is to be erased cannot be")

    async def archive(self, name: str, runs: Sequence[str], origin: dict[str, Any], root: str) -> bool:
        """Let these runs leave the database for the segment of this name; False if something happened to one."""
        plan = await self._reader.read(self._plan, name, runs, origin["environment"], True)
        is_decided: bool = await self._loop.submit(
            EraseRuns(
                erasure=name,
                runs=plan.runs,
                seals=plan.seals,
                with_names=True,
                needed_by=plan.needed_by,
                segment=name,
                root=root,
                **origin,
            )
        )
        self._news.set()
        return is_decided

    async def _decide(self, erasure: str, runs: Sequence[str], origin: dict[str, Any], *, with_names: bool) -> bool:
        for _ in range(TRIES):
            for run in runs:
                await self._loop.settled(run)
            plan = await self._reader.read(self._plan, erasure, runs, origin["environment"], with_names)
            left = {run: version for run, version in plan.runs.items() if run not in plan.erased}
            if not left:
                return False
            command = EraseRuns(
                erasure=erasure,
                runs=left,
                seals=plan.seals,
                with_names=with_names,
                needed_by=plan.needed_by,
                rewritten=plan.segments,
                **origin,
            )
            if await self._loop.submit(command):
                return True
        raise Unavailable("These runs get further events all the time: ask again.")

    def _plan(self, erasure: str, runs: Sequence[str], environment: str, with_names: bool) -> Plan:  # noqa: FBT001
        return plan_of(self._ledger, self.segments, erasure, runs, environment, with_names=with_names)

    def _waiting(self) -> list[str]:
        return list(self._loop.engine.memory.erasures)

    async def _carry_out(self, waiting: list[str]) -> None:
        errors: list[RunfoldError] = []
        erased: list[Erasure] = []
        for stream in waiting:
            try:
                await self._loop.settled(stream)
                erasure = self._loop.engine.memory.states.get(stream)
                # Its batch may never have landed.
                if isinstance(erasure, Erasure):
                    await self._erase(erasure)
                    erased.append(erasure)
            except RunfoldError as error:
                # One that cannot be carried out now holds up no other.
                errors.append(error)
        # Once for all of them: others wait for it. Where nobody asked to forget, it can be left to time.
        if not all(each.is_archive for each in erased):
            await self._reader.read(self._ledger.scrub)
            await self._reader.read(self._reader.read_models.scrub)
        for erasure in erased:
            await self._complete(erasure)
        if errors:
            raise errors[0]

    async def _erase(self, erasure: Erasure) -> None:
        # Rows that are not so far would not be those that a rebuild makes of what is left.
        if not await self._follower.reached(erasure.position, FOLLOW_SECONDS):
            raise Unavailable("The read models are not as far as the erasure.")
        self._triggered.known(erasure.runs)
        self._loop.feed.erase(frozenset(erasure.runs), with_names=erasure.with_names)
        await self._reader.read(self._replace, erasure)
        for segment in erasure.rewritten:
            await self._reader.read(self._erase_in, segment, erasure)

    async def _complete(self, erasure: Erasure) -> None:
        await self._loop.submit(
            CompleteErasure(
                environment=erasure.environment,
                actor="engine",
                cause=erasure.id,
                at=self._reader.clock.now().wall,
                erasure=erasure.id,
            )
        )
        if erasure.id in self._done:
            self._done[erasure.id].set()

    def _replace(self, erasure: Erasure) -> None:
        recorded = self._ledger.read_streams([erasure.id])[erasure.id][0].event
        assert isinstance(recorded, ErasureRecorded), "an erasure begins with its receipt"
        rows = {
            row.position: row for row in self._ledger.sealed_at({*recorded.seals, *(at - 1 for at in recorded.seals)})
        }
        states: dict[int, bytes] = {}
        blobs: dict[str, str] = {}
        for at, seal in recorded.seals.items():
            row = rows[at]
            mark = mark_of(row[:5])
            tombstone = None
            if mark is None or mark.receipt != erasure.id:
                tombstone = tombstone_of(row[:5], erasure.id, with_names=erasure.with_names)
            if tombstone is None:
                continue
            before = rows[at - 1].digest if at > 1 else START.digest
            if seal_of(before, row.digest, (*row[:4], tombstone)) != seal:
                raise LedgerCorrupt(f"Event {at} is not the one that {erasure.id} tells of: nothing was erased.")
            states[at] = tombstone
            blobs |= _values_of(row)
        # A payload that came by a further trigger is named after that: not all begin with the run.
        keys = {key for key in blobs if not key.isdigit()}
        self._ledger.erase(states, keys | self._packets(erasure.environment, set(blobs.values())))

    def _erase_in(self, segment: str, erasure: Erasure) -> None:
        if self.segments is None:
            raise Unavailable(f"Segment {segment} cannot be reached: this node has no folder for segments.")
        erase_in_segment(
            self.segments / erasure.environment,
            segment,
            frozenset(erasure.runs),
            erasure.id,
            with_names=erasure.with_names,
        )

    def _packets(self, environment: str, digests: set[str]) -> set[str]:
        """What was uploaded to be the payload of one of these runs: the same bytes a second time."""
        stored = (history[0] for history in self._ledger.read_kind("packet").values())
        return {
            each.event.blob.key
            for each in stored
            if each.environment == environment
            and isinstance(each.event, PacketStored)
            and each.event.blob.sha256 in digests
        }


def _values_of(row: Sealed) -> dict[str, str]:
    """The values of an event that may be kept elsewhere, too, by their keys, with their SHA-256.

    A payload that stands in the event itself has no key but its position.
    """
    found = {key: ref.sha256 for key, ref in blobs_of(row).items()}
    event = decode(row[:5]).event
    if isinstance(event, RunTriggered) and bytes(event.payload):
        found[str(row.position)] = hashlib.sha256(event.payload).hexdigest()
    return found
