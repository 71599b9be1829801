"""A running engine: the ledger, the loop around the core, the follower and what the web API asks of them."""

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from adapters.secrets import Vault
from app.bulk import BulkActions
from app.engine.checking import Checks
from app.engine.delivering import Deliveries
from app.engine.environments import KEY_ID_LENGTH, created, digest_of, keys_in, named_by, revocation_of
from app.engine.feed import Feed
from app.engine.follower import Follower, Following
from app.engine.follower_process import FollowerProcess
from app.engine.loop import EngineLoop
from app.engine.reader import Reader, Readiness
from app.engine.rebuild import rebuild
from app.engine.start import start_engine
from app.engine.triggered import TriggeredCache
from app.engine.watching import Watching
from app.engine.zones import reckon_again
from app.history.comparer import Comparer
from app.history.verifier import Verifier
from app.keeping.erasing import Erasures
from app.keeping.retaining import Retention
from app.keeping.sinks import Sinks
from domain import commands
from domain.durations import iso
from domain.environment import Environment
from domain.errors import Deposed
from domain.events import Recorded
from domain.ports import Clock, CopyableLedger, Head, Ids, Ledger
from domain.states import State
from projections.ports import ReadModels

log = structlog.get_logger(__name__)

LAG_MAX = 50_000
ENGINE = "engine"
"""The actor of what the engine does by itself."""


class Executing(Protocol):
    """An executor of this process."""

    async def run(self) -> None:
        """Execute what there is until cancelled."""
        ...

    async def stop(self) -> None:
        """Take nothing new, and give back what does not end soon."""
        ...


