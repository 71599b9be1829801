"""Connections, keys and deployments on two nodes: the one that stands by shows them, and sends what changes them on."""

from typing import Any

from app.vault.connections import credentials_of
from tests.app.harness import ADMIN_KEY
from tests.app.nodes import RunningNode, running_node

CONNECTIONS, DEPLOYMENTS, ENVIRONMENTS = "/api/v1/connections", "/api/v1/deployments", "/api/v1/environments"
AS_ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}


async def ask(node: RunningNode, method: str, path: str, **request: Any) -> Any:
    answer = await node.client.request(method, path, **request)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_both_nodes_show_the_same(schema: str) -> None:
    async with running_node(schema, "a") as writer, running_node(schema, "b") as standby:
        await standby.until_standby_of(writer.address)
        await ask(standby, "PUT", f"{CONNECTIONS}/github", json={"credentials": "hush"})
        await ask(standby, "POST", "/worker/v1/register", json={"tasks": [{"id": "greet"}]})
        made = await ask(standby, "POST", ENVIRONMENTS, json={"slug": "prod", "type": "PRODUCTION"}, headers=AS_ADMIN)
        key = await ask(standby, "POST", f"{ENVIRONMENTS}/prod/keys", headers=AS_ADMIN)

        for path, headers in (
            (CONNECTIONS, {}),
            (f"{CONNECTIONS}/github", {}),
            (f"{DEPLOYMENTS}/current", {}),
            (ENVIRONMENTS, AS_ADMIN),
            (f"{ENVIRONMENTS}/prod/keys", AS_ADMIN),
            (f"{ENVIRONMENTS}/prod/keys", {"authorization": f"Bearer {made['key']}"}),
            (f"{ENVIRONMENTS}/prod/keys", {"authorization": f"Bearer {key['key']}"}),
        ):
            told = [await ask(node, "GET", path, headers=headers) for node in (writer, standby)]
            assert told[0] == told[1], path


async def test_the_next_writer_opens_what_the_one_before_sealed(schema: str) -> None:
    async with running_node(schema, "a") as writer, running_node(schema, "b") as standby:
        await standby.until_standby_of(writer.address)
        await ask(writer, "PUT", f"{CONNECTIONS}/github", json={"credentials": "hush"})
        writer.hand_lease_over(to=standby)
        await standby.until_writer()

        service = standby.node.service
        assert service is not None
        environment = service.environments()[0].id
        assert bytes(credentials_of(service, environment, ["github"])["github"]) == b'"hush"'
        assert await ask(standby, "POST", f"{CONNECTIONS}/rotate") == {"rotated": 0, "unchanged": 1}


async def test_a_node_that_stands_by_tells_which_workers_are_connected_and_where_they_came_in(schema: str) -> None:
    async with running_node(schema, "a") as writer, running_node(schema, "b") as standby:
        await standby.until_standby_of(writer.address)
        made = await ask(standby, "POST", "/worker/v1/register", json={"tasks": [{"id": "greet"}]})
        for node, session in ((writer, "worker_1"), (standby, "worker_2")):
            turn = {"session": session, "version": made["version"], "sequence": 1, "want": 2}
            await ask(node, "POST", "/worker/v1/turn", json=turn)

        found = await ask(standby, "GET", "/api/v1/workers")

        assert found == await ask(writer, "GET", "/api/v1/workers")
        nodes = {each["id"]: each["node"] for each in found["data"]}
        assert nodes == {"worker_1": writer.address, "worker_2": standby.address}
