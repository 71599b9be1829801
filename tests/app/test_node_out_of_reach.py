"""While a node does not reach the database, reads are refused at once, and they wait for nobody before them."""

import asyncio
import threading
from collections.abc import Collection
from contextlib import AsyncExitStack

import pytest

from adapters.postgres.ledger import PostgresLedger
from app.engine.reader import READERS
from domain.errors import LedgerUnavailable
from domain.events import Recorded
from tests.app.harness import sentence_of
from tests.app.nodes import RunningNode, nobody_gets_the_lease, running_node
from tests.postgres import database_url

ANSWER_MS = 500
"""For so long the database may be silent to whoever asks for a lease of that time."""


class SilentLedger(PostgresLedger):
    """While it is told so, it does not answer who asks for a run, as long as the test may wait."""

    def __init__(self, schema: str) -> None:
        super().__init__(database_url(), schema)
        self.answers, self.asked = threading.Event(), 0
        self.answers.set()

    def read_streams(self, streams: Collection[str], *, upto: int | None = None) -> dict[str, list[Recorded]]:
        if not self.answers.is_set():
            self.asked += 1
            assert self.answers.wait(30), "a test that makes it silent lets it answer"
            raise LedgerUnavailable("The ledger cannot be read: the connection broke.")
        return super().read_streams(streams, upto=upto)


def reach(node: RunningNode) -> str | None:
    return node.node.reader.out_of_reach()


@pytest.mark.parametrize("role", ["writer", "standby"])
async def test_who_asks_then_is_refused_at_once_and_answered_as_soon_as_it_is_back(schema: str, role: str) -> None:
    ledger = SilentLedger(schema)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_node(schema, "a")) if role == "standby" else None
        node = await stack.enter_async_context(running_node(schema, "b", ledger=ledger, writer_lease_ms=ANSWER_MS))
        if first:
            await node.until_standby_of(first.address)
        path = f"/api/v3/runs/{await node.trigger()}"
        assert (await node.client.get(path)).status_code == 200
        with nobody_gets_the_lease(schema):
            ledger.answers.clear()
            waiting = [asyncio.create_task(node.client.get(path)) for _ in range(3 * READERS)]
            await node.until(lambda: ledger.asked == READERS and reach(node) is not None)

            later = await node.client.get(path)
            ledger.answers.set()
            answers = await asyncio.gather(*waiting)
        await node.until(lambda: reach(node) is None)
        back = await node.client.get(path)

        assert later.status_code == 503
        assert sentence_of(later).startswith("The database cannot be reached: The lease cannot be asked for: ")
        assert [each.status_code for each in answers] == 3 * READERS * [503]
        assert ledger.asked == READERS, "those behind were refused before they asked as well"
        assert back.status_code == 200
