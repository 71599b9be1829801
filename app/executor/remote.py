"""`runfold executor`: an executor in a process of its own, which takes its turns over the worker protocol."""

import asyncio
import random
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import structlog

from adapters.http.calling import SafeHttpCaller
from adapters.http.trust import world
from app.executor.executor import Executor
from app.executor.lines import Answer, Hold, Line, LineClosed, Said
from app.requests import SecretMissing
from app.settings import Settings, WrongSetting
from app.turns.answer import AnswerBody, RunBody
from app.vault.secrets import missing_sentence
from domain import builtin
from domain.attempts import Report
from domain.events import BlobRef
from runfold.addresses import Preferred
from runfold.errors import api_error
from runfold.transport import backoff, is_passing, leaves_node, reason, retry_after

log = structlog.get_logger(__name__)

WAIT_MS = 15_000
MARGIN_SECONDS = 10.0
"""How much later than promised an answer may come before the connection counts as lost."""
TURN_PATH = "/worker/v1/turn"


class RemoteLine:
    """A session of the worker protocol. A turn is sent again until it is answered, as it is safe to repeat.

    `addresses` are those of the engine's nodes.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        addresses: Sequence[str],
        environment: str,
        now: Callable[[], int],
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.environment = environment
        self._http = http
        self._addresses = addresses
        self._preferred = Preferred()
        self._now = now
        self._chance = chance
        self._sleep = sleep
        self._session = f"worker_{uuid.uuid4().hex}"
        self._sequence = 0
        self._received = 0
        self._hurried: asyncio.Task[AnswerBody] | None = None

    @property
    def patience_seconds(self) -> float:
        """The engine answers in time by itself."""
        return WAIT_MS / 1_000 + MARGIN_SECONDS

    def turn(self, want: int, holds: Sequence[Hold], said: Sequence[Said]) -> "asyncio.Future[Answer]":
        """Begin a turn."""
        reports = [_encoded(report, blobs) for report, blobs in said]
        turn = self._send({"want": want, "waitMs": WAIT_MS, "holds": holds, "reports": reports})
        return asyncio.ensure_future(self._answer(turn))

    async def hurry(self) -> None:
        """Let the turn that is under way be answered: a later one ends it, and asks for nothing."""
        self._hurried = self._send({"want": 0, "waitMs": 0})

    def secret(self, run: RunBody, name: str) -> str:
        """What came with the run. Raises SecretMissing."""
        if name not in run.secrets:
            raise SecretMissing(missing_sentence(name))
        return run.secrets[name]

    def now(self) -> int:
        """The clock of this machine."""
        return self._now()

    async def _answer(self, turn: "asyncio.Task[AnswerBody]") -> Answer:
        try:
            answers = [await turn]
            if self._hurried is not None:
                answers.append(await self._hurried)
        finally:
            turn.cancel()
            if self._hurried is not None:
                self._hurried.cancel()
            self._hurried = None
        self._received = self._sequence
        return Answer(
            [run for each in answers for run in each.runs],
            [cancel for each in answers for cancel in each.cancels],
            [refused for each in answers for refused in each.refused],
        )

    def _send(self, turn: dict[str, Any]) -> "asyncio.Task[AnswerBody]":
        # Numbered before it is sent, so that the order is that in which turns were begun.
        self._sequence += 1
        about = {"session": self._session, "version": builtin.VERSION, "sequence": self._sequence}
        body = msgspec.json.encode(about | {"received": self._received} | turn)
        return asyncio.create_task(self._insist(body))

    async def _insist(self, body: bytes) -> AnswerBody:
        failures = 0
        while True:
            failures += 1
            address = self._preferred.current(self._addresses)
            try:
                response = await self._http.post(address + TURN_PATH, content=body)
            except httpx.TransportError as error:
                why, wait, leaves = reason(error), None, True
            else:
                if response.is_success:
                    return msgspec.json.decode(response.content, type=AnswerBody)
                refusal = api_error(response.status_code, response.content)
                if not is_passing(response.status_code):
                    raise LineClosed(refusal.error)
                why, wait, leaves = str(refusal), retry_after(response), leaves_node(response.status_code)
            if failures == 1:
                log.warning("the engine does not answer, trying again until it does", engine=address, error=why)
            if leaves:
                self._preferred.leave(address, self._addresses)
            rounds, others = divmod(failures, len(self._addresses))
            if others == 0 or not leaves:
                await self._sleep(backoff(max(1, rounds), self._chance()) if wait is None else wait)


class OneLine:
    """The only line that there is: a key opens one environment."""

    def __init__(self, line: Line) -> None:
        self._line: Line | None = line

    def found(self) -> Iterable[Line]:
        """It, once."""
        if self._line is not None:
            yield self._line
        self._line = None

    def listen(self, news: Callable[[], None]) -> None:
        """There never is another one."""

    def may_answer(self) -> bool:
        """The engine takes reports as long as the lease lasts."""
        return True


def execute(settings: Settings, concurrency: int | None = None) -> None:
    """Execute HTTP jobs and alerts for the engine that the settings name, until SIGTERM or SIGINT.

    Raises WrongSetting without a key, and when the engine refuses it.
    """
    if settings.secret_key is None:
        raise WrongSetting("The setting RUNFOLD_SECRET_KEY is not set: it names the environment to execute for.")
    asyncio.run(_execute(settings, settings.secret_key, concurrency or settings.http_concurrency))


async def _execute(settings: Settings, key: str, concurrency: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        # Where there is no such thing, the process just ends, and its attempts are made again.
        with suppress(NotImplementedError):
            loop.add_signal_handler(each, stop.set)
    chance = random.SystemRandom()
    async with new_client(key) as http:
        line = RemoteLine(
            http, settings.addresses, settings.address, lambda: time.time_ns() // 1_000_000, chance.random
        )
        caller = SafeHttpCaller(settings.address_policy)
        limits = concurrency, settings.http_concurrency_per_host
        executor = Executor(OneLine(line), caller, *limits, chance, settings.mailer, settings.rate_per_host)
        log.info("executing", engine=settings.address, concurrency=concurrency)
        executing, stopping = asyncio.create_task(executor.run()), asyncio.create_task(stop.wait())
        await asyncio.wait({executing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not executing.done():
            await executor.stop()
            executing.cancel()
        try:
            await executing
        except* LineClosed as group:
            why = f"The engine at {settings.address} does not let this executor work: {group.exceptions[0]}"
            raise WrongSetting(why) from None
        except* asyncio.CancelledError:
            pass


def new_client(key: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for turns, which wait for long."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    timeout = httpx.Timeout(WAIT_MS / 1_000 + MARGIN_SECONDS, connect=5.0)
    return httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=False, verify=world(), transport=transport)


def _encoded(report: Report, blobs: dict[str, bytes]) -> dict[str, Any]:
    told: dict[str, Any] = {"run": report.run, "token": report.token, "kind": report.kind, "at": report.at}
    output = _whole(report.output, report.output_blob, blobs)
    if bytes(output):
        told["output"] = output
    if report.error is not None:
        told["error"] = {"name": report.error.name, "message": report.error.message}
        told["retryable"] = report.retryable
    if report.retry_in_ms is not None:
        told["retryInMs"] = report.retry_in_ms
    return told


def _whole(inline: msgspec.Raw, ref: BlobRef | None, blobs: dict[str, bytes]) -> msgspec.Raw:
    return inline if ref is None else msgspec.Raw(blobs[ref.key])
