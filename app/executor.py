"""Executes the tasks that the engine brings along, in its own process: a worker like any other, but for the HTTP.

It takes its turns with the very commands that the worker protocol leads to, one session for each environment, and so
has the leases, fencing tokens, retries and recovery that workers have. A session keeps its name over restarts: the
first turn after one says that it holds nothing, and what the engine died with goes on at once.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from msgspec import Raw, Struct, json

from app.executions import Attempt, Made, make
from app.hosts import HostLimits
from app.mailing import send
from app.secrets import value_of
from app.service import Service
from app.web.caller import Caller
from app.web.hand_outs import RunBody, runs_of
from app.web.newruns import stored
from domain import builtin
from domain.attempts import Report
from domain.calls import ErrorClass, Found, HttpCaller, failed
from domain.commands import EndTurn, Turn, TurnAnswer
from domain.errors import LedgerError, Unavailable
from domain.events import EnvironmentCreated, RateLimit, Recorded, RunError
from domain.mail import Mailer
from domain.vocabulary import FULL

log = structlog.get_logger(__name__)

OUTPUT_MAX_BYTES = 1_048_576
AGAIN_SECONDS = 0.5
HELD_MAX = 2_000
"""How many attempts are held, if most of them wait for a busy host: those to other hosts are found behind these."""
GRACE_SECONDS = 4.0
"""How long calls may go on when the engine stops; those that last longer are made again by the next one."""


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
        service: Service,
        caller: HttpCaller,
        concurrency: int,
        per_host: int,
        chance: random.Random,
        mailer: Mailer | None = None,
        rate: RateLimit | None = None,
    ) -> None:
        self.service = service
        self.mailer = mailer
        self.caller = HostLimits(caller, concurrency, per_host, self._look, rate)
        self.chance = chance
        self._concurrency = concurrency
        self.held = 0
        """How many attempts all desks hold."""
        self.is_stopping = False
        self._desks: dict[str, Desk] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    @property
    def room(self) -> int:
        """How many further attempts it takes: those that wait for a busy host must not keep others from theirs."""
        if self.is_stopping:
            return 0
        active = self.held - self.caller.waiting
        return max(0, min(self._concurrency - active, max(HELD_MAX, self._concurrency) - self.held))

    async def run(self) -> None:
        """Serve every environment that there is, and those that come, until cancelled."""
        self.service.loop.feed.listen(self._note)
        try:
            while True:
                self._news.clear()
                for environment in self.service.environments():
                    if environment.id not in self._desks:
                        desk = self._desks[environment.id] = Desk(self, environment.id)
                        self._tasks.append(asyncio.create_task(desk.run(), name=f"executor of {environment.slug}"))
                await self._news.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Take nothing new, let calls end for a while, and give the others back."""
        self.is_stopping = True
        # A node that another one may have replaced already can tell nobody what it found.
        grace = GRACE_SECONDS if self.service.loop.may_answer() else 0
        self._look()
        await self._ended_within(grace)
        self.give_back()
        await self._ended_within(AGAIN_SECONDS)

    def give_back(self) -> None:
        """Stop what still goes on: those attempts are made again."""
        for desk in self._desks.values():
            desk.give_back()

    def _look(self) -> None:
        for desk in self._desks.values():
            desk.look()

    async def _ended_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for desk in self._desks.values():
                    await desk.ended.wait()

    def _note(self, records: Sequence[Recorded]) -> None:
        if any(isinstance(each.event, EnvironmentCreated) for each in records):
            self._news.set()


