"""A node and its lease: what it answers while it is not sure to be the only writer, and what becomes of it then."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from adapters.postgres.ledger import PostgresLedger
from domain.events import Recorded, RunTriggered
from domain.ports import Head
from tests.app.harness import sentence_of
from tests.app.nodes import (
    LOOKS_PER_LEASE,
    SOON_SECONDS,
    TRIGGER,
    WRITER_LEASE_MS,
    RunningNode,
    give_lease,
    nobody_gets_the_lease,
    running_node,
)
from tests.postgres import database_url

READY = ("role", "head", "readModels")
UNSURE = "This node cannot tell at present whether another one writes."


class SlowLedger(PostgresLedger):
    """An append waits when it is told to."""

    def __init__(self, schema: str) -> None:
        super().__init__(database_url(), schema)
        self.may_append, self.appending = threading.Event(), threading.Event()
        self.may_append.set()

    def append(self, batch: Sequence[Recorded], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        self.appending.set()
        assert self.may_append.wait(30), "a test that holds appends back lets them go"
        return super().append(batch, blobs, after=after)


def turn(version: str, session: str = "worker_1", **fields: Any) -> dict[str, Any]:
    return {"session": session, "version": version, "sequence": 1, "received": 0, "want": 1} | fields


async def register(node: RunningNode) -> str:
    answer = await node.client.post("/worker/v1/register", json={"tasks": [{"id": "greet"}]})
    return str(answer.json()["version"])


def unavailable(answer: httpx.Response, *more: str) -> str:
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
    return sentence_of(answer, *more)


async def test_the_first_one_writes_and_the_others_stand_by(schema: str) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        await second.until_standby_of(first.address)

        assert [status for status, _ in (await first.ready(), await second.ready())] == [200, 200]
        assert [body["role"] for _, body in (await first.ready(), await second.ready())] == ["writer", "standby"]


async def test_simultaneous_triggers_of_one_key_on_two_nodes_make_one_run(schema: str) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        await second.until_standby_of(first.address)
        body = {"options": {"idempotencyKey": "once"}}

        answers = await asyncio.gather(
            *(node.client.post(TRIGGER, json=body) for node in (first, second) for _ in range(10))
        )

        told = [answer.json() for answer in answers]
        assert [answer.status_code for answer in answers] == 20 * [200]
        assert len({each["id"] for each in told}) == 1
        assert [each["isCached"] for each in told].count(False) == 1


async def test_a_standby_asks_the_writer_what_runs_and_waits(schema: str) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        await second.until_standby_of(first.address)
        await first.client.post("/worker/v1/register", json={"tasks": [{"id": "a/b"}]})
        await first.client.post("/api/v1/tasks/a%2Fb/trigger", json={})

        listed = await second.client.get("/api/v1/queues")
        found = await second.client.get("/api/v1/queues/a%252Fb?type=task")

        assert [each["queued"] for each in listed.json()["data"]] == [1]
        assert (found.status_code, found.json()) == (200, listed.json()["data"][0])


async def test_a_node_with_the_address_of_the_writer_says_so_instead_of_sending_on_to_itself(schema: str) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        give_lease(schema, "another", second.address)
        await second.until_standby_of(second.address)
        await first.until_standby_of(second.address)

        command = await second.client.post(TRIGGER, json={})
        sent_on = await first.client.post(TRIGGER, json={})
        ready = await second.client.get("/readyz")
        read = await second.client.get("/api/v1/runs")

        expected = (
            f"The node that writes gives {second.address} as its address, which is that of this node:"
            " set RUNFOLD_NODE_URL of each node to where the others reach it,"
            " unless this one was started again a moment ago."
        )
        assert [unavailable(command), unavailable(sent_on), unavailable(ready, *READY)] == [expected] * 3
        assert read.status_code == 200
        give_lease(schema, "another", "http://127.0.0.1:1")
        await second.until_standby_of("http://127.0.0.1:1")
        assert (await second.ready())[0] == 200


async def test_past_its_deadline_a_writer_answers_nothing_that_only_the_writer_knows(schema: str) -> None:
    async with running_node(schema, "a") as node:
        version, run = await register(node), await node.trigger()
        with nobody_gets_the_lease(schema):
            head = node.node.standby.ledger.head()
            node.clock.mono += WRITER_LEASE_MS

            command = await node.client.post(TRIGGER, json={})
            refusal = await node.client.post("/api/v2/runs/run_unknown/cancel")
            heartbeat = await node.client.post("/worker/v1/turn", json=turn(version, holds=[], want=0))
            queues = await node.client.get("/api/v1/queues")
            limit = await node.client.get("/api/v1/concurrency")
            ready = await node.client.get("/readyz")
            read = await node.client.get(f"/api/v3/runs/{run}")

            asked = [unavailable(each) for each in (command, refusal, heartbeat, queues, limit)]
            assert asked == [UNSURE] * 5
            assert unavailable(ready, *READY) == "The lease could not be renewed in time."
            assert (read.status_code, read.json()["status"]) == (200, "QUEUED")
            assert node.node.standby.ledger.head() == head


async def test_it_answers_again_when_it_could_renew_the_lease(schema: str) -> None:
    async with running_node(schema, "a") as node:
        service = node.node.service
        with nobody_gets_the_lease(schema):
            node.clock.mono += WRITER_LEASE_MS
            assert service is not None
            assert not service.loop.may_answer()
        await node.until(service.loop.may_answer)

        await node.trigger()
        refusal = await node.client.post("/api/v2/runs/run_unknown/cancel")

        assert refusal.status_code == 404
        assert (await node.ready())[0] == 200
        assert node.node.service is service, "nobody else wrote, so there was nothing to read again"


async def test_what_was_committed_while_the_deadline_passed_is_answered_when_it_is_asked_again(schema: str) -> None:
    ledger = SlowLedger(schema)
    async with running_node(schema, "a", ledger=ledger) as node:
        with nobody_gets_the_lease(schema):
            ledger.may_append.clear()
            ledger.appending.clear()
            headers = {"x-trigger-request-idempotency-key": "once"}
            asking = asyncio.create_task(node.client.post(TRIGGER, json={}, headers=headers))
            await asyncio.to_thread(ledger.appending.wait, 10)
            node.clock.mono += WRITER_LEASE_MS
            ledger.may_append.set()
            answer = await asking
        assert node.node.service is not None
        await node.until(node.node.service.loop.may_answer)

        run = await node.trigger(**headers)

        assert unavailable(answer) == "Another node may have taken over meanwhile: ask again."
        triggered = [each.stream for each in ledger.read_after(0, limit=100) if isinstance(each.event, RunTriggered)]
        assert triggered == [run]


async def test_a_writer_that_was_replaced_becomes_a_standby_and_sends_on(schema: str) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        version, before = await register(first), await first.trigger()
        waiting = asyncio.create_task(first.client.post("/worker/v1/turn", json=turn(version, waitMs=20_000, want=0)))

        first.hand_lease_over(to=second)
        await second.until_writer()
        await first.until_standby_of(second.address)
        after = await first.trigger()

        assert unavailable(await waiting) == "The engine has stopped."
        assert [body["role"] for _, body in (await first.ready(), await second.ready())] == ["standby", "writer"]
        for node in (first, second):
            listed = (await node.client.get("/api/v1/runs")).json()["data"]
            assert {each["id"] for each in listed} == {after, before}


async def test_a_node_that_leaves_gives_its_lease_up_and_the_next_one_hears_of_it_at_once(schema: str) -> None:
    # Neither the end of this lease nor the next look at it comes within the time that the test has.
    lasting = LOOKS_PER_LEASE * 2 * SOON_SECONDS * 1_000
    async with (
        running_node(schema, "a", writer_lease_ms=lasting) as first,
        running_node(schema, "b", writer_lease_ms=lasting) as second,
    ):
        run = await first.trigger()
        await first.node.hand_over()
        await second.until_writer()

        assert (await second.client.post(f"/api/v2/runs/{run}/cancel")).status_code == 200


async def test_a_standby_whose_turn_it_is_knows_what_the_other_one_wrote(schema: str) -> None:
    async with running_node(schema, "a") as first, running_node(schema, "b") as second:
        first.hand_lease_over(to=second)
        await second.until_writer()
        await first.until_standby_of(second.address)
        run = await second.trigger()

        second.hand_lease_over(to=first)
        await first.until_writer()

        assert (await first.client.post(f"/api/v2/runs/{run}/cancel")).status_code == 200


async def test_a_lease_that_is_free_again_was_lost_all_the_same(schema: str) -> None:
    async with running_node(schema, "a") as node:
        before = node.node.service
        ledger = PostgresLedger(database_url(), schema)
        environment = next(iter(ledger.read_kind("env")))
        head = ledger.head()
        triggered = RunTriggered("greet", "task/greet")
        # Another node took the lease, accepted a run, and was killed; its lease is over when this one asks for its own.
        run = "run_0000019b0000700080000000000000aa"
        ledger.append(
            [Recorded(head.position + 1, run, 1, environment, 0, 0, "k", "POST /", triggered)], {}, after=head
        )
        give_lease(schema, "x", "http://127.0.0.1:1", ms=-1)

        await node.until(lambda: node.node.service not in {None, before})
        answer = await node.client.post(f"/api/v2/runs/{run}/cancel")

        assert answer.status_code == 200, "a refusal from before would say that there is no such run"
        ledger.close()
