"""A worker's life: register, take turns, stop in order."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runfold.counting import counted
from runfold.definition import Task
from runfold.worker.apart import keep_apart
from runfold.worker.children import Children
from runfold.worker.connection import Connection
from runfold.worker.holding import FREEZE_SECONDS, Holding, now_ms
from runfold.worker.turns import Turns

if TYPE_CHECKING:
    from runfold.worker.spans import Spans

log = logging.getLogger("runfold.worker")

LAST_TURNS_SECONDS = 10.0
"""How long to try to report the last results when stopping."""


class Worker:
    """Runs async tasks on this event loop, up to `concurrency` runs at once, and all others in `children`."""

    def __init__(
        self,
        tasks: Mapping[str, Task[Any, Any]],
        connection: Connection,
        children: Children,
        concurrency: int,
        spans: "Spans | None" = None,
        machines: Sequence[str] = (),
        freeze_seconds: float = FREEZE_SECONDS,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._tasks = tasks
        self._connection = connection
        self._children = children
        self._concurrency = concurrency
        self._machines = machines
        self._holding = Holding(
            tasks,
            children,
            concurrency,
            clock=clock,
            spans=spans,
            fetch=connection.journal,
            freeze_seconds=freeze_seconds,
        )

    async def run(self, stop: asyncio.Event, grace_seconds: float) -> bool:
        """Work until `stop` is set; whether all was reported by then. Raises ApiError, ChildError."""
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(stop.wait())
        keep_apart(serving)
        keep_apart(stopping)
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            is_all_reported = serving.done() or await self._stop(serving, grace_seconds)
            if serving.done():
                await serving
            return is_all_reported
        finally:
            self._holding.abandon()
            stopping.cancel()
            serving.cancel()
            await asyncio.wait({serving, stopping})
            await self._children.close()
            await self._connection.close()

    @property
    def has_runaways(self) -> bool:
        """Whether there is code that did not let itself be stopped."""
        return self._holding.has_runaways

    async def _serve(self) -> None:
        if any(task.needs_process for task in self._tasks.values()):
            await self._children.warm_up()
        registered = await self._connection.register()
        self._holding.version = registered.version
        log.info(
            "ready as version %s in %s: %s, up to %s at once",
            registered.version,
            registered.environment.slug,
            counted(len(self._tasks), "task"),
            counted(self._concurrency, "run"),
        )
        await Turns(self._connection, self._holding, registered, self._machines).take()

    async def _stop(self, serving: "asyncio.Task[None]", grace_seconds: float) -> bool:
        """Finish what runs within the grace, give back the rest, and say so to the engine."""
        if not self._holding.version:
            return True  # never registered, so there is nothing to give back
        holds = len(self._holding.holds())
        log.info("stopping: %s under way", counted(holds, "run is", "runs are"))
        await self._holding.close(grace_seconds)
        await asyncio.wait({serving}, timeout=LAST_TURNS_SECONDS)
        if not serving.done():
            log.warning("the engine does not answer; what it has not been told of will be run again")
        return serving.done()
