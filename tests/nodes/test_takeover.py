"""Three nodes on one database: one writes, the others send on, and take over when it is gone."""

import asyncio
import signal

import httpx
import pytest

from adapters.http.trust import world
from tests.crash.jobs import Job, Request
from tests.crash.scenario import KEY, POLL_SECONDS
from tests.nodes.cluster import DONE_SECONDS, WRITER_LEASE_MS, Cluster, Node

HEADERS = {"authorization": f"Bearer {KEY}"}
LATER_KEY = "tr_prod_a_later_one_0123456789"
LATER = {"authorization": f"Bearer {LATER_KEY}"}


def request(name: str) -> Request:
    return Request(name, [Job("add", {"n": name, "a": 1, "b": 2}, output={"n": name, "sum": 3})])


async def standby_of(cluster: Cluster) -> Node:
    roles = await cluster.roles()
    return next(node for node in cluster.nodes if roles[node.name] == "standby")


async def test_clients_and_workers_may_talk_to_any_node(cluster: Cluster) -> None:
    cluster.start()
    await cluster.until_roles("writer", "standby", "standby")
    cluster.start_worker(await standby_of(cluster))

    for number in range(6):
        await cluster.clients.ask(request(f"run-{number}"))

    await cluster.finish()


async def test_a_standby_shows_at_once_what_was_written_through_it(cluster: Cluster) -> None:
    cluster.start()
    await cluster.until_roles("writer", "standby", "standby")
    standby = await standby_of(cluster)
    async with httpx.AsyncClient(base_url=standby.url, headers=HEADERS, trust_env=False, verify=world()) as http:
        for number in range(5):
            body = {"payload": number, "options": {"tags": [f"n{number}"]}}
            triggered = (await http.post("/api/v1/tasks/add/trigger", json=body)).json()

            run = (await http.get(f"/api/v3/runs/{triggered['id']}")).json()
            listed = (await http.get("/api/v1/runs", params={"filter[tag]": f"n{number}"})).json()

            assert (run["status"], run["payload"]) == ("PENDING_VERSION", number)
            assert [each["id"] for each in listed["data"]] == [triggered["id"]]
        refused = await http.post("/api/v1/tasks/add/trigger", json={"options": {"tags": 7}})
        unknown = await http.get("/api/v3/runs/run_unknown")
        locked_out = await http.get("/api/v1/runs", headers={"authorization": "Bearer tr_dev_of_nobody_at_all"})

    assert (refused.status_code, unknown.status_code, locked_out.status_code) == (400, 404, 401)


async def test_a_key_that_only_a_standby_was_given_opens_its_environment_once_that_one_writes(cluster: Cluster) -> None:
    first, second, _ = cluster.nodes
    second.environment["RUNFOLD_SECRET_KEY"] = LATER_KEY
    first.start()
    assert await cluster.writer() is first
    second.start()
    await cluster.until_roles("writer", "standby")
    async with httpx.AsyncClient(base_url=second.url, headers=LATER, trust_env=False, verify=world()) as http:
        too_early = await http.get("/worker/v1/variables")
        wrong = await http.get("/worker/v1/variables", headers={"authorization": "Bearer tr_prod_of_nobody_at_all"})
        worker = cluster.start_worker(second)
        await first.kill()
        await cluster.until_roles("writer")
        triggered = await http.post("/api/v1/tasks/add/trigger", json={"payload": {"n": "x", "a": 1, "b": 2}})
        async with asyncio.timeout(DONE_SECONDS):
            while (run := (await http.get(f"/api/v3/runs/{triggered.json()['id']}")).json())["status"] != "COMPLETED":
                assert worker.is_running, worker.said
                await asyncio.sleep(POLL_SECONDS)

    assert (too_early.status_code, too_early.headers["retry-after"], wrong.status_code) == (503, "1", 401)
    assert run["output"] == {"n": "x", "sum": 3}


async def test_a_key_of_the_settings_that_was_revoked_opens_nothing_after_a_takeover_or_a_start(
    cluster: Cluster,
) -> None:
    first, second, _ = cluster.nodes
    first.start()
    assert await cluster.writer() is first
    second.start()
    await cluster.until_roles("writer", "standby")
    async with httpx.AsyncClient(headers=HEADERS, trust_env=False, verify=world()) as http:
        keys = f"{first.url}/api/v1/environments/prod/keys"
        made = (await http.post(keys)).json()["key"]
        own = (await http.get(keys)).json()["data"][0]["id"]
        revoked = await http.delete(f"{keys}/{own}", headers={"authorization": f"Bearer {made}"})
        await first.end(signal.SIGTERM)
        await cluster.until_roles("writer")
        first.start()
        await cluster.until_roles("writer", "standby")
        asked = [
            await http.request(method, f"{node.url}/api/v1/{path}", json={}, headers={"authorization": f"Bearer {key}"})
            for key in (KEY, made)
            for node in (first, second)
            for method, path in (("GET", "runs"), ("POST", "tasks/add/trigger"))
        ]

    assert revoked.status_code == 200, revoked.text
    assert [each.status_code for each in asked] == 4 * [401] + 4 * [200], [each.text for each in asked]
    warnings = [said for said in second.said() if "RUNFOLD_SECRET_KEY was revoked" in said["event"]]
    assert [said["key"] for said in warnings] == [own]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_when_the_writer_ends_another_one_takes_over(cluster: Cluster, number: signal.Signals) -> None:
    cluster.start()
    await cluster.until_roles("writer", "standby", "standby")
    cluster.start_worker(await standby_of(cluster))
    cluster.clients.begin()
    await cluster.until_answered(10)
    writer = await cluster.writer()

    code = await writer.end(number)
    await cluster.until_roles("writer", "standby")
    await cluster.until_answered(10)
    writer.start()
    await cluster.until_roles("writer", "standby", "standby")

    assert code == (0 if number is signal.SIGTERM else -number)
    await cluster.finish()


@pytest.mark.parametrize("role", ["writer", "standby"])
async def test_a_worker_whose_node_is_killed_goes_on_by_another(cluster: Cluster, role: str) -> None:
    cluster.start()
    await cluster.until_roles("writer", "standby", "standby")
    first = await cluster.writer() if role == "writer" else await standby_of(cluster)
    others = [node for node in cluster.nodes if node is not first]
    worker = cluster.start_worker(first, *others)
    await cluster.clients.ask(request("before"))
    await cluster.until(lambda: "ready as version" in worker.said, lambda: f"the worker says {worker.said}")

    await first.kill()
    cluster.clients.begin()
    await cluster.until_answered(10)

    # The node stays dead: whatever ends from here on was done by way of another.
    await cluster.finish()
    assert "the engine answers again" in worker.said


@pytest.mark.parametrize("leases", [0.5, 1, 2, 10])
async def test_a_writer_that_was_paused_answers_nothing_that_is_outdated(cluster: Cluster, leases: float) -> None:
    cluster.start()
    await cluster.until_roles("writer", "standby", "standby")
    cluster.start_worker(await standby_of(cluster))
    cluster.clients.begin()
    await cluster.until_answered(10)
    writer = await cluster.writer()

    writer.send(signal.SIGSTOP)
    await asyncio.sleep(leases * WRITER_LEASE_MS / 1_000)
    writer.send(signal.SIGCONT)
    await cluster.until_answered(10)
    await cluster.until_roles("writer", "standby", "standby")

    await cluster.finish()