class Service(Reader):
    """One engine, the writer of one database. Made by `start_service`."""

    def __init__(
        self,
        ledger: CopyableLedger,
        read_models: ReadModels,
        loop: EngineLoop,
        follower: Following,
        clock: Clock,
        ids: Ids,
        lease_ms: int,
        vault: Vault,
        chance: random.Random,
    ) -> None:
        super().__init__(ledger, read_models, clock, ids, vault)
        self.loop = loop
        self.lease_ms = lease_ms
        self.follower = follower
        self.triggered = TriggeredCache()
        self.checks = Checks(loop, ledger, clock)
        self.deliveries = Deliveries(loop, ledger, clock)
        self.bulk_actions = BulkActions(self, loop)
        self.erasures = Erasures(self, ledger, loop, follower, self.triggered)
        self.retention = Retention(self, ledger, loop.engine.memory, self.erasures)
        self.sinks = Sinks(self, loop, chance)
        self.watching = Watching(ledger, loop.feed, loop.engine.memory.run)
        self.verifier = Verifier(self, ledger, loop.feed)
        self.comparer = Comparer(self, ledger, self.verifier)
        self._tasks: list[asyncio.Task[None]] = []
        self.executor: Executing | None = None
        """What executes the tasks that the engine brings along, if anything does."""
        self.failure: Exception | None = None
        """Why the engine ended by itself."""

    async def start(self) -> None:
        """Begin to commit and to follow."""
        self.loop.feed.listen(self.triggered.note)
        self.loop.feed.listen(self.watching.note)
        self._tasks = [asyncio.create_task(self._drive(), name="engine")]
        self._tasks.append(asyncio.create_task(self.follower.run(), name="follower"))
        self._tasks.append(asyncio.create_task(self.checks.run(), name="payload checks"))
        self._tasks.append(asyncio.create_task(self.deliveries.run(), name="deliveries of events"))
        self._tasks.append(asyncio.create_task(self.bulk_actions.run(), name="bulk actions"))
        self._tasks.append(asyncio.create_task(self.erasures.run(), name="erasures"))
        self._tasks.append(asyncio.create_task(self.watching.run(), name="watching"))
        self.zones = asyncio.create_task(reckon_again(self.loop, self.clock), name="zones")
        self._tasks.append(self.zones)

    def execute(self, executor: Executing) -> None:
        """Let the tasks that the engine brings along be executed in this process, until the engine ends."""
        self.executor = executor
        self._tasks.append(asyncio.create_task(executor.run(), name="executor"))

    def stream_to_sinks(self) -> None:
        """Tell the sinks what happens, by the ways that `sinks` was given before, until the engine ends."""
        self._tasks.append(asyncio.create_task(self.sinks.run(), name="sinks"))

    def verify(self, per_second: int) -> None:
        """Look through the ledger all the time, so many events a second, until the engine ends."""
        self._tasks.append(asyncio.create_task(self.verifier.run(per_second), name="verifier"))

    def retain(self, folder: Path) -> None:
        """Let runs that are old enough leave the database for segments in this folder, until the engine ends."""
        self.segments = self.retention.folder = self.erasures.segments = folder
        self._tasks.append(asyncio.create_task(self.retention.run(), name="retention"))

    def compare(self, per_second: int, *, repairs: bool) -> None:
        """Compare the read models with the ledger all the time, at so many events and rows a second."""
        self.comparer.repairs = repairs
        self._tasks.append(asyncio.create_task(self.comparer.run(per_second), name="comparer"))

    async def end_engine(self) -> None:
        """Take nothing new, commit what was accepted, and answer whoever still waits."""
        if self.executor:
            await self.executor.stop()
        self.loop.stop()
        self.watching.close()
        await self._tasks[0]

    async def stop(self) -> None:
        """End the engine, and bring the read models up to it."""
        await self.end_engine()
        if self.follower.stopped is None and self.failure is None:
            await self.follower.reached(self.loop.feed.head.position, seconds=5)
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks[1:], return_exceptions=True)
        self._readers.shutdown()

    async def ended(self) -> None:
        """Wait until the engine has ended, by itself or because it was told to."""
        await asyncio.shield(self._tasks[0])

    async def history(self, stream: str) -> Sequence[Recorded]:
        """All events of an aggregate, those in flight included once they are committed."""
        await self.loop.settled(stream)
        return await super().history(stream)

    def stuck(self, event: str) -> str | None:
        """Why the event of this stream cannot be delivered at present; None if nothing is in its way."""
        found = self.deliveries.stuck.get(event)
        return None if found is None else found.why

    async def environment_of(self, sha256: str) -> Environment | None:
        """The environment that a key opens, by the key's hash."""
        return next((each for each in self.loop.engine.memory.environments() if sha256 in each.keys), None)

    async def environment_with(self, name: str) -> Environment | None:
        """The environment with this id."""
        return self.environment_now(name)

    def environment_now(self, name: str) -> Environment | None:
        """The same at once, for who looks often."""
        return self.loop.engine.memory.environment(name)

    async def head(self) -> int:
        """The position of the last committed event."""
        if self.loop.may_answer():
            return self.loop.feed.head.position
        # Another node may be writing by now.
        return (await self.read(self.ledger.head)).position

    async def followed(self, position: int, seconds: float) -> int:
        """Wait until the read models are at this position, at most so long; returns where they are then."""
        await self.follower.reached(position, seconds)
        return self.follower.position

    async def readiness(self) -> Readiness:
        """How the node is: ready when commands are committed and the read models follow."""
        head, position = self.loop.feed.head.position, self.follower.position
        problems = [
            self.failure and f"The engine ended: {type(self.failure).__name__}: {self.failure}",
            self.loop.unavailable and f"The ledger cannot be written: {self.loop.unavailable}",
            None if self.loop.may_answer() else "The lease could not be renewed in time.",
            self.follower.stopped and f"The read models do not follow: {self.follower.stopped}",
            self.bulk_actions.failure and f"Bulk actions are not carried on: {self.bulk_actions.failure}",
            self.verifier.fault and f"The ledger is damaged: {self.verifier.fault}",
            self.comparer.fault and f"The read models are not what the ledger makes of them: {self.comparer.fault}",
            f"The read models are {head - position} events behind." if head - position > LAG_MAX else None,
        ]
        return Readiness("writer", head, position, [problem for problem in problems if problem])

    def environments(self) -> list[Environment]:
        """All environments as they are."""
        return list(self.loop.engine.memory.environments())

    @property
    def needs_key(self) -> bool:
        """Whether no key opens any environment yet."""
        return not any(each.keys for each in self.environments())

    async def ensure_environment(self, secret_key: str | None) -> None:
        """See to it that `secret_key` opens an environment, or without one that there is one for development.

        A key that somebody revoked is not given again: it opens nothing, and the log says so.
        """
        slug, kind = named_by(secret_key)
        opened = await self.environment_of(digest_of(secret_key)) if secret_key else None
        if secret_key and opened is None and await self._was_revoked(digest_of(secret_key)):
            return
        found = opened or next((each for each in self.environments() if each.slug == slug or secret_key is None), None)
        now = self.clock.now().wall
        environment = found.id if found else self.ids.new("env", now)
        key = created(secret_key, environment, self.vault) if secret_key else None
        origin: dict[str, Any] = {"environment": environment, "actor": ENGINE, "cause": "start", "at": now}
        if found is None:
            await self.loop.submit(commands.CreateEnvironment(slug=slug, type=kind, first_key=key, **origin))
        elif key:
            await self.loop.submit(commands.AddKey(sha256=key.sha256, hint=key.hint, sealed=key.sealed, **origin))
            # The setting says which key it opens the environment with: one that it named before no longer does.
            # Those that were made through the API stay.
            for other in keys_in(await self.history(environment)):
                if other.actor == ENGINE and other.sha256 != key.sha256:
                    await self.loop.submit(commands.RevokeKey(sha256=other.sha256, **origin))

    async def _was_revoked(self, sha256: str) -> bool:
        """Whether somebody took this key back, and not the engine, which does it when the settings name another one."""
        histories = await self.read(self.ledger.read_kind, "env")
        revoked = revocation_of(sha256, histories.values())
        if revoked is None or revoked.actor == ENGINE:
            return False
        log.warning(
            "the key in RUNFOLD_SECRET_KEY was revoked and opens nothing: set another one, the admin key can make it",
            key=sha256[:KEY_ID_LENGTH],
            revoked_by=revoked.actor,
            revoked_at=iso(revoked.occurred_at),
        )
        return True

    async def _drive(self) -> None:
        try:
            await self.loop.run()
        except Deposed as error:
            # So a writer that was paused finds out that another one took over, which is no mistake of its own.
            self.failure = error
            log.warning("the engine ended, as the ledger is not as it left it", error=str(error))
        except Exception as error:
            self.failure = error
            log.exception("the engine ended")


