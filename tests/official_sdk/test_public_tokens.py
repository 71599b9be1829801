"""auth.*: what is signed with a secret key opens what its scopes say, and nothing else.

The SDK signs by itself with the key of one engine, and has the other one sign: see `engines.KEYS`.
"""

from uuid import uuid4

import pytest

from tests.official_sdk.conftest import Sdk
from tests.official_sdk.engines import KEYS

POLL = "const poll = (id) => sdk.runs.poll(id, { pollIntervalMs: 50 });"


def test_a_token_reads_the_run_that_it_names(sdk: Sdk) -> None:
    made = sdk.run(
        """
        const [a, b] = [await sdk.tasks.trigger("echo", 1), await sdk.tasks.trigger("echo", 2)];
        return [a.id, b.id, await sdk.auth.createPublicToken({ scopes: { read: { runs: [a.id] } } })];
        """
    )
    mine, other, token = made

    found = sdk.holding(token).run("return sdk.runs.retrieve(args.run);", run=mine)
    refused = sdk.holding(token).refused("return sdk.runs.retrieve(args.run);", run=other)

    assert found["id"] == mine
    assert (refused["class"], refused["status"]) == ("PermissionDeniedError", 403)
    assert refused["error"].startswith("This public token has no scope for this: read:runs:")


@pytest.mark.parametrize("scope", ["runs: true", "tags: args.tag", "tasks: 'echo'"])
def test_a_token_reads_runs_by_what_they_have(sdk: Sdk, scope: str) -> None:
    tag = uuid4().hex
    run, token = sdk.run(
        f"""
        const run = await sdk.tasks.trigger("echo", 1, {{ tags: [args.tag] }});
        return [run.id, await sdk.auth.createPublicToken({{ scopes: {{ read: {{ {scope} }} }} }})];
        """,
        tag=tag,
    )

    assert sdk.holding(token).run("return sdk.runs.retrieve(args.run);", run=run)["id"] == run


def test_the_token_of_a_handle_reads_its_run(sdk: Sdk) -> None:
    handle = sdk.run("return sdk.tasks.trigger('echo', 1);")

    found = sdk.holding(handle["publicAccessToken"]).run("return sdk.runs.retrieve(args.run);", run=handle["id"])

    assert found["id"] == handle["id"]


def test_the_token_of_a_batch_reads_its_runs(sdk: Sdk) -> None:
    handle = sdk.run("return sdk.batch.trigger([{ id: 'echo', payload: 1 }]);")

    run, batch = sdk.holding(handle["publicAccessToken"]).run(
        """
        const batch = await sdk.batch.retrieve(args.batch);
        return [await sdk.runs.retrieve(batch.runs[0]), batch];
        """,
        batch=handle["batchId"],
    )

    assert (run["batchId"], batch["runCount"]) == (handle["batchId"], 1)


def test_the_token_of_a_waitpoint_completes_it(sdk: Sdk) -> None:
    token = sdk.run("return sdk.wait.createToken();")

    done = sdk.holding(token["publicAccessToken"]).run(
        "return sdk.wait.completeToken(args.id, { ok: true });", id=token["id"]
    )

    assert done == {"success": True}


def test_a_token_triggers_once_the_task_that_it_names(sdk: Sdk) -> None:
    token = sdk.run("return sdk.auth.createTriggerPublicToken('echo');")
    browser = sdk.holding(token)

    other = browser.refused("return sdk.tasks.trigger('told', 1);")
    handle = browser.run("return sdk.tasks.trigger('echo', 1);")
    again = browser.refused("return sdk.tasks.trigger('echo', 1);")
    watched = sdk.holding(handle["publicAccessToken"]).run(POLL + "return poll(args.run);", run=handle["id"])

    assert (other["class"], again["class"]) == ("PermissionDeniedError", "AuthenticationError")
    assert again["error"] == "This public token was for one use, and was used before."
    assert watched["output"] == 1


def test_a_token_triggers_with_no_large_payload(sdk: Sdk) -> None:
    token = sdk.run("return sdk.auth.createTriggerPublicToken('echo');")

    told = sdk.holding(token).refused("return sdk.tasks.trigger('echo', 'x'.repeat(200_000));")

    assert (told["class"], told["error"]) == (
        "PermissionDeniedError",
        "Public tokens do not open this: use a secret key.",
    )


def test_tokens_of_the_same_second_are_used_once_each(sdk: Sdk) -> None:
    tokens = sdk.run(
        "return Promise.all([1, 2, 3].map(() => sdk.auth.createTriggerPublicToken('echo', { expirationTime: '1h' })));"
    )

    runs = {sdk.holding(token).run("return sdk.tasks.trigger('echo', 1);")["id"] for token in tokens}

    assert (len(set(tokens)), len(runs)) == (3, 3)


def test_a_token_for_many_uses(sdk: Sdk) -> None:
    token = sdk.run("return sdk.auth.createTriggerPublicToken('echo', { multipleUse: true });")

    runs = sdk.holding(token).run("return [await sdk.tasks.trigger('echo', 1), await sdk.tasks.trigger('echo', 2)];")

    assert runs[0]["id"] != runs[1]["id"]


def test_a_token_triggers_one_batch(sdk: Sdk) -> None:
    token = sdk.run("return sdk.auth.createBatchTriggerPublicToken('echo');")
    browser = sdk.holding(token)

    handle = browser.run("return sdk.tasks.batchTrigger('echo', [{ payload: 1 }, { payload: 2 }]);")
    again = browser.refused("return sdk.tasks.batchTrigger('echo', [{ payload: 3 }]);")

    assert handle["runCount"] == 2
    assert again["class"] in {"AuthenticationError", "BatchTriggerError"}


@pytest.mark.parametrize("script", ["runs.list()", "runs.cancel(args.run)", "runs.replay(args.run)", "queues.list()"])
def test_a_token_to_read_runs_does_nothing_else(sdk: Sdk, script: str) -> None:
    run, token = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", 1);
        return [id, await sdk.auth.createPublicToken({ scopes: { read: { runs: [id] } } })];
        """
    )

    told = sdk.holding(token).refused(f"return sdk.{script};", run=run)

    assert (told["class"], told["status"], told["code"]) == ("PermissionDeniedError", 403, "unauthorized")


def test_a_token_expires(sdk: Sdk) -> None:
    make = """
        const expirationTime = Math.floor(Date.now() / 1000) - 9;
        return sdk.auth.createPublicToken({ scopes: { read: { runs: true } }, expirationTime });
    """
    if sdk.key.startswith(KEYS["postgres"]):
        assert sdk.refused(make)["error"] == "A public token expires in the future."
        return

    told = sdk.holding(sdk.run(make)).refused("return sdk.runs.list();")

    assert (told["class"], told["error"]) == ("AuthenticationError", "This public token is not valid: it has expired.")
