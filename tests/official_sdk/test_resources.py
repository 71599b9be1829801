"""wait.*, queues.*, deployments.*: what is beside the runs."""

from uuid import uuid4

import httpx

from tests.official_sdk.conftest import Sdk


def test_a_token_is_made_listed_completed_and_retrieved(sdk: Sdk) -> None:
    tag = uuid4().hex
    made, again, found, before, after = sdk.run(
        """
        const options = { timeout: "1h", tags: [args.tag], idempotencyKey: args.tag, idempotencyKeyTTL: "1h" };
        const made = await sdk.wait.createToken(options);
        const again = await sdk.wait.createToken(options);
        const page = await sdk.wait.listTokens({ tags: [args.tag], status: ["WAITING"] });
        const before = await sdk.wait.retrieveToken(made.id);
        await sdk.wait.completeToken(made.id, { approved: true });
        return [made, again, page.data.map((each) => each.id), before, await sdk.wait.retrieveToken(made)];
        """,
        tag=tag,
    )

    assert (made["isCached"], again["isCached"], again["id"]) == (False, True, made["id"])
    assert found == [made["id"]]
    assert (before["status"], before["tags"], before["idempotencyKey"]) == ("WAITING", [tag], tag)
    assert (after["status"], after["output"]) == ("COMPLETED", {"approved": True})


def test_a_token_is_completed_by_its_url_alone(sdk: Sdk) -> None:
    token = sdk.run("return sdk.wait.createToken();")

    answer = httpx.post(token["url"], json={"paid": 3}, trust_env=False)
    after = sdk.run("return sdk.wait.retrieveToken(args.token);", token=token["id"])

    assert answer.json() == {"success": True}
    assert after["output"] == {"paid": 3}


def test_a_token_that_timed_out_has_an_error(sdk: Sdk) -> None:
    after = sdk.run(
        """
        const { id } = await sdk.wait.createToken({ timeout: new Date(Date.now() - 1000) });
        let token;
        do { token = await sdk.wait.retrieveToken(id); } while (token.status === "WAITING");
        return token;
        """
    )

    assert after["status"] == "TIMED_OUT"
    assert after["error"]["message"].startswith("Waitpoint timed out at ")


def test_queues_are_listed_retrieved_paused_and_limited(sdk: Sdk) -> None:
    listed, letters, of_task, paused, resumed, limited, reset = sdk.run(
        """
        const name = { type: "custom", name: "letters" };
        const page = await sdk.queues.list({ perPage: 100 });
        const letters = await sdk.queues.retrieve(name);
        const byId = await sdk.queues.retrieve(letters.id);
        const ofTask = await sdk.queues.retrieve({ type: "task", name: "echo" });
        const paused = await sdk.queues.pause(name);
        const resumed = await sdk.queues.resume(name);
        const limited = await sdk.queues.overrideConcurrencyLimit(name, 2);
        const reset = await sdk.queues.resetConcurrencyLimit(name);
        return [page.data.map((each) => each.name), byId, ofTask, paused, resumed, limited, reset];
        """
    )

    assert {"letters", "echo"} <= set(listed)
    assert (letters["name"], letters["type"], letters["concurrencyLimit"]) == ("letters", "custom", 5)
    assert (of_task["name"], of_task["type"]) == ("echo", "task")
    assert (paused["paused"], resumed["paused"]) == (True, False)
    assert (limited["concurrencyLimit"], reset["concurrencyLimit"]) == (2, 5)


def test_a_queue_that_is_not_there(sdk: Sdk) -> None:
    told = sdk.refused("return sdk.queues.retrieve({ type: 'custom', name: 'nowhere' });")

    assert (told["class"], told["status"], told["error"]) == ("NotFoundError", 404, "queue-not-found")
