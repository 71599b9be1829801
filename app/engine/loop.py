"""The loop around the engine core: what arrives while a commit is in flight goes into the next one.

There is no tick: an idle engine pays one commit for a command, a busy one shares it among all that came meanwhile.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import structlog

from app.engine.commits import Commits
from app.engine.committer import Committer
from app.engine.feed import Feed
from app.engine.start import settle
from domain import states
from domain.commands import Command
from domain.draft import Answer, Draft, Ticket
from domain.engine import Engine
from domain.errors import LedgerUnavailable, RunfoldError, Unavailable
from domain.ports import Clock, Head, Ledger

log = structlog.get_logger(__name__)

CLAIM_AGAIN_MS_MAX = 2_000
GATHERING_TURNS = 3
"""So many turns of the event loop pass from an answer that is sent to the command that its client sends next."""


class EngineLoop:
    """Drives one engine. All methods belong to one event loop; the ledger is called in a thread of its own.

    `may_answer` says whether this node is sure to be the only one that writes: one that is not answers nothing.
    """

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        head: Head,
        clock: Clock,
        feed: Feed,
        may_answer: Callable[[], bool] = lambda: True,
    ) -> None:
        self.engine = engine
        self.feed = feed
        self.may_answer = may_answer
        self.commits = Commits()
        self._ledger = ledger
        self._head = head
        self._clock = clock
        self._committer = Committer()
        self._news = asyncio.Event()
        self._waiting: dict[Ticket, asyncio.Future[Answer]] = {}
        self._settled = asyncio.Condition()
        self.unjudged = asyncio.Event()
        """The engine wants payloads to be checked: see Engine.unjudged."""
        self.deliverable = asyncio.Event()
        """The time of named events has come: see Memory.deliveries."""
        self._stopping = False
        self._ended = False
        self._claim = f"claim:{secrets.token_hex(8)}"
        """How this writer knows its own claims again."""
        self.unavailable: str | None = None
        """Why nothing can be committed at present; None when all is well."""

    def ask(self, command: Command) -> "asyncio.Future[Answer]":
        """Submit a command; the future brings its answer, or raises what refused it. Raises Unavailable, Busy."""
        if self._stopping:
            raise Unavailable("The engine is stopping.")
        self._check_lead()
        if self.unavailable:
            raise Unavailable(f"The engine cannot write at present: {self.unavailable}")
        ticket = self.engine.submit(command)
        future = self._waiting[ticket] = asyncio.get_running_loop().create_future()
        # Nobody may be left to hear an error: a client that hung up is no reason to complain.
        future.add_done_callback(lambda answered: answered.cancelled() or answered.exception())
        self._news.set()
        return future

    async def submit(self, command: Command) -> Any:
        """Submit a command and wait until what it led to is committed. Raises Refused, Unavailable."""
        # A caller that goes away does not take its command back.
        return await asyncio.shield(self.ask(command))

    async def settled(self, stream: str) -> None:
        """Wait until no change to this aggregate is in flight. Raises Unavailable while its fate is unknown."""
        async with self._settled:
            await self._settled.wait_for(
                lambda: self._ended or self.unavailable is not None or not self.engine.in_flight(stream)
            )
        if self.unavailable and not self._ended and self.engine.in_flight(stream):
            raise Unavailable(f"It is not known yet what became of {stream}: {self.unavailable}")

    async def committed(self, environment: str | None = None) -> None:
        """Wait until no change to an environment (None: to any) is in flight.

        What memory tells of it is committed from then until the caller awaits something else. Raises Unavailable while
        the fate of the last changes is unknown, when the engine ended without knowing it, and when another node may
        know better by now.
        """
        self._check_lead()
        async with self._settled:
            await self._settled.wait_for(
                lambda: self._ended or self.unavailable is not None or not self.engine.is_committing(environment)
            )
        self._check_lead()
        if self.engine.is_committing(environment):
            raise Unavailable(f"It is not known yet what was committed last: {self.unavailable or 'the engine ended'}.")

    async def run(self) -> None:
        """Commit batch after batch until `stop`. Raises Deposed when another writer took over."""
        try:
            while not (self._stopping and self.engine.is_idle):
                await self._gather()
                await self._load()
                draft = self.engine.take_batch(self._clock.now())
                if self.engine.unjudged():
                    self.unjudged.set()
                if self.engine.memory.deliveries:
                    self.deliverable.set()
                if draft is None:
                    await self._rest()
                elif draft.records:
                    await self._commit(draft)
                else:
                    await self._tell(self.engine.landed())
        finally:
            self._stopping = self._ended = True
            gone = Unavailable("The engine has stopped.")
            await self._tell([(ticket, gone) for ticket in list(self._waiting)])
            self._committer.shutdown()

    def stop(self) -> None:
        """Take nothing new, commit what there is, and end."""
        self._stopping = True
        self._news.set()

    def _check_lead(self) -> None:
        if not self.may_answer():
            raise Unavailable("This node cannot tell at present whether another one writes.")

    async def _gather(self) -> None:
        """Let requests that are here already get as far as a command: they share the commit, which costs the most."""
        for _ in range(GATHERING_TURNS):
            await asyncio.sleep(0)

    async def _rest(self) -> None:
        wait = self.engine.wait_ms(self._clock.now())
        # It looks around now and then, so that it knows when it was deaf.
        idle = self.engine.deaf_ms // 5
        seconds = min(idle, idle if wait is None else wait) / 1_000
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    async def _load(self) -> None:
        self._news.clear()
        while missing := self.engine.missing():
            try:
                histories = await self._committer.do(self._ledger.read_streams, missing)
            except LedgerUnavailable as error:
                await self._recover(None, self._head, error)
                continue
            self.engine.provide({stream: states.fold(histories.get(stream, ())) for stream in missing})

    async def _commit(self, draft: Draft) -> None:
        try:
            after = await self._committer.do(self._append, draft)
        except LedgerUnavailable as error:
            await self._recover(draft, self._head, error)
            return
        await self._landed(draft, after)

    def _append(self, draft: Draft) -> Head:
        started = time.perf_counter()
        after = self._ledger.append(draft.records, draft.blobs, after=self._head)
        self.commits.seconds.add(time.perf_counter() - started)
        return after

    async def _landed(self, draft: Draft, after: Head) -> None:
        self._head = after
        answers = self.engine.landed()
        self.commits.events.add(len(draft.records))
        self.feed.publish(draft.records, after)
        await self._tell(answers)

    async def _recover(self, draft: Draft | None, before: Head, error: LedgerUnavailable) -> None:
        """Whether the batch landed is not known: claim the head, which settles it. Never repeat a batch blindly."""
        self.unavailable = str(error)
        log.error("cannot commit", error=self.unavailable, cause=str(error.__cause__))
        wait_ms = 50
        while True:
            try:
                records = draft.records if draft else ()
                now = self._clock.now().wall
                claimed, after = await self._committer.do(settle, self._ledger, records, before, now, self._claim)
                break
            except LedgerUnavailable as again:
                self.unavailable = str(again)
                # Nobody is kept waiting for a database that does not come back; asking again is safe.
                unknown = Unavailable(f"It is not known yet whether this was written: {again}")
                await self._tell([(ticket, unknown) for ticket in list(self._waiting)])
                if self._stopping:
                    raise
            await asyncio.sleep(wait_ms / 1_000)
            wait_ms = min(2 * wait_ms, CLAIM_AGAIN_MS_MAX)
        if draft is not None and claimed is None:
            self.unavailable = None
            await self._landed(draft, after)
            return
        assert claimed is not None
        if draft is not None:
            refused = Unavailable("The database did not take the command; nothing was written. Ask again.")
            await self._tell(self.engine.failed(refused, self._clock.now()))
        self._head = after
        self.engine.note(claimed)
        self.feed.publish([claimed], after)
        self.unavailable = None
        log.warning("writing again", head=after.position)

    async def _tell(self, answers: list[tuple[Ticket, Answer]]) -> None:
        # What was decided may be outdated: a node that was paused for longer than its lease has a successor.
        doubt = None if self.may_answer() else Unavailable("Another node may have taken over meanwhile: ask again.")
        for ticket, decided in answers:
            future = self._waiting.pop(ticket, None)
            if future is None or future.done():
                continue
            answer = doubt or decided
            if isinstance(answer, RunfoldError):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        async with self._settled:
            self._settled.notify_all()
