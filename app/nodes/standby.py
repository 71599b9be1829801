"""A node that does not write: it reads the database, and waits for its turn."""

import asyncio

from adapters.secrets import Vault
from app.engine.environments import keys_ever_in
from app.engine.reader import Reader, Readiness
from app.nodes.tail import KnownTail
from app.nodes.tenure import Tenure
from domain import states
from domain.environment import Environment
from domain.errors import LedgerUnavailable, Unavailable
from domain.ports import Clock, CopyableLedger, Ids
from projections.ports import ReadModels

LOOK_SECONDS = 0.02
"""How often it looks whether the writer's follower has come as far as a reader waits for."""
TRUSTED_MS = 1_000
"""How long a key may go on opening an environment after it was revoked through the writer."""
TOO_EARLY = "This key is in the settings of this node, which has not written yet: ask again."


class Standby(Reader):
    """Knows only what is in the database, and asks it each time."""

    def __init__(
        self, ledger: CopyableLedger, read_models: ReadModels, clock: Clock, ids: Ids, tenure: Tenure, vault: Vault
    ) -> None:
        super().__init__(ledger, read_models, clock, ids, vault)
        self._tenure = tenure
        self.out_of_reach = lambda: tenure.out_of_reach
        self.tail = KnownTail(ledger, self.read)
        self._environments: dict[str, Environment] = {}
        """By their ids, and by the hashes of their keys."""
        self._ever: set[str] = set()
        """The hashes of all keys that ever opened one, those that were revoked too."""
        self._asked: int | None = None
        self.failure: str | None = None
        """Why this node will not be the writer again."""
        self.own_key: str | None = None
        """The hash of the key that opens an environment once this node has been the writer, or another one told so."""

    async def environment_of(self, sha256: str) -> Environment | None:
        """The environment that a key opens, by the key's hash. Raises Unavailable for a key that will soon open one."""
        if await self.is_too_early(sha256):
            raise Unavailable(TOO_EARLY)
        return await self._known(sha256)

    async def is_too_early(self, sha256: str) -> bool:
        """Whether this is the key in the settings of this node, and no node has written it down yet.

        A worker that is refused gives up, but this one is to come again. A key that was revoked is not waited for.
        """
        if sha256 != self.own_key:
            return False
        return await self._known(sha256) is None and sha256 not in self._ever

    async def environment_with(self, name: str) -> Environment | None:
        """The environment with this id."""
        return await self._known(name)

    async def _known(self, name: str) -> Environment | None:
        now = self.clock.now().mono
        if name not in self._environments or self._asked is None or now - self._asked > TRUSTED_MS:
            histories = await self.read(self.ledger.read_kind, "env")
            folded = [states.fold(history) for history in histories.values()]
            self._ever = keys_ever_in(histories.values())
            found = [each for each in folded if isinstance(each, Environment)]
            self._environments = {key: each for each in found for key in (each.id, *each.keys)}
            self._asked = now
        return self._environments.get(name)

    async def head(self) -> int:
        """The position of the last committed event."""
        head = await self.read(self.ledger.head)
        # Somebody is told of it: this node does not write over it later.
        self.tail.saw(head)
        return head.position

    async def followed(self, position: int, seconds: float) -> int:
        """Wait until the read models are at this position, at most so long; returns where they are then."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            at = (await self.read(self.read_models.position)).position
            if at >= position or asyncio.get_running_loop().time() >= deadline:
                return at
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def obstacle(self) -> str | None:
        """What keeps this node from sending anything on, if that will not end by itself."""
        if self.failure:
            return f"This node no longer takes part: {self.failure}"
        if address := self._tenure.taken_address:
            # It may be this node's own former life, which did not end in order: that ends with its lease.
            return (
                f"The node that writes gives {address} as its address, which is that of this node: set RUNFOLD_NODE_URL"
                " of each node to where the others reach it, unless this one was started again a moment ago."
            )
        return None

    async def readiness(self) -> Readiness:
        """How the node is: ready as long as it can read, and knows a writer to forward to."""
        problems = [self.obstacle] if self.obstacle else []
        head, at = 0, 0
        if self._tenure.out_of_reach:
            # Whoever asks whether a node is ready does not wait as long as a reader does for a connection.
            return Readiness(
                "standby", head, at, [*problems, f"The database cannot be reached: {self._tenure.out_of_reach}"]
            )
        problems += [] if self._tenure.writer else ["No node writes at present."]
        try:
            head, at = await self.head(), await self.followed(0, 0)
        except (LedgerUnavailable, Unavailable) as error:
            problems.append(f"The database cannot be read: {error}")
        return Readiness("standby", head, at, problems)

    def close(self) -> None:
        """Let go of the threads."""
        self._readers.shutdown()