def start_service(
    ledger: CopyableLedger,
    read_models: ReadModels,
    clock: Clock,
    ids: Ids,
    *,
    lease_ms: int,
    chance: random.Random,
    may_answer: Callable[[], bool] = lambda: True,
    follows_apart: bool = False,
    vault: Vault | None = None,
) -> Service:
    """Put a service together: checkpoint and tail, or a rebuild where the checkpoint is not of this ledger.

    `lease_ms` is that of workers, `follows_apart` says whether the follower is a process of its own; without a
    `vault` nothing can be encrypted. The ledger and the read models stay open when the service stops.
    """
    engine, head = start_engine(
        ledger, checkpoint_of(ledger, read_models), clock, lease_ms=lease_ms, chance=chance.random
    )
    loop = EngineLoop(engine, ledger, head, clock, Feed(head), may_answer)
    follower = FollowerProcess(read_models, loop.feed) if follows_apart else Follower(read_models, ledger, loop.feed)
    return Service(ledger, read_models, loop, follower, clock, ids, lease_ms, vault or Vault([], os.urandom), chance)


def checkpoint_of(ledger: Ledger, read_models: ReadModels) -> tuple[list[State], Head]:
    """The checkpoint; made anew when it is missing, of another ledger, ahead of this one or of another shape."""
    kept, at, shape_ok = read_models.checkpoint()
    if not shape_ok or ledger.digest_at(at.position) != at.digest:
        log.warning("rebuilding the read models", position=at.position)
        rebuild(ledger, read_models)
        kept, at, _ = read_models.checkpoint()
    return list(kept), at
