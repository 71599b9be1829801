"""What every node answers by itself: questions to the ledger and the read models."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msgspec import Raw

from adapters.secrets import Vault
from app.engine.triggered import value_of
from app.public_tokens import Keyring
from domain.environment import Environment
from domain.errors import Unavailable
from domain.events import BlobRef, Recorded
from domain.ports import Clock, CopyableLedger, Ids
from projections.ports import ReadModels

T = TypeVar("T")
READERS = 4


class Readiness(NamedTuple):
    """Whether a node does its work: `problems` says in sentences what keeps it from that."""

    role: str
    head: int
    read_models: int
    problems: list[str]


class Reader(ABC):
    """One node's view of one database."""

    def __init__(self, ledger: CopyableLedger, read_models: ReadModels, clock: Clock, ids: Ids, vault: Vault) -> None:
        self.ledger = ledger
        self.read_models = read_models
        self.clock = clock
        self.ids = ids
        self.vault = vault
        self.keyring = Keyring(vault)
        self.segments: Path | None = None
        """Where runs are that have left the database."""
        self.out_of_reach: Callable[[], str | None] = lambda: None
        """Why the database cannot be reached at present; None if it can, as far as somebody knows who asks it often."""
        self._readers = ThreadPoolExecutor(READERS, "reader")

    async def read(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call something that blocks on the database, in a reader's thread.

        Raises Unavailable at once while the database is out of reach: each call would wait for it anew, and for those
        before it.
        """
        self._check_reach()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._reach, function, *arguments)

    def _reach(self, function: Callable[..., T], *arguments: Any) -> T:
        # It may have gone out of reach while this waited for a thread.
        self._check_reach()
        return function(*arguments)

    def _check_reach(self) -> None:
        if why := self.out_of_reach():
            raise Unavailable(f"The database cannot be reached: {why}")

    async def value(self, inline: Raw, ref: BlobRef | None) -> Raw:
        """A value that stands in an event or beside the ledger. Raises LedgerCorrupt if it is gone or another."""
        return inline if ref is None else await self.read(value_of, self.ledger, inline, ref)

    async def history(self, stream: str) -> Sequence[Recorded]:
        """All events of an aggregate that are committed."""
        return (await self.read(self.ledger.read_streams, [stream])).get(stream, [])

    def stuck(self, event: str) -> str | None:  # noqa: ARG002 (only the writer delivers)
        """Why the event of this stream cannot be delivered at present, as far as this node tried."""
        return None

    @abstractmethod
    async def environment_of(self, sha256: str) -> Environment | None:
        """The environment that a key opens, by the key's hash."""

    @abstractmethod
    async def environment_with(self, name: str) -> Environment | None:
        """The environment with this id."""

    @abstractmethod
    async def head(self) -> int:
        """The position of the last committed event."""

    @abstractmethod
    async def followed(self, position: int, seconds: float) -> int:
        """Wait until the read models are at this position, at most so long; returns where they are then."""

    @abstractmethod
    async def readiness(self) -> Readiness:
        """How the node is."""
