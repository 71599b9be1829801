"""A run whose journal outlives the processes that its code runs in: they are killed where a test says."""

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from runfold import current
from runfold.blocking import background_loop, blocking
from runfold.codec import encode
from runfold.entries import Entry, Outcome
from runfold.journal import Journal
from runfold.log import Line
from runfold.policies import Retry
from runfold.run import RunError
from runfold.steps import Arguments, run_step
from runfold.telling import PATIENCE_SECONDS
from runfold.worker.failures import describe

Code = Callable[["Story"], Awaitable[Any]]
KINDS = {
    "step_succeeded": "succeeded",
    "step_failed": "failed",
    "step_tried": "tried",
    "triggered": "triggered",
    "waiting": "waiting",
}


class Killed(BaseException):
    """The process died."""


class Story:
    """One run; it is a link as well, which remembers what the code reports."""

    def __init__(self, *entries: Entry, attempt: int = 1) -> None:
        self.entries = list(entries)
        self.attempt = attempt
        self.ran: list[Any] = []
        """The bodies of steps that have run, by what they were called with."""
        self.keys: dict[Any, set[str]] = {}
        self.blocked: list[tuple[int, ...]] = []
        self.wakes = True
        """Whether waits are over as soon as the engine hears of them."""
        self.pauses: list[int] = []
        """How long the steps wait between their tries, in milliseconds."""
        self.patience_seconds = 0.05
        """How long the journal holds back what changed code asks for before something that it never asks for."""
        self.lines: list[Line] = []
        """What the journals logged."""
        self.journal: Journal
        self._room: int | None = None
        self._is_killed_when_blocked = False
        self._killed: asyncio.Future[None]

    async def play(self, code: Code, *, until: int | None = None, is_killed_when_blocked: bool = False) -> Any:
        """Run the code in a new process, which is killed when the journal has so many entries, or when all waits."""
        self._room = until
        self._is_killed_when_blocked = is_killed_when_blocked
        self._killed = asyncio.get_running_loop().create_future()
        self.journal = Journal(
            "run_1",
            self.attempt,
            self.entries,
            self,
            describe,
            chance=lambda: 0.0,
            patience_seconds=self.patience_seconds,
        )
        self.journal.log = self.lines.append
        others = asyncio.all_tasks()
        main = asyncio.create_task(self._run(code))
        try:
            await asyncio.wait({main, self._killed}, return_when=asyncio.FIRST_COMPLETED)
            if not main.done():
                raise Killed
            return main.result()
        finally:
            self.journal.end()
            left = asyncio.all_tasks() - others
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def play_blocking(
        self,
        code: "Callable[[Story], Any]",
        *,
        until: int | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Any:
        """The same for code that does not await: its journal lives on the loop in the background."""
        self._room = until
        self._killed = concurrent.futures.Future()  # type: ignore[assignment]
        self.journal = Journal(
            "run_1",
            self.attempt,
            self.entries,
            self,
            describe,
            loop=background_loop(),
            patience_seconds=patience_seconds,
        )
        self.journal.log = self.lines.append
        with current.inside("run_1", self.journal):
            result = code(self)
            blocking(self.journal.settle)()
            return result

    async def _run(self, code: Code) -> Any:
        with current.inside("run_1", self.journal):
            result = await code(self)
            await self.journal.settle()
            return result

    async def step(self, name: str, argument: Any = None, *, fails: bool = False, turns: int = 0, busy: int = 0) -> Any:
        """A step whose result tells how many bodies had run before. So many of its tries fail before."""

        async def body(argument: Any) -> Any:
            self.ran.append(argument or name)
            key = current.step.get()
            assert key is not None
            self.keys.setdefault(argument or name, set()).add(key.key)
            for _ in range(turns):
                await asyncio.sleep(0)
            if busy and self._tries_of(key.key) < busy:
                raise OSError(key.key)
            if fails:
                raise ValueError(f"{name} failed")
            return [argument or name, len(self.ran)]

        return await run_step(self.journal, name, body, Arguments((argument,), {}), Retry(max_attempts=busy + 1))

    def _tries_of(self, key: str) -> int:
        """How many tries of a step that is busy the journal has of this attempt."""
        tries = [each for each in self.entries if each.kind == "tried" and each.attempt == self.attempt]
        return sum(each.error is not None and each.error.message == key for each in tries)

    def fail(self) -> None:
        """The attempt has failed, and another begins."""
        self.attempt += 1

    def report(self, kind: str, facts: dict[str, Any], landed: Callable[[bool], object]) -> None:
        if self._room is not None and len(self.entries) >= self._room:
            self.kill()
            return
        self.entries.append(_entry(kind, facts, self.attempt))
        asyncio.get_running_loop().call_soon(landed, True)
        if kind == "step_tried":
            self.pauses.append(facts["for_ms"])
        if kind in {"waiting", "step_tried"} and self.wakes:
            self.wake(facts["entry"]["index"], Outcome(tuple(facts.get("targets", ()))))

    def block(self, waits: tuple[int, ...]) -> None:
        self.blocked.append(waits)
        if waits and self._is_killed_when_blocked:
            self.kill()

    def kill(self) -> None:
        """Let the process die now."""
        if not self._killed.done():
            self._killed.set_result(None)

    def wake(self, index: int, outcome: Outcome) -> None:
        """A wait is over, and whoever waits is told."""
        ended = sum(each.completed is not None for each in self.entries)
        outcome = msgspec.structs.replace(outcome, behind=len(self.entries), order=ended)
        self.entries[index] = msgspec.structs.replace(self.entries[index], completed=outcome)
        asyncio.get_running_loop().call_soon(self.journal.wake, index, outcome)


def _entry(kind: str, facts: dict[str, Any], attempt: int) -> Entry:
    """As the engine hands it out."""
    error = facts.get("error")
    return Entry(
        kind=KINDS[kind],
        attempt=attempt,
        result=facts.get("output", msgspec.Raw(encode(None))),
        error=None if error is None else RunError(message=error.message, name=error.name),
        runs=tuple(facts.get("runs", ())),
        batch=facts.get("batch"),
        cached=facts.get("cached"),
        **facts["entry"],
    )
