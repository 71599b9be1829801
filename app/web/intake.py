"""The items of one stream on their way into the engine: many at a time, while further ones are read."""

import asyncio
from typing import Any

from app.newruns.judging import judged
from app.service import Service
from app.web.caller import Caller
from app.web.items import Item
from domain.commands import AddItems, TakenItems
from domain.errors import InvalidInput
from domain.events import ItemError
from domain.lifecycle import NewRun

ITEMS_MAX = 1_000
COMMAND_ITEMS_MAX = 200
COMMAND_MAX_BYTES = 4_000_000


class Intake:
    """Hands items over in commands, of which one is under way at a time: what comes meanwhile goes into the next."""

    def __init__(self, batch: str, service: Service, caller: Caller) -> None:
        self._batch = batch
        self._service = service
        self._caller = caller
        self._items: list[Item] = []
        self._size = 0
        self._asked: asyncio.Future[Any] | None = None
        self.taken = TakenItems(0, 0, 0, sealed=False)
        """What became of the items that are handed over."""
        self.read = 0

    async def begin(self) -> TakenItems:
        """How the batch is. Raises NotFound, and InvalidInput when it takes no items any more."""
        self._ask()
        await self._settle()
        return self.taken

    def add(self, item: Item) -> None:
        """Put an item into the next command. Raises InvalidInput for one that the batch does not have."""
        self.read += 1
        if self.read > ITEMS_MAX:
            raise InvalidInput(f"A stream has at most {ITEMS_MAX} items.")
        if item.place >= self.taken.expected:
            last = self.taken.expected - 1
            raise InvalidInput(f"The items of batch {self._batch} have the indexes 0 to {last}, not {item.place}.")
        self._items.append(item)
        self._size += 200 + sum(map(len, item.blobs.values()))

    async def push(self) -> None:
        """Hand over what there is, unless a command is under way and there is room for more in the next."""
        is_full = len(self._items) >= COMMAND_ITEMS_MAX or self._size >= COMMAND_MAX_BYTES
        if is_full or (self._asked is not None and self._asked.done()):
            await self._settle()
        if self._items and self._asked is None:
            self._ask()

    async def finish(self) -> None:
        """Hand over the rest, and wait for all."""
        await self._settle()
        if self._items:
            self._ask()
            await self._settle()

    def _ask(self) -> None:
        items: dict[int, Item] = {}
        for item in self._items:
            items.setdefault(item.place, item)
        self._items, self._size = [], 0
        runs = [(item.place, item.asked, item.blobs) for item in items.values() if isinstance(item.asked, NewRun)]
        caller = self._caller
        self._asked = self._service.loop.ask(
            AddItems(
                environment=caller.environment.id,
                actor=caller.actor,
                cause=caller.cause,
                at=self._service.clock.now().wall,
                batch=self._batch,
                runs=[judged(new, caller.environment, blobs) for _, new, blobs in runs],
                indexes=tuple(index for index, _, _ in runs),
                errors=tuple(item.asked for item in items.values() if isinstance(item.asked, ItemError)),
                blobs={key: value for _, _, blobs in runs for key, value in blobs.items()},
            )
        )

    async def _settle(self) -> None:
        if self._asked is None:
            return
        asked, self._asked = self._asked, None
        # A caller that goes away does not take its command back.
        answer: TakenItems = await asyncio.shield(asked)
        accepted = self.taken.accepted + answer.accepted
        self.taken = TakenItems(accepted, answer.known, answer.expected, answer.sealed)
