"""`runfold dev` at work: one engine that stays, and a worker that is replaced whenever its code changes."""

import asyncio
import re
import signal
from collections.abc import Callable
from pathlib import Path

from watchfiles import PythonFilter, awatch  # pyright: ignore[reportUnknownVariableType] (it knows trio, we do not)

from app.cli.children import Child, Program

ENGINE_STOP_SECONDS = 15.0
WORKER_STOP_SECONDS = 10.0
_LISTENING = re.compile(r"listening on \S+:(\d+)$")


class Supervisor:
    """`announce` is told the port that the engine came to listen on, and answers with the worker for it."""

    def __init__(
        self, engine: Program, watched: Path, announce: Callable[[int], Program], say: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._watched = watched
        self._announce = announce
        self._say = say
        self._stop = asyncio.Event()
        self._listening = asyncio.Event()
        self._port = 0
        self._failed = False
        self._children: set[Child] = set()

    async def run(self) -> int:
        """Supervise until a signal, or until the engine ends by itself; the exit code."""
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(each, self._on_signal)
        engine = await self._start(self._engine, is_heard=True)
        following = asyncio.create_task(self._follow(engine))
        try:
            await self._listening.wait()
            if not self._stop.is_set():
                await self._work(self._announce(self._port))
        finally:
            await self._end(engine, ENGINE_STOP_SECONDS)
            await following
        return 1 if self._failed else 0

    async def _follow(self, engine: Child) -> None:
        """Hear the engine to its end; without it there is nothing to supervise."""
        while (line := await engine.next_line()) is not None:
            if found := _LISTENING.search(line):
                self._port = int(found[1])
                self._listening.set()
            else:
                self._say(line)
        if not engine.is_stopping:
            self._failed = True
            self._say(f"The engine ended with code {await engine.ended()}; what it said above tells why.")
        self._set_stop()

    async def _work(self, program: Program) -> None:
        """One worker after the other, a new one for each change."""
        worker = await self._start(program)
        try:
            async for changes in awatch(self._watched, watch_filter=PythonFilter(), stop_event=self._stop):
                names = sorted({Path(path).name for _, path in changes})
                self._say(f"{', '.join(names[:3])}{' and more' if names[3:] else ''} changed: a new worker takes over.")
                await self._end(worker, WORKER_STOP_SECONDS)
                worker = await self._start(program)
        finally:
            # First the worker, which hands its runs back to an engine that still listens.
            await self._end(worker, WORKER_STOP_SECONDS)

    async def _start(self, program: Program, *, is_heard: bool = False) -> Child:
        child = await Child.start(program, is_heard=is_heard)
        self._children.add(child)
        if not is_heard:
            child.when_it_ends_by_itself(self._mourn)
        return child

    def _mourn(self, code: int) -> None:
        self._say(f"The worker ended with code {code}; it starts again when a file changes.")

    async def _end(self, child: Child, seconds: float) -> None:
        await child.stop(seconds)
        self._children.discard(child)

    def _on_signal(self) -> None:
        """The first one asks everything to end, the second one ends it."""
        if self._stop.is_set():
            for child in self._children:
                child.kill()
        self._set_stop()

    def _set_stop(self) -> None:
        self._stop.set()
        self._listening.set()  # nothing to wait for any more
