"""The worker's side of its child processes: warm, reused, each with one run at a time."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import msgspec

from runfold.entries import Outcome
from runfold.worker import child
from runfold.worker.apart import keep_apart
from runfold.worker.frames import (
    LENGTH,
    Block,
    Commit,
    Freeze,
    Go,
    Logged,
    Ready,
    Said,
    Stop,
    ToChild,
    ToWorker,
    Wake,
    frame,
)
from runfold.worker.handed import Attempt
from runfold.worker.links import Link
from runfold.worker.memory import OutOfMemoryKills, of_this_process
from runfold.worker.outcomes import Crashed, Ended
from runfold.worker.wire import OUT_OF_MEMORY, Error, Report

LAST_WORDS_SECONDS = 1.0
"""How long to read on after a child has died, and to wait for its death after its connection has ended."""

READ_AHEAD_BYTES = 1_000_000
FACTS = ("entry", "output", "error", "runs", "batch", "cached", "targets", "is_any", "until", "for_ms")
"""What a report of the code of a run may say."""
_NOTHING: Sequence[Any] = (None, msgspec.UNSET, (), [], False)


def facts_of(report: Report) -> dict[str, Any]:
    """What the report says."""
    facts = {name: value for name in FACTS if (value := getattr(report, name)) not in _NOTHING}
    return facts if report.cached is None else {**facts, "cached": report.cached}


class Children:
    """At most `limit` child processes, started when a run finds none free."""

    def __init__(self, target: str, limit: int, kills: OutOfMemoryKills | None = None) -> None:
        self._target = target
        self._kills = kills or of_this_process()
        self._limit = limit
        self._free = asyncio.Semaphore(limit)
        self._idle: list[Process] = []

    async def warm_up(self) -> None:
        """Start one child before the first run needs it."""
        async with self.one():
            pass

    @asynccontextmanager
    async def one(self) -> "AsyncGenerator[Process]":
        """A child for one run; waits until one is free. Raises ChildError when it cannot load the tasks."""
        async with self._free:
            process = self._take_idle() or await start(self._target, self._kills)
            try:
                yield process
            finally:
                if process.is_usable:
                    self._idle.append(process)

    async def close(self) -> None:
        """End the idle children, which are all of them once no run is under way."""
        await asyncio.gather(*(process.end() for process in self._idle))
        self._idle.clear()

    def _take_idle(self) -> "Process | None":
        while self._idle:
            process = self._idle.pop()
            if process.is_usable:
                return process
        return None


class ChildError(Exception):
    """A child process could not be started."""


async def start(target: str, kills: OutOfMemoryKills) -> "Process":
    """Raises ChildError when the process ends before it has loaded the tasks."""
    ours, theirs = socket.socketpair()
    with theirs:
        running = await asyncio.create_subprocess_exec(
            *child.command(target, theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # so that the worker can end it with all that it has started
        )
    process = Process(running, kills, *await asyncio.open_connection(sock=ours, limit=READ_AHEAD_BYTES))
    try:
        first = await process.read()
    except asyncio.CancelledError:
        await process.end()
        raise
    if isinstance(first, Crashed):
        raise ChildError(f"A process for synchronous tasks ended before it had loaded them. {first.error.message}")
    return process


class Process:
    """One child process."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        kills: OutOfMemoryKills,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._kills = kills
        self._kills_before = kills.count()
        self._reader = reader
        self._writer = writer
        self._decoder: msgspec.json.Decoder[ToWorker] = msgspec.json.Decoder(ToWorker)
        self._ended = False
        self._exit = asyncio.create_task(process.wait())
        keep_apart(self._exit)
        self._exit.add_done_callback(self._after_exit)

    @property
    def is_usable(self) -> bool:
        return not self._ended and not self._exit.done() and not self._reader.at_eof()

    async def perform(self, attempt: Attempt, link: Link, woken: Mapping[int, Outcome]) -> Ended:
        """Make one attempt; cancelling ends the process."""
        self._kills_before = self._kills.count()
        try:
            self._writer.write(frame(Go(attempt)))
            for wait, outcome in woken.items():
                self.wake(wait, outcome)
            ended = await self._hear(attempt.run.id, link)
        except BaseException:
            await self.end()  # its code may still be under way, also if it is not understood what it says
            raise
        if isinstance(ended, Crashed) and not self._ended:
            await self.end()  # it lives, but without the memory it needs
        return ended

    def wake(self, wait: int, outcome: Outcome) -> None:
        """Tell its code that a wait is over."""
        self._write(Wake(wait, outcome))

    def freeze(self) -> None:
        """Ask its code to end, if it does nothing but wait."""
        self._write(Freeze())

    async def _hear(self, run: str, link: Link) -> Ended:
        """Pass on what the code says until it ends."""
        while True:
            message = await self.read()
            match message:
                case Said(report=report):
                    facts = facts_of(report)
                    link.report(report.kind, facts, partial(self._commit, facts["entry"]["index"]))
                case Block(waits=waits):
                    link.block(waits)
                case Logged(run=of, line=line):
                    if of == run:
                        link.log(line)
                case Ready():
                    raise AssertionError("a child is ready once")
                case _:
                    return message

    def _commit(self, index: int, is_committed: bool) -> None:  # noqa: FBT001 (what is told)
        if is_committed:
            self._write(Commit(index))

    def _write(self, message: ToChild) -> None:
        if not self._ended and not self._writer.is_closing():
            self._writer.write(frame(message))

    async def read(self) -> ToWorker:
        """The next message, or how the process died."""
        try:
            size = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))[0]
            return self._decoder.decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._end_within(LAST_WORDS_SECONDS)
            return Crashed(how_it_died(self._exit.result(), self._is_out_of_memory()))

    async def end(self) -> None:
        """Tell it to stop, and kill it if it does not."""
        with suppress(ConnectionError):
            self._writer.write(frame(Stop()))
        await self._end_within(child.STOP_SECONDS)

    def _is_out_of_memory(self) -> bool:
        return self._exit.result() == -signal.SIGKILL and self._kills.rose_since(self._kills_before)

    async def _end_within(self, seconds: float) -> None:
        self._ended = True
        try:
            await asyncio.wait({self._exit}, timeout=seconds)
        finally:
            self._writer.close()
            if not self._exit.done():
                self._kill_all()
        await self._exit

    def _after_exit(self, _exit: "asyncio.Task[int]") -> None:
        """What the process has started ends with it; whatever escapes that must not hold the connection open."""
        self._kill_all()
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._writer.close)

    def _kill_all(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of dead processes
            os.killpg(self._process.pid, signal.SIGKILL)


def how_it_died(code: int, is_out_of_memory: bool = False) -> Error:  # noqa: FBT001, FBT002 (a fact, not a switch)
    """What is told of a process that has ended with this code, which is a negative one for a signal."""
    if code >= 0:
        return Error("ProcessDied", f"The process exited with code {code}.", exit_code=code)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"SIG{-code}"
    told = f"The process was killed by signal {-code} ({name})"
    if is_out_of_memory:
        return Error("ProcessDied", f"{told}, because there was no memory left.", code=OUT_OF_MEMORY, signal=name)
    return Error("ProcessDied", f"{told}.", signal=name)
