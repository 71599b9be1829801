"""The conversation with the engine: one turn waits for work, and reports go out without waiting for it."""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Sequence

from runfold.errors import ApiError
from runfold.worker.apart import keep_apart
from runfold.worker.connection import Connection, UnwritableError
from runfold.worker.holding import Holding
from runfold.worker.wire import Registered, Report, Turn, TurnAnswer

log = logging.getLogger("runfold.worker")

NAME_HOST_MAX = 100
"""The engine takes names of 128 characters."""
REPORTS_MAX_BYTES = 4_000_000
"""How much output one turn carries at most, unless a single run has more."""

SETTLING_TURNS = 3
"""So many turns of the event loop are given to code that goes on."""


class _UnderWay:
    """A turn whose answer has not arrived."""

    def __init__(self, turn: Turn, answer: "asyncio.Task[TurnAnswer]") -> None:
        self.sequence = turn.sequence
        self.want = turn.want
        self.turn = turn
        self.answer = answer
        self.is_overtaken = False
        """A later turn has been sent, which ends this one and says what is wanted now."""

    @property
    def reports(self) -> list[Report]:
        """What it has come to say, which is less than at first if some of that was refused."""
        return self.turn.reports


class Turns:
    """At most two turns are under way: one that waits, and one that reports."""

    def __init__(
        self, connection: Connection, holding: Holding, registered: Registered, machines: Sequence[str] = ()
    ) -> None:
        self._connection = connection
        self._holding = holding
        self._wait_ms = registered.wait_ms
        self._machines = list(machines) or None
        self._session = f"worker_{uuid.uuid4().hex}"
        self._name = f"{socket.gethostname()[-NAME_HOST_MAX:]}/{os.getpid()}"
        self._sequence = 0
        self._received = 0
        self._arrived: set[int] = set()
        self._waiting: _UnderWay | None = None
        self._reporting: _UnderWay | None = None

    async def take(self) -> None:
        """Go on until the holding is closed and all is reported; raises ApiError when the engine refuses a turn."""
        try:
            while True:
                self._holding.news.clear()
                if self._hear():
                    # Runs just taken begin here, and those whose step is committed come to their next: that is told
                    # in this turn, and not in one more behind it.
                    for _ in range(SETTLING_TURNS):
                        await asyncio.sleep(0)
                self._speak()
                if self._waiting is None and self._reporting is None:
                    return
                await self._holding.news.wait()
        finally:
            answers = {turn.answer for turn in (self._waiting, self._reporting) if turn is not None}
            for answer in answers:
                answer.cancel()
            if answers:
                await asyncio.wait(answers)

    def _hear(self) -> bool:
        """Act on the answers that have arrived; whether there were any."""
        waiting, reporting = self._waiting, self._reporting
        if waiting is not None and waiting.answer.done():
            self._waiting = None
            self._act_on(waiting)
        if reporting is not None and reporting.answer.done():
            self._reporting = None
            self._act_on(reporting)
        return self._waiting is not waiting or self._reporting is not reporting

    def _act_on(self, turn: _UnderWay) -> None:
        answer = turn.answer.result()
        self._holding.version = self._connection.version
        self._arrived.add(turn.sequence)
        while self._received + 1 in self._arrived:
            self._received += 1
            self._arrived.remove(self._received)
        for refused in answer.refused:
            log.warning("the engine refused a report: %s", refused.error, extra={"run": refused.run})
            # Before anything is acknowledged: no code may go on behind an entry that is not committed.
            self._holding.forget(refused.run, refused.token, "REFUSED")
        self._holding.acknowledge(turn.reports)
        self._holding.take(answer.runs)
        for woken in answer.woken:
            self._holding.wake(woken)
        for cancel in answer.cancels:
            self._holding.forget(cancel.run, cancel.token, cancel.reason)

    def _speak(self) -> None:
        holding = self._holding
        if self._reporting is not None:
            return
        reports, ahead = holding.take_reports(REPORTS_MAX_BYTES), holding.take_ahead()
        if self._waiting is None:
            if reports:
                # Not in a turn that waits: what comes then may be of another kind than what was ended just now.
                self._reporting = self._send(reports, holding.room + ahead, 0)
            elif not holding.is_over:
                self._waiting = self._send(reports, holding.room, self._wait_ms)
        elif reports or (not self._waiting.is_overtaken and (holding.is_over or holding.room != self._waiting.want)):
            self._waiting.is_overtaken = True
            # The waiting turn may be answered with as many runs as it wants at this very moment.
            self._reporting = self._send(reports, max(0, holding.room - self._waiting.want), 0)

    def _send(self, reports: list[Report], want: int, wait_ms: int) -> _UnderWay:
        self._sequence += 1
        says_holds = self._sequence == 1 or wait_ms > 0
        turn = Turn(
            session=self._session,
            version=self._connection.version,
            sequence=self._sequence,
            received=self._received,
            want=want,
            wait_ms=wait_ms,
            holds=self._holding.holds() if says_holds else None,
            waits=self._holding.waits() if says_holds else [],
            reports=reports,
            machines=self._machines,
            name=self._name if says_holds else None,
            leaving=self._holding.is_leaving,
        )
        answer = asyncio.create_task(self._answer_to(turn))
        keep_apart(answer)
        answer.add_done_callback(lambda _: self._holding.news.set())
        return _UnderWay(turn, answer)

    async def _answer_to(self, turn: Turn) -> TurnAnswer:
        """The answer, if need be without the one report that nobody takes: no run ends the worker of all others."""
        while True:
            try:
                return await self._connection.turn(turn, self._holding.holds, self._holding.waits)
            except (ApiError, UnwritableError) as refusal:
                if not turn.reports or not _is_about_content(refusal):
                    raise
                turn.reports = self._holding.narrow(turn.reports, str(refusal))


def _is_about_content(refusal: ApiError | UnwritableError) -> bool:
    """Whether it may be for a report: that it has not the right shape, or is too large."""
    return isinstance(refusal, UnwritableError) or refusal.status in {400, 413, 422}
