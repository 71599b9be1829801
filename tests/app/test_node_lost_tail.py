"""A ledger that lost its tail, as when a backup was put back: whoever saw the tail never writes over the gap."""

import re
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from psycopg import sql

from adapters.postgres.ledger import PostgresLedger
from domain.errors import LedgerUnavailable
from domain.ports import Head
from tests.app.harness import sentence_of
from tests.app.nodes import TRIGGER, RunningNode, lose_tail, running_node
from tests.postgres import database_url

APPEND_ONE_MORE = """
insert into {}
select notification_id + 1, 'nobody', 1, topic, state, sha256(digest) from {} order by notification_id desc limit 1
"""
READY = ("role", "head", "readModels")


@pytest.fixture
def ledger(schema: str) -> Iterator[PostgresLedger]:
    """As others see it."""
    ledger = PostgresLedger(database_url(), schema)
    yield ledger
    ledger.close()


class DeafLedger(PostgresLedger):
    """Says nothing of the past, or of the present, while it is told so."""

    is_deaf = is_blind = False

    def head(self) -> Head:
        if self.is_blind:
            raise LedgerUnavailable("The ledger cannot be read: the connection broke.")
        return super().head()

    def digest_at(self, position: int) -> bytes | None:
        if self.is_deaf:
            raise LedgerUnavailable("The ledger cannot be read: the connection broke.")
        return super().digest_at(position)


async def fill(node: RunningNode) -> list[str]:
    """Some runs; one has a payload beside the ledger."""
    large = await node.client.post(TRIGGER, json={"payload": "x" * 40_000})
    return [large.json()["id"], *[await node.trigger() for _ in range(3)]]


async def says_so(node: RunningNode, position: int) -> str:
    """What a node says that no longer takes part, and must not be asked twice to say."""
    await node.until(lambda: node.node.standby.failure is not None)
    ready = await node.client.get("/readyz")
    assert ready.status_code == 503
    sentence = sentence_of(ready, *READY)
    said = re.match(
        r"This node no longer takes part: LedgerCorrupt: The ledger lost its tail:"
        r" event (\d+) was committed here, and is no longer as it was\.",
        sentence,
    )
    assert said, sentence
    # The tail may go while a node looks at what it saw, the last of it first: then it names the one before.
    assert int(said[1]) <= position
    return sentence


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.headers.get("retry-after")) == (503, "1")


async def test_the_running_writer_refuses_and_writes_nothing(schema: str, ledger: PostgresLedger) -> None:
    async with running_node(schema, "a") as node:
        kept = await node.trigger()
        cut = ledger.head()
        lost = await fill(node)
        tail = ledger.head().position
        lose_tail(schema, cut.position)

        answers = [await node.client.post(TRIGGER, json={}) for _ in range(3)]
        await says_so(node, tail)
        answers.append(await node.client.post(TRIGGER, json={}))
        told = sentence_of(answers[-1])
        read = [(await node.client.get(f"/api/v3/runs/{run}")).status_code for run in (kept, *lost)]

        assert [answer for answer in answers if not refused(answer)] == []
        assert ledger.head() == cut
        assert read == [200, 404, 404, 404, 404], "it shows what there is"
        assert told.startswith("This node no longer takes part: LedgerCorrupt: The ledger lost its tail: ")
        assert told.endswith("Restore the database and start this node again, or start it to go on from what there is.")


async def test_started_again_it_goes_on_from_what_there_is(schema: str, ledger: PostgresLedger) -> None:
    async with running_node(schema, "a") as node:
        kept = await node.trigger()
        cut = ledger.head()
        await fill(node)
        tail = ledger.head().position
        lose_tail(schema, cut.position)
        await node.client.post(TRIGGER, json={})
        await says_so(node, tail)

    async with running_node(schema, "a again") as node:
        await node.until_writer()
        after = await node.trigger()
        listed = (await node.client.get("/api/v1/runs")).json()["data"]

        assert {each["id"] for each in listed} == {after, kept}
        assert list(ledger.verify()) == []


