"""Executes the tasks that the engine brings along: a worker like any other, in the engine's process or in its own.

It takes its turns by lines, one for each environment, and so has the leases, fencing tokens, retries and recovery that
workers have.
"""

import asyncio
import random
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from msgspec import Raw, Struct, json

from app.executor.lines import Answer, Line, LineClosed, Lines, Said
from app.hosts import HostLimits
from app.http_jobs.executions import Attempt, Made, make
from app.http_jobs.mailing import send
from app.turns.answer import RunBody
from app.values import stored
from domain import builtin
from domain.attempts import Report
from domain.calls import ErrorClass, Found, HttpCaller, failed
from domain.errors import LedgerError, Unavailable
from domain.events import RateLimit, RunError
from domain.mail import Mailer

log = structlog.get_logger(__name__)

OUTPUT_MAX_BYTES = 1_048_576
AGAIN_SECONDS = 0.5
HELD_MAX = 500
"""How many attempts are held, if most of them wait for a busy host: those to other hosts are found behind these."""
GRACE_SECONDS = 4.0
"""How long calls may go on when the executor stops; those that last longer are made again by another one."""


class Held(Struct):
    """An attempt that was handed out: its call begins when the ledger has its start."""

    run: RunBody
    task: asyncio.Task[None] | None = None


class Executor:
    """At most `concurrency` calls at once, all environments together, and at most `per_host` of them to one host.

    No more calls to one host than the `rate` allows are started, either.
    """

    def __init__(
        self,
        lines: Lines,
        caller: HttpCaller,
        concurrency: int,
        per_host: int,
        chance: random.Random,
        mailer: Mailer | None = None,
        rate: RateLimit | None = None,
    ) -> None:
        self._lines = lines
        self.mailer = mailer
        self.caller = caller
        self.limits = HostLimits(concurrency, per_host, self._look, rate)
        self.chance = chance
        self._concurrency = concurrency
        self.held = 0
        """How many attempts all desks hold."""
        self.is_stopping = False
        self._desks: list[Desk] = []
        self._news = asyncio.Event()

    @property
    def room(self) -> int:
        """How many further attempts it takes: those that wait for a busy host must not keep others from theirs."""
        if self.is_stopping:
            return 0
        active = self.held - self.limits.waiting
        return max(0, min(self._concurrency - active, max(HELD_MAX, self._concurrency) - self.held))

    async def run(self) -> None:
        """Serve every environment that there is, and those that come, until cancelled. Raises LineClosed in a group."""
        self._lines.listen(self._news.set)
        async with asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                for line in self._lines.found():
                    desk = Desk(self, line)
                    self._desks.append(desk)
                    group.create_task(desk.run(), name=f"executor of {line.environment}")
                await self._news.wait()

    async def stop(self) -> None:
        """Take nothing new, let calls end for a while, and give the others back."""
        self.is_stopping = True
        # A node that another one may have replaced already can tell nobody what it found.
        grace = GRACE_SECONDS if self._lines.may_answer() else 0
        self._look()
        await self._ended_within(grace)
        self.give_back()
        await self._ended_within(AGAIN_SECONDS)

    def give_back(self) -> None:
        """Stop what still goes on: those attempts are made again."""
        for desk in self._desks:
            desk.give_back()

    def _look(self) -> None:
        for desk in self._desks:
            desk.look()

    async def _ended_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for desk in self._desks:
                    await desk.ended.wait()


