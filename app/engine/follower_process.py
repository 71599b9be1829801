"""The engine's end of a follower in a process of its own: start it, tell it of heads, hear how far it has come."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import structlog
from msgspec import json

from app.engine.feed import Feed
from app.engine.follower import AGAIN_SECONDS, Following
from app.engine.following import Came, Told
from projections.ports import ReadModels

log = structlog.get_logger(__name__)

ROOMS = Path(__file__).parents[1]
TELL_SECONDS = 0.02
"""How long heads are gathered before the follower is told of the last one."""
STOP_SECONDS = 5


class FollowerProcess(Following):
    """As `Follower`, for whoever asks; a process that ends is started again, and `stopped` says so meanwhile."""

    def __init__(self, read_models: ReadModels, feed: Feed) -> None:
        super().__init__(read_models.position().position)
        self._feed = feed
        self._process: Process | None = None

    def hurry(self) -> None:
        """Cut the linger short: somebody waits."""
        self._tell(is_wanted=True)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            process = self._process = await self._start()
            telling = asyncio.create_task(self._tell_heads())
            try:
                await self._hear(process)
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
                await _end(process)
            self.stopped = f"its process ended with code {process.returncode}"
            log.error("the read models do not follow", error=self.stopped)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _start(self) -> Process:
        paths = [str(ROOMS), *filter(None, [os.environ.get("PYTHONPATH")])]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "app", "follow"),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=PIPE,
            stdout=PIPE,
        )

    async def _hear(self, process: Process) -> None:
        assert process.stdout, "it is a pipe"
        while line := await process.stdout.readline():
            came = json.decode(line, type=Came)
            self.position, self.stopped = came.position, came.stopped
            async with self._moved:
                self._moved.notify_all()

    async def _tell_heads(self) -> None:
        told = -1
        while True:
            await self._feed.grown(told)
            told = self._feed.head.position
            self._tell()
            await asyncio.sleep(TELL_SECONDS)

    def _tell(self, *, is_wanted: bool = False) -> None:
        process = self._process
        if process and process.stdin and not process.stdin.is_closing():
            process.stdin.write(json.encode(Told(self._feed.head.position, is_wanted)) + b"\n")


async def _end(process: Process) -> None:
    """It ends when its input does."""
    assert process.stdin, "it is a pipe"
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