async def saw(node: RunningNode, ledger: PostgresLedger) -> int:
    """The end of the ledger, which a standby has noted as soon as it has told somebody of it."""
    position = ledger.head().position
    assert (await node.ready())[1]["head"] == position
    return position


async def test_a_standby_that_saw_the_tail_does_not_write_over_it(schema: str, ledger: PostgresLedger) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        await second.until_standby_of(first.address)
        cut = ledger.head()
        kept = await first.trigger()
        await fill(first)
        tail = await saw(second, ledger)
        lose_tail(schema, cut.position)

        await first.client.post(TRIGGER, json={})
        for node in (first, second):
            await says_so(node, tail)

        assert refused(await first.client.post(TRIGGER, json={}))
        assert refused(await second.client.post(TRIGGER, json={}))
        assert (await second.client.get(f"/api/v3/runs/{kept}")).status_code == 404
        assert ledger.head() == cut


async def test_a_standby_notices_it_before_the_writer_is_gone(schema: str, ledger: PostgresLedger) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        await second.until_standby_of(first.address)
        cut = ledger.head()
        await fill(first)
        tail = await saw(second, ledger)
        lose_tail(schema, cut.position)

        await says_so(second, tail)


async def test_a_standby_that_never_saw_the_tail_takes_over(schema: str, ledger: PostgresLedger) -> None:
    """It cannot know: that is as if it was started after the backup was put back."""
    deaf = DeafLedger(database_url(), schema)
    async with running_node(schema, "a") as first, running_node(schema, "b", ledger=deaf) as second:
        await second.until_standby_of(first.address)
        cut = ledger.head()
        deaf.is_blind = True
        await fill(first)
        tail = ledger.head().position
        lose_tail(schema, cut.position)
        deaf.is_blind = False
        await first.client.post(TRIGGER, json={})

        await says_so(first, tail)
        await second.until_writer()
        run = await second.trigger()

        assert refused(await first.client.post(TRIGGER, json={})), "it takes no part in sending on either"
        assert (await first.client.get(f"/api/v3/runs/{run}")).status_code == 200
        assert list(ledger.verify()) == []


async def test_what_was_never_committed_was_seen_by_nobody(schema: str, ledger: PostgresLedger) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        await second.until_standby_of(first.address)
        with psycopg.connect(database_url()) as connection:
            # As when the connection of the writer breaks before the end of its transaction.
            events = sql.Identifier(schema, "events")
            connection.execute(sql.SQL(APPEND_ONE_MORE).format(events, events))
            await saw(second, ledger)
            connection.rollback()
        first.hand_lease_over(to=second)

        await second.until_writer()
        await second.trigger()


async def test_a_standby_that_once_wrote_what_is_lost_does_not_write_over_it(
    schema: str, ledger: PostgresLedger
) -> None:
    async with running_node(schema, "a") as first:
        cut = ledger.head()
        await fill(first)
        async with running_node(schema, "b") as second:
            first.hand_lease_over(to=second)
            await second.until_writer()
            await first.until_standby_of(second.address)
            tail = await saw(first, ledger)
            lose_tail(schema, cut.position)

            await second.client.post(TRIGGER, json={})
            await second.until(lambda: second.node.standby.failure is not None)
            await says_so(first, tail)

        assert ledger.head() == cut


async def test_a_database_that_does_not_say_at_first_is_asked_again(schema: str, ledger: PostgresLedger) -> None:
    deaf = DeafLedger(database_url(), schema)
    async with running_node(schema, "a", ledger=deaf) as node:
        cut = ledger.head()
        await fill(node)
        tail = ledger.head().position
        deaf.is_deaf = True
        lose_tail(schema, cut.position)

        assert refused(await node.client.post(TRIGGER, json={}))
        await node.until(lambda: node.node.service is None)
        assert refused(await node.client.post(TRIGGER, json={}))
        deaf.is_deaf = False

        await says_so(node, tail)
        assert ledger.head() == cut