class Desk:
    """The executor's session in one environment."""

    def __init__(self, executor: Executor, line: Line) -> None:
        self._executor = executor
        self._line = line
        self._held: dict[tuple[str, int], Held] = {}
        self._reports: list[Said] = []
        self._news = asyncio.Event()
        self.ended = asyncio.Event()
        """It was told to stop, and holds nothing any more."""

    def look(self) -> None:
        """There is something to say or to ask."""
        self._news.set()

    def give_back(self) -> None:
        """Stop what still goes on: another executor makes those attempts again."""
        for run, token in list(self._held):
            self._stop(run, token)
            self._say(Report(run, token, "released", self._line.now()))

    async def run(self) -> None:
        """Take turn after turn until there is nothing left to do, or until cancelled. Raises LineClosed."""
        try:
            while not (self._executor.is_stopping and not self._held and not self._reports):
                try:
                    await self._turn()
                except LineClosed:
                    raise
                except (Unavailable, LedgerError) as error:
                    log.warning("the executor has to wait", error=str(error))
                    await asyncio.sleep(AGAIN_SECONDS)
                except Exception as error:
                    # Executions must not wait for ever for a turn that went wrong once.
                    log.exception("a turn of the executor failed", error=str(error))
                    await asyncio.sleep(AGAIN_SECONDS)
            self.ended.set()
        finally:
            for run, token in list(self._held):
                self._stop(run, token)

    async def _turn(self) -> None:
        self._news.clear()
        said = list(self._reports)
        asked = self._line.turn(self._executor.room, list(self._held), said)
        try:
            await self._answered_or_news(asked)
            if not asked.done():
                await self._line.hurry()
            answer = await asked
        finally:
            asked.cancel()
        del self._reports[: len(said)]
        for refused in answer.refused:
            log.info("a report of the executor was refused", run=refused.run, error=refused.error)
            self._stop(refused.run, refused.token)
        for cancel in answer.cancels:
            self._stop(cancel.run, cancel.token)
        for report, _ in said:
            held = self._held.get((report.run, report.token))
            if report.kind == "started" and held is not None:
                held.task = asyncio.create_task(self._perform(held.run), name=report.run)
        self._take(answer)

    async def _answered_or_news(self, asked: "asyncio.Future[Answer]") -> None:
        news = asyncio.ensure_future(self._news.wait())
        try:
            waited: set[asyncio.Future[Any]] = {asked, news}
            await asyncio.wait(waited, timeout=self._line.patience_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    def _take(self, answer: Answer) -> None:
        for run in answer.runs:
            self._held[run.id, run.token] = Held(run)
            self._executor.held += 1
            self._say(Report(run.id, run.token, "started", self._line.now()))

    async def _perform(self, run: RunBody) -> None:
        executor = self._executor
        try:
            made = await self._make(run)
        except Exception as error:
            log.exception("an attempt could not be made", run=run.id)
            # Another one, after the pause of the task itself, may go better.
            found = failed(ErrorClass.PROTOCOL_ERROR, f"The attempt could not be made: {type(error).__name__}.")
            said = _report_of(run, found, None, self._line.now(), is_hopeless=False)
        else:
            is_hopeless = made.retry_in_ms is None
            said = _report_of(run, made.found, made.retry_in_ms, self._line.now(), is_hopeless=is_hopeless)
        if self._held.pop((run.id, run.token), None) is not None:
            executor.held -= 1
            self._say(*said)

    async def _make(self, run: RunBody) -> Made:
        executor, line = self._executor, self._line
        attempt = Attempt(run.id, run.attempt, run.created_at, run.job, run.payload, run.event, run.input)
        if run.task == builtin.EMAIL_TASK:
            return await send(attempt, executor.mailer, line.now, executor.chance.random)
        secret_of = partial(line.secret, run)
        return await make(attempt, executor.limits, executor.caller, secret_of, line.now, executor.chance.random)

    def _stop(self, run: str, token: int) -> None:
        held = self._held.pop((run, token), None)
        if held is not None:
            self._executor.held -= 1
            if held.task is not None:
                held.task.cancel()

    def _say(self, report: Report, blobs: dict[str, bytes] | None = None) -> None:
        self._reports.append((report, blobs or {}))
        self._news.set()


def _report_of(run: RunBody, found: Found, retry_in_ms: int | None, at: int, *, is_hopeless: bool) -> Said:
    text = Raw(json.encode(found))
    output, blob, blobs = stored(text, f"{run.id}/output/{run.token}", OUTPUT_MAX_BYTES, "output")
    if found.error_class is None:
        return Report(run.id, run.token, "succeeded", at, output, blob), blobs
    error = RunError(found.message or "The attempt failed.", str(found.error_class))
    more: dict[str, Any] = {"error": error, "retryable": not is_hopeless, "retry_in_ms": retry_in_ms}
    return Report(run.id, run.token, "failed", at, output, blob, **more), blobs