class Desk:
    """The executor's session in one environment."""

    def __init__(self, executor: Executor, environment: str) -> None:
        self._executor = executor
        self._environment = environment
        self._session = f"worker_builtin{environment.partition('_')[2]}"
        self._held: dict[tuple[str, int], Held] = {}
        self._reports: list[tuple[Report, dict[str, bytes]]] = []
        self._sequence = 0
        self._received = 0
        self._news = asyncio.Event()
        self.ended = asyncio.Event()
        """It was told to stop, and holds nothing any more."""

    def look(self) -> None:
        """There is something to say or to ask."""
        self._news.set()

    def give_back(self) -> None:
        """Stop what still goes on: the next engine makes those attempts again."""
        for run, token in list(self._held):
            self._stop(run, token)
            self._say(Report(run, token, "released", self._now()))

    async def run(self) -> None:
        """Take turn after turn until there is nothing left to do, or until cancelled."""
        try:
            while not (self._executor.is_stopping and not self._held and not self._reports):
                try:
                    await self._turn()
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
        self._sequence += 1
        loop = self._executor.service.loop
        asked = loop.ask(self._command(said))
        await self._answered_or_news(asked)
        if not asked.done():
            await loop.submit(EndTurn(session=self._session, sequence=self._sequence, **self._origin()))
        answer: TurnAnswer = await asked
        self._received = answer.sequence
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
        await self._take(answer)

    def _command(self, said: list[tuple[Report, dict[str, bytes]]]) -> Turn:
        executor = self._executor
        return Turn(
            session=self._session,
            version=builtin.VERSION,
            sequence=self._sequence,
            received=self._received,
            want=executor.room,
            holds=tuple(self._held),
            reports=tuple(report for report, _ in said),
            blobs={key: value for _, blobs in said for key, value in blobs.items()},
            **self._origin(),
        )

    async def _answered_or_news(self, asked: "asyncio.Future[TurnAnswer]") -> None:
        news = asyncio.ensure_future(self._news.wait())
        try:
            # Heard of three times within its lease, as any worker would be.
            seconds = self._executor.service.lease_ms / 3_000
            waited: set[asyncio.Future[Any]] = {asked, news}
            await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    async def _take(self, answer: TurnAnswer) -> None:
        service = self._executor.service
        environment = service.loop.engine.memory.environment(self._environment)
        if not answer.runs or environment is None:
            return
        caller = Caller(environment, "executor", "executor", FULL, None, key="", sha256="")
        for run in await runs_of(answer, caller, service):
            self._held[run.id, run.token] = Held(run)
            self._executor.held += 1
            self._say(Report(run.id, run.token, "started", self._now()))

    async def _perform(self, run: RunBody) -> None:
        executor = self._executor
        try:
            made = await self._make(run)
        except Exception as error:
            log.exception("an attempt could not be made", run=run.id)
            # Another one, after the pause of the task itself, may go better.
            found = failed(ErrorClass.PROTOCOL_ERROR, f"The attempt could not be made: {type(error).__name__}.")
            report, blobs = _report_of(run, found, None, self._now(), is_hopeless=False)
        else:
            is_hopeless = made.retry_in_ms is None
            report, blobs = _report_of(run, made.found, made.retry_in_ms, self._now(), is_hopeless=is_hopeless)
        if self._held.pop((run.id, run.token), None) is not None:
            executor.held -= 1
            self._say(report, blobs)

    async def _make(self, run: RunBody) -> Made:
        executor = self._executor
        attempt = Attempt(run.id, run.attempt, run.created_at, run.job, run.payload)
        if run.task == builtin.EMAIL_TASK:
            return await send(attempt, executor.mailer, self._now, executor.chance.random)
        return await make(
            attempt,
            executor.caller,
            lambda name: value_of(executor.service, self._environment, name),
            self._now,
            executor.chance.random,
        )

    def _stop(self, run: str, token: int) -> None:
        held = self._held.pop((run, token), None)
        if held is not None:
            self._executor.held -= 1
            if held.task is not None:
                held.task.cancel()

    def _say(self, report: Report, blobs: dict[str, bytes] | None = None) -> None:
        self._reports.append((report, blobs or {}))
        self._news.set()

    def _now(self) -> int:
        return self._executor.service.clock.now().wall

    def _origin(self) -> dict[str, Any]:
        return {"environment": self._environment, "actor": "executor", "cause": "executor", "at": self._now()}


def _report_of(
    run: RunBody, found: Found, retry_in_ms: int | None, at: int, *, is_hopeless: bool
) -> tuple[Report, dict[str, bytes]]:
    text = Raw(json.encode(found))
    output, blob, blobs = stored(text, f"{run.id}/output/{run.token}", OUTPUT_MAX_BYTES, "output")
    if found.error_class is None:
        return Report(run.id, run.token, "succeeded", at, output, blob), blobs
    error = RunError(found.message or "The attempt failed.", str(found.error_class))
    more: dict[str, Any] = {"error": error, "retryable": not is_hopeless, "retry_in_ms": retry_in_ms}
    return Report(run.id, run.token, "failed", at, output, blob, **more), blobs
