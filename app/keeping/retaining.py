"""Lets runs leave the database when they are old enough: into a segment first, then out, portion by portion."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from app.engine.reader import Reader
from app.keeping.checked import unknown_segments
from app.keeping.erasing import Erasures
from app.keeping.erasure_plans import replays_in
from app.keeping.segments import PART, path_of, segment_of, write_segment
from domain import keys
from domain.environment import Environment
from domain.erasure import ERASURE, Erasure
from domain.errors import InvalidInput, LedgerError, Refused, Unavailable
from domain.events import Recorded, RunArchived, RunErased, RunTriggered
from domain.keys import Key
from domain.memory import Memory
from domain.ports import CopyableLedger
from domain.run import Run
from domain.states import fold
from domain.status import FINAL
from projections.filters import RunFilter
from projections.run_row import RunRow

log = structlog.get_logger(__name__)

PORTION = 100
"""How many runs one segment has at most: so much is read, written and committed at a time."""
LOOK_SECONDS = 60.0
DAY_MS = 86_400_000
FOLLOW_SECONDS = 5.0


class Retention:
    """One portion after the other. Without a folder for segments nothing leaves the database."""

    def __init__(self, reader: Reader, ledger: CopyableLedger, memory: Memory, erasures: Erasures) -> None:
        self.folder: Path | None = None
        self._reader = reader
        self._ledger = ledger
        self._memory = memory
        self._erasures = erasures

    async def run(self) -> None:
        """Look for runs that are old enough, again and again, until cancelled."""
        is_tidy = False
        while True:
            try:
                if not is_tidy:
                    await self.tidy()
                    is_tidy = True
                for environment in list(self._memory.environments()):
                    await self.archive(environment)
            except (Unavailable, LedgerError, Refused) as error:
                log.warning("old runs cannot leave the database now", error=str(error))
            except Exception:
                # Others must not wait for ever for what went wrong once.
                log.exception("old runs do not leave the database")
            await asyncio.sleep(LOOK_SECONDS)

    async def tidy(self) -> None:
        """Remove what an engine before this one did not finish writing, and name the segments that nobody told of."""
        for environment in list(self._memory.environments()):
            await self._reader.read(self._tidy, environment.id)

    def _tidy(self, environment: str) -> None:
        assert self.folder is not None, "only a node with a folder has segments"
        known = set(self._ledger.streams_of(ERASURE))
        for part in (self.folder / environment).glob(f"{ERASURE}_*{PART}"):
            # One of a segment that is told of may be of an erasure, which is being carried out.
            if part.name.partition(".")[0] not in known:
                part.unlink(missing_ok=True)
        for file in unknown_segments(self._ledger, self.folder, environment):
            # This ledger may be a copy, and the original tell of it: then no other has its runs.
            log.warning("the ledger tells nothing of a segment, which stays where it is", file=str(file))

    async def archive(self, environment: Environment) -> list[str]:
        """Let all runs of an environment go that may; returns the segments. Raises Unavailable, WrongSegment."""
        days = environment.retention_days
        if days is None or self.folder is None:
            return []
        before = self._reader.clock.now().wall - days * DAY_MS
        wanted = RunFilter(statuses=tuple(sorted(FINAL)), created_to=before)
        segments: list[str] = []
        after: str | None = None
        while True:
            await self._reader.followed(await self._reader.head(), FOLLOW_SECONDS)
            rows, has_more = await self._reader.read(self._page, environment.id, wanted, after)
            if name := await self._archive(environment, [row for row in rows if _ended_before(row, before)]):
                segments.append(name)
            if not has_more:
                return segments
            after = rows[-1].id

    async def _archive(self, environment: Environment, rows: Sequence[RunRow]) -> str | None:
        runs = [row.id for row in rows if self._is_free(row)]
        histories = await self._reader.read(self._ledger.read_streams, runs)
        kept = await self._reader.read(self._claimed, environment.id, rows)
        kept |= await self._reader.read(self._taken_over, histories)
        runs = [run for run in runs if run not in kept and self._may_go(histories[run])]
        if not runs:
            return None
        now = self._reader.clock.now().wall
        name = self._reader.ids.new(ERASURE, now)
        root = await self._reader.read(self._write, name, environment.id, [histories[run] for run in runs])
        origin = {"environment": environment.id, "actor": "engine", "cause": "retention", "at": now}
        try:
            is_decided = await self._erasures.archive(name, runs, origin, root)
        except Refused:
            await self._reader.read(self._drop, environment.id, name)
            raise
        if not is_decided:
            await self._reader.read(self._drop, environment.id, name)
        return name if is_decided else None

    def _drop(self, environment: str, name: str) -> None:
        """Nothing came of a segment. What is not known to have been refused may have landed, and stays."""
        assert self.folder is not None, "it was written there just now"
        path_of(self.folder / environment, name).unlink()

    def _page(self, environment: str, wanted: RunFilter, after: str | None) -> tuple[list[RunRow], bool]:
        return self._reader.read_models.list_runs(environment, wanted, PORTION, after=after)

    def _is_free(self, row: RunRow) -> bool:
        """Whether nothing that goes on belongs to it. Whatever has not ended is in memory."""
        others = (row.parent, row.root, row.batch, *row.replays)
        is_over = all(self._memory.is_over(each) for each in others if each)
        return is_over and row.id not in self._memory.children and row.id not in self._being_erased()

    def _being_erased(self) -> set[str]:
        """Runs that would take into a segment what is to be forgotten."""
        pending = (self._memory.states.get(stream) for stream in self._memory.erasures)
        return {run for each in pending if isinstance(each, Erasure) for run in each.runs}

    def _may_go(self, history: Sequence[Recorded]) -> bool:
        run = fold(history)
        return isinstance(run, Run) and not run.is_archived and all(map(self._memory.is_over, replays_in(history)))

    def _taken_over(self, histories: Mapping[str, Sequence[Recorded]]) -> set[str]:
        """Those with whose steps a replay begins that can itself be replayed from a step."""
        replays = [replay for history in histories.values() for replay in replays_in(history)]
        begun, last = self._ledger.read_beginnings(replays), self._ledger.read_endings(replays)
        there = (each for each in replays if not isinstance(last[each].event, RunArchived | RunErased))
        firsts = (begun[each].event for each in there)
        return {each.prefix.run for each in firsts if isinstance(each, RunTriggered) and each.prefix is not None}

    def _claimed(self, environment: str, rows: Sequence[RunRow]) -> set[str]:
        """Those for which an idempotency key still stands."""
        streams = {
            keys.stream_of(environment, "run", row.task, row.idempotency_key): row.id
            for row in rows
            if row.idempotency_key is not None
        }
        now = self._reader.clock.now().wall
        found = ((streams[stream], fold(history)) for stream, history in self._ledger.read_streams(streams).items())
        return {run for run, key in found if isinstance(key, Key) and key.stands_for(now) == run}

    def _write(self, name: str, environment: str, histories: Sequence[Sequence[Recorded]]) -> str:
        if self.folder is None:
            raise InvalidInput("There is no folder for segments.")
        assert all(isinstance(history[0].event, RunTriggered) for history in histories), "only runs are archived"
        positions = [each.position for history in histories for each in history]
        segment = segment_of(name, environment, self._ledger.sealed_at(positions), self._ledger.blob)
        write_segment(self.folder / environment, segment)
        return segment.header.root


def _ended_before(row: RunRow, moment: int) -> bool:
    return row.finished_at is not None and row.finished_at <= moment
