"""A child process of `runfold dev`: started, heard, stopped within a time."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

if sys.platform == "linux":
    _PR_SET_PDEATHSIG = 1
    _prctl = ctypes.CDLL(None).prctl  # looked up now, because little may be done between fork and exec

    def _end_with_parent() -> None:
        """Even a killed `runfold dev` leaves nothing running: its children are asked to end then."""
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

else:
    _end_with_parent = None


@dataclass(frozen=True)
class Program:
    """What to start, and the whole environment that it sees."""

    command: Sequence[str]
    environment: Mapping[str, str]


class Child:
    """In a process group of its own, so that Ctrl-C reaches only us and we end our children in order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._exit = asyncio.create_task(process.wait())
        self.is_stopping = False

    @classmethod
    async def start(cls, program: Program, *, is_heard: bool = False) -> "Child":
        """With `is_heard` its standard output is for `next_line`; otherwise it goes to our standard error."""
        process = await asyncio.create_subprocess_exec(
            *program.command,
            env=program.environment,
            stdin=subprocess.DEVNULL,
            # Our own standard output is for what was asked of this command.
            stdout=subprocess.PIPE if is_heard else sys.stderr.fileno(),
            process_group=0,
            preexec_fn=_end_with_parent,
        )
        return cls(process)

    async def next_line(self) -> str | None:
        """None when there will be no more."""
        assert self._process.stdout, "it was started to be heard"
        line = await self._process.stdout.readline()
        return line.decode(errors="replace").rstrip() if line else None

    async def ended(self) -> int:
        """The exit code; below 0 it is the signal that killed it."""
        return await asyncio.shield(self._exit)

    def when_it_ends_by_itself(self, tell: Callable[[int], None]) -> None:
        """`tell` gets the exit code, unless the end was asked for."""

        def look(done: "asyncio.Task[int]") -> None:
            if not self.is_stopping and not done.cancelled():
                tell(done.result())

        self._exit.add_done_callback(look)

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and kill it with all that it has started if it does not."""
        self.is_stopping = True
        if not self._exit.done():
            self._process.terminate()
            await asyncio.wait({self._exit}, timeout=seconds)
        if not self._exit.done():
            self.kill()
            await self.ended()

    def kill(self) -> None:
        """At once."""
        self.is_stopping = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
