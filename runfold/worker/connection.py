"""The two calls of the worker protocol, made again and again until the engine answers."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from runfold.addresses import Preferred
from runfold.answers import read, unreadable
from runfold.config import Settings, current_settings
from runfold.entries import Entry
from runfold.errors import ConfigurationError, NotFoundError, RunfoldError, api_error
from runfold.transport import backoff, connect, content_of, is_passing, leaves_node, origin, reason, retry_after
from runfold.worker.wire import Hold, JournalPage, Registered, Turn, TurnAnswer, Variables, Waits

log = logging.getLogger("runfold.worker")

SOON_SECONDS = 2.0
MARGIN_SECONDS = 10.0
"""How much later than promised an answer may come before the connection counts as lost."""

CURRENT_IS_ANOTHER = (
    "the version %s is not the current one of %s: until it is promoted, it gets only runs that are locked to it"
)

T = TypeVar("T")


class UnwritableError(RunfoldError):
    """There is something in a turn that is no JSON."""


class Connection:
    """Speaks for one worker; survives any outage of the engine."""

    def __init__(
        self,
        settings: Settings,
        registration: bytes,
        *,
        http: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._registration = registration
        self._http = http or connect()
        self._headers = {"authorization": f"Bearer {settings.secret_key}", "content-type": "application/json"}
        self._sleep = sleep
        self._clock = clock
        self._chance = chance
        self.version = ""
        """What the engine calls the tasks; another one after it has forgotten them."""
        self._preferred = Preferred()
        self._failures = 0
        self._lost_at = 0.0
        self._turn_encoder = msgspec.json.Encoder()
        self._answer_decoder = msgspec.json.Decoder(TurnAnswer)

    async def register(self) -> Registered:
        """Tell the engine the tasks; raises ApiError when it refuses them or the key."""
        while True:
            answer = await self._attempt("register", self._registration, MARGIN_SECONDS)
            if answer is not None:
                registered = read(answer, Registered)
                self.version = registered.version
                if not registered.is_current:
                    log.warning(CURRENT_IS_ANOTHER, registered.version, registered.environment.slug)
                return registered

    async def variables(self) -> dict[str, str]:
        """What is to be in the environment of tasks. An engine of a version before it had any has none."""
        while True:
            try:
                answer = await self._attempt("variables", None, MARGIN_SECONDS)
            except NotFoundError:
                return {}
            if answer is not None:
                return read(answer, Variables).variables

    async def turn(
        self,
        turn: Turn,
        holds: Callable[[], list[Hold]],
        waits: Callable[[], list[Waits]] = list,
    ) -> TurnAnswer:
        """The answer to a turn; after a failed call it is sent again, with what the worker holds by then.

        Raises ApiError when the engine refuses it, and UnwritableError when it cannot be written as JSON.
        """
        patience = turn.wait_ms / 1000 + MARGIN_SECONDS
        while True:
            turn.version = self.version
            try:
                answer = await self._attempt("turn", self._written(turn), patience)
            except NotFoundError as refusal:
                if not _is_unknown_version(refusal):
                    raise
                await self.register()
                answer = None
            if answer is not None:
                try:
                    return self._answer_decoder.decode(answer)
                except msgspec.DecodeError as error:
                    raise unreadable(answer, error) from None
            turn.holds, turn.waits = holds(), waits()

    def _written(self, turn: Turn) -> bytes:
        try:
            return self._turn_encoder.encode(turn)
        except Exception as error:  # by what is in it msgspec raises errors of several kinds
            raise UnwritableError(f"It cannot be written as JSON: {error}") from error

    async def journal(self, run: str, after: int) -> list[Entry]:
        """The next entries of a run's journal behind an index."""
        while True:
            answer = await self._attempt(f"runs/{quote(run, safe='')}/journal?after={after}", None, MARGIN_SECONDS)
            if answer is not None:
                return read(answer, JournalPage).entries

    async def close(self) -> None:
        await self._http.aclose()

    async def _attempt(self, call: str, body: bytes | None, patience: float) -> bytes | None:
        """The answer, or None if there was none; without a body something is only asked for.

        There is a pause before None if all nodes have failed, or the one that was asked wants it. Raises ApiError, and
        ConfigurationError if something else than an engine answers.
        """
        address = self._preferred.current(self._settings.addresses)
        url = f"{address}/worker/v1/{call}"
        timeout = httpx.Timeout(patience, connect=5.0)
        try:
            method = "GET" if body is None else "POST"
            response = await self._http.request(method, url, content=body, headers=self._headers, timeout=timeout)
        except httpx.TransportError as error:
            await self._fail(address, reason(error), None)
            return None
        if response.is_success:
            content = content_of(response)
            self._found()
            return content
        refusal = api_error(response.status_code, response.content, origin(response.request))
        if not is_passing(response.status_code):
            raise refusal
        if leaves_node(response.status_code):
            await self._fail(address, str(refusal), retry_after(response))
        else:
            self._note_loss(address, str(refusal))
            await self._pause(retry_after(response))
        return None

    async def _fail(self, address: str, why: str, wait: float | None) -> None:
        """The next call goes to the next node, after a pause if each has had its turn."""
        self._note_loss(address, why)
        self._preferred.leave(address, self._settings.addresses)
        if self._failures % len(self._settings.addresses) == 0:
            await self._pause(wait)

    def _note_loss(self, address: str, why: str) -> None:
        self._failures += 1
        if self._failures == 1:
            self._lost_at = self._clock()
            log.warning("lost the engine at %s (%s), trying again until it answers", address, why)

    async def _pause(self, wait: float | None) -> None:
        rounds = -(-self._failures // len(self._settings.addresses))
        await self._sleep(backoff(rounds, self._chance()) if wait is None else wait)

    def _found(self) -> None:
        if self._failures:
            log.info("the engine answers again after %.1f s", self._clock() - self._lost_at)
        self._failures = 0


async def variables_at_once() -> dict[str, str]:
    """What is to be in the environment of tasks, if the settings are known yet and a node answers at once."""
    try:
        settings = current_settings()
    except ConfigurationError:
        return {}  # it is asked once more when the code of the tasks is known, which then says what is wrong
    headers = {"authorization": f"Bearer {settings.secret_key}"}
    async with connect() as http:
        for address in settings.addresses:
            try:
                answer = await http.get(f"{address}/worker/v1/variables", headers=headers, timeout=SOON_SECONDS)
            except httpx.TransportError:
                continue
            if answer.is_success:
                return read(content_of(answer), Variables).variables
    return {}


def _is_unknown_version(refusal: NotFoundError) -> bool:
    match refusal.body:
        case {"code": "unknown_version"}:
            return True
        case _:
            return False
