"""Carries bulk actions on, chunk by chunk, from where the ledger says they are: also those of another node before."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from app.engine.loop import EngineLoop
from app.engine.reader import Reader
from app.history.touched import narrowed
from app.newruns.asked import ReplayBody
from app.newruns.judging import judged
from app.newruns.replaying import replayed
from domain.bulk import CANCEL, Bulk, BulkStatus
from domain.commands import AbortBulk, AdvanceBulk
from domain.errors import LedgerCorrupt, NotFound, Refused, RunfoldError, Unavailable
from domain.events import Recorded
from domain.lifecycle import NewRun
from domain.status import FINAL, Status
from projections.filters import RunFilter

log = structlog.get_logger(__name__)

CHUNK_RUNS = 500
CHUNK_BYTES = 16_000_000
FOLLOW_SECONDS = 5.0
AGAIN_SECONDS = 1.0


class BulkActions:
    """A task for each pending action, so that what one waits for holds up no other.

    They take turns at their chunks: a long action does not hold a short one up, and one chunk is in memory at a time.
    """

    def __init__(self, reader: Reader, loop: EngineLoop) -> None:
        self._reader = reader
        self._loop = loop
        self._news = asyncio.Event()
        self._carried: set[str] = set()
        self._turn = asyncio.Lock()
        self.failure: str | None = None
        """Why one is not carried on."""

    def look(self) -> None:
        """An action began."""
        self._news.set()

    async def run(self) -> None:
        """Carry on what there is until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                for stream in self._loop.engine.memory.bulks:
                    if stream not in self._carried:
                        self._carried.add(stream)
                        group.create_task(self._carry_on(stream), name=stream)
                await self._news.wait()

    async def _carry_on(self, stream: str) -> None:
        """Chunk after chunk, until it is no longer pending."""
        said = ""
        try:
            while True:
                try:
                    if not await self._advance(stream):
                        return
                    said = ""
                except RunfoldError as error:
                    if str(error) != said:
                        said = str(error)
                        log.warning("a bulk action has to wait", bulk=stream, error=said)
                    await asyncio.sleep(AGAIN_SECONDS)
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            log.exception("a bulk action is no longer carried on", bulk=stream)
        finally:
            self._carried.discard(stream)

    async def _advance(self, stream: str) -> bool:
        """Do the next chunk; False if there is none. Raises RunfoldError where another try may go better."""
        await self._loop.settled(stream)
        bulk = self._loop.engine.memory.states.get(stream)
        if not isinstance(bulk, Bulk) or bulk.status is not BulkStatus.PENDING:
            return False
        if not bulk.runs and await self._reader.followed(bulk.began_at, FOLLOW_SECONDS) < bulk.began_at:
            raise Unavailable("The read models have not come as far as the bulk action began.")
        async with self._turn:
            await self._loop.submit(await self._next(bulk))
        return True

    async def _next(self, bulk: Bulk) -> AdvanceBulk | AbortBulk:
        """The next chunk, or the end of an action for which none can be made: the others have to go on."""
        try:
            return await self._chunk(bulk)
        except RunfoldError:
            raise
        except Exception as error:
            log.exception("a bulk action cannot go on", bulk=bulk.id)
            # The sentence stays in the ledger for ever, so what the error says, maybe of a payload, is no part of it.
            return AbortBulk(
                **self._origin_of(bulk),
                error=f"The engine could not carry it on: {type(error).__name__}. Its log tells more.",
            )

    def _origin_of(self, bulk: Bulk) -> dict[str, Any]:
        at = self._reader.clock.now().wall
        return {"environment": bulk.environment, "actor": "engine", "cause": bulk.id, "at": at, "bulk": bulk.id}

    async def _chunk(self, bulk: Bulk) -> AdvanceBulk:
        if bulk.runs:
            done = int(bulk.cursor or 0)
            runs = list(bulk.runs[done : done + CHUNK_RUNS])
            success = failure = 0
            cursors = {run: str(place) for place, run in enumerate(runs, start=done + 1)}
            has_more = done + len(runs) < len(bulk.runs)
        else:
            runs, success, failure, cursors, has_more = await self._find(bulk)
        last = next(reversed(cursors), None)
        if bulk.action == CANCEL:
            more: dict[str, Any] = {"runs": [], "cancels": tuple(runs)}
        else:
            new_runs, blobs, failures, reached = await self._again(runs, bulk)
            more = {"runs": new_runs, "blobs": blobs}
            failure += failures
            has_more = has_more or reached != last
            last = reached
        return AdvanceBulk(
            **self._origin_of(bulk),
            after=bulk.cursor,
            cursor=cursors[last] if last else None,
            is_last=not has_more,
            success=success,
            failure=failure,
            **more,
        )

    async def _find(self, bulk: Bulk) -> tuple[list[str], int, int, dict[str, str], bool]:
        """The next runs to act on, how many others are canceled and ended otherwise, each one's cursor, more or not."""
        wanted = await narrowed(self._reader, bulk.environment, msgspec.json.decode(bulk.filter, type=RunFilter))
        # Ids sort by time: what came after the action began is none of its runs.
        after = bulk.cursor or f"run_{bulk.id.partition('_')[2]}"
        reader = self._reader
        rows, has_more = await reader.read(
            lambda: reader.read_models.list_runs(bulk.environment, wanted, CHUNK_RUNS, after=after)
        )
        cursors = {row.id: row.id for row in rows}
        if bulk.action != CANCEL:
            return list(cursors), 0, 0, cursors, has_more
        ended = [row.status for row in rows if row.status in FINAL]
        canceled = ended.count(Status.CANCELED)
        alive = [row.id for row in rows if row.status not in FINAL]
        return alive, canceled, len(ended) - canceled, cursors, has_more

    async def _again(self, runs: list[str], bulk: Bulk) -> tuple[list[NewRun], dict[str, bytes], int, str | None]:
        """The replays of these runs, as far as a chunk may reach; the runs that have none, and the last one reached."""
        reader = self._reader
        histories = await self._histories(runs)
        new_runs: list[NewRun] = []
        blobs: dict[str, bytes] = {}
        failures, size, reached = 0, 0, None
        for run in runs:
            reached = run
            try:
                found = await reader.read(reader.ledger.read_streams, [run]) if histories is None else histories
                history = found.get(run)
                if not history or history[0].environment != bulk.environment:
                    raise NotFound(f"Run {run} not found.")
                now = reader.clock.now().wall
                new, more = await replayed(history, ReplayBody(), reader, now)
            except (Refused, LedgerCorrupt) as error:
                log.info("a run is not replayed", bulk=bulk.id, run=run, error=str(error))
                failures += 1
                continue
            environment = self._loop.engine.memory.environment(bulk.environment)
            new_runs.append(judged(new, environment, more) if environment else new)
            blobs |= more
            size += new.payload_size
            if size >= CHUNK_BYTES:
                break
        return new_runs, blobs, failures, reached

    async def _histories(self, runs: list[str]) -> Mapping[str, Sequence[Recorded]] | None:
        """Those of all these runs; None if one cannot be read, which is no reason not to replay the others."""
        try:
            return await self._reader.read(self._reader.ledger.read_streams, runs)
        except LedgerCorrupt:
            return None
