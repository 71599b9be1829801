"""Waitpoint tokens on several nodes: any of them makes, shows and completes each."""

import httpx

from adapters.http.trust import world
from app.web.application import create_application
from tests.app.harness import KEY, Engine, running_engine
from tests.app.nodes import running_node

TOKENS = "/api/v1/waitpoints/tokens"


async def test_a_token_that_a_standby_was_asked_for_is_completed_through_it(schema: str) -> None:
    async with running_node(schema, "a") as writer, running_node(schema, "b") as standby:
        await standby.until_standby_of(writer.address)

        made = (await standby.client.post(TOKENS, json={"idempotencyKey": "k", "tags": "t"})).json()
        again = (await writer.client.post(TOKENS, json={"idempotencyKey": "k"})).json()
        async with httpx.AsyncClient(verify=world()) as stranger:
            answer = await stranger.post(made["url"], json={"approved": True})
        found = (await standby.client.get(f"{TOKENS}/{made['id']}")).json()
        listed = (await standby.client.get(TOKENS, params={"filter[tags]": "t"})).json()["data"]

        assert made["url"].startswith(f"{standby.address}{TOKENS}/{made['id']}/callback/")
        assert again == made | {"isCached": True, "url": made["url"].replace(standby.address, writer.address)}
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert (found["status"], found["output"], found["url"]) == ("COMPLETED", '{"approved":true}', made["url"])
        assert [(each["id"], each["status"], each["url"]) for each in listed] == [
            (made["id"], "COMPLETED", made["url"])
        ]


async def test_an_engine_that_was_told_where_it_is_found_names_that() -> None:
    async with running_engine() as engine:
        application = create_application(lambda: engine.service, public_url="https://runfold.example/")
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:7650") as client:
            client.headers["authorization"] = f"Bearer {KEY}"
            made = await Engine(engine.service, engine.clock, client, "worker_1").post(TOKENS, {})

        assert made["url"].startswith(f"https://runfold.example{TOKENS}/")
