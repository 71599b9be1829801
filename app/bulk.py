"""Carries bulk actions on, chunk by chunk, from where the ledger says they are: also those of another node before."""

import asyncio
from typing import Any

import msgspec
import structlog

from app.engine.loop import EngineLoop
from app.engine.reader import Reader
from app.history.touched import narrowed
from app.web import bodies
from app.web.newruns import judged
from app.web.replaying import replayed
from domain.bulk import CANCEL, Bulk, BulkStatus
from domain.commands import AbortBulk, AdvanceBulk
from domain.errors import LedgerCorrupt, NotFound, Refused, RunfoldError, Unavailable
from domain.lifecycle import NewRun
from domain.status import FINAL, Status
from projections.filters import RunFilter

log = structlog.get_logger(__name__)

CHUNK_RUNS = 500
CHUNK_BYTES = 16_000_000
FOLLOW_SECONDS = 5.0
AGAIN_SECONDS = 1.0


class BulkActions:
    """One chunk of each pending action after the other, so that a long one does not hold a short one up."""

    def __init__(self, reader: Reader, loop: EngineLoop) -> None:
        self._reader = reader
        self._loop = loop
        self._news = asyncio.Event()
        self.failure: str | None = None
        """Why they are not carried on."""

    def look(self) -> None:
        """An action began."""
        self._news.set()

    async def run(self) -> None:
        """Carry on what there is until cancelled."""
        try:
            while True:
                self._news.clear()
                pending = list(self._loop.engine.memory.bulks)
                for bulk in pending:
                    await self._carry_on(bulk)
                if not pending:
                    await self._news.wait()
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            log.exception("bulk actions are no longer carried on")

    async def _carry_on(self, stream: str) -> None:
        try:
            await self._loop.settled(stream)
            bulk = self._loop.engine.memory.states.get(stream)
            if isinstance(bulk, Bulk) and bulk.status is BulkStatus.PENDING:
                await self._loop.submit(await self._next(bulk))
        except NotFound:
            # It was begun in a batch that never landed.
            return
        except RunfoldError as error:
            log.warning("a bulk action has to wait", bulk=stream, error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)

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
        if await self._reader.followed(bulk.began_at, FOLLOW_SECONDS) < bulk.began_at:
            raise Unavailable("The read models have not come as far as the bulk action began.")
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
        histories = await reader.read(reader.ledger.read_streams, runs)
        new_runs: list[NewRun] = []
        blobs: dict[str, bytes] = {}
        failures, size, reached = 0, 0, None
        for run in runs:
            history = histories.get(run, ())
            reached = run
            try:
                if not history or history[0].environment != bulk.environment:
                    raise NotFound(f"Run {run} not found.")
                now = reader.clock.now().wall
                new, more = await replayed(history, bodies.ReplayBody(), reader, now)
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
