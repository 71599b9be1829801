"""The way from the journal of a run to the engine, in the worker's own process."""

import asyncio
from collections.abc import Callable
from typing import Any

from runfold.log import Line
from runfold.worker.frames import Block, Said
from runfold.worker.wire import Kind, Report

Say = Callable[[Kind, dict[str, Any]], None]


class Link:
    """Of one held run: `say` puts a report into the outbox, `freeze` gives up the process of code that waits."""

    def __init__(
        self,
        say: Say,
        freeze: Callable[[], None],
        freeze_seconds: float,
        note: Callable[[bool], None],
        log: Callable[[Line], None],
    ) -> None:
        self.log = log
        """Gathers a line for the engine."""
        self._say = say
        self._freeze = freeze
        self._note = note
        """Told whenever the code is blocked, and when it is no longer."""
        self._freeze_seconds = freeze_seconds
        self._landing: dict[int, Callable[[bool], object]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self.waits: tuple[int, ...] = ()
        """On what the code is blocked."""

    def report(self, kind: Kind, facts: dict[str, Any], landed: Callable[[bool], object]) -> None:
        """Say what happened; `landed` is told that the engine has committed it, or that nobody will know."""
        if self._is_over:
            asyncio.get_running_loop().call_soon(landed, False)
            return
        self._landing[facts["entry"]["index"]] = landed
        self._say(kind, facts)

    def commit(self, index: int) -> None:
        """The engine has it."""
        landed = self._landing.pop(index, None)
        if landed is not None:
            landed(True)

    def block(self, waits: tuple[int, ...]) -> None:
        """Nothing goes on but these waits, for which a process is not kept for long; or something goes on again."""
        if waits == self.waits or self._is_over:
            return
        if bool(waits) is not bool(self.waits):
            self._note(bool(waits))
        self.waits = waits
        self._be_patient()
        if waits:
            self._say("blocked", {"waits": waits})
            self._timer = asyncio.get_running_loop().call_later(self._freeze_seconds, self._freeze)

    def hurry(self) -> None:
        """Freeze as soon as the code is blocked, which it may be already."""
        self._freeze_seconds = 0
        if self.waits:
            self._be_patient()
            self._freeze()

    def leave(self) -> None:
        """The code is gone, or nobody wants to hear of it: nothing more is said, and nothing will be committed."""
        if self.waits:
            self._note(False)
        self._is_over = True
        self.waits = ()
        self._be_patient()
        landing, self._landing = self._landing, {}
        for landed in landing.values():
            landed(False)

    def _be_patient(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ChildLink:
    """Of one attempt in a child process: `send` writes a message to the worker, which passes it on."""

    def __init__(self, send: "Callable[[ChildLink, Said | Block], None]") -> None:
        self._send = send
        self._is_over = False
        self._landing: dict[int, Callable[[bool], object]] = {}
        self._waits: tuple[int, ...] = ()

    def report(self, kind: Kind, facts: dict[str, Any], landed: Callable[[bool], object]) -> None:
        """Say what happened; `landed` is told that the engine has committed it, or that nobody will know."""
        if self._is_over:
            asyncio.get_running_loop().call_soon(landed, False)
            return
        self._landing[facts["entry"]["index"]] = landed
        self._send(self, Said(Report("", 0, kind, 0, **facts)))

    def commit(self, index: int) -> None:
        """The engine has it."""
        landed = self._landing.pop(index, None)
        if landed is not None:
            landed(True)

    def block(self, waits: tuple[int, ...]) -> None:
        """Nothing goes on but these waits, or something goes on again."""
        if waits != self._waits:
            self._waits = waits
            self._send(self, Block(waits))

    def leave(self) -> None:
        """The attempt is over: nothing more is said, and nothing will be committed."""
        self._is_over = True
        landing, self._landing = self._landing, {}
        for landed in landing.values():
            landed(False)
