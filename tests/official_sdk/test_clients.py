"""Ways to be a client: TriggerClient, auth.with…, tags and metadata of runs, deployments; and what is not offered."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.official_sdk.conftest import Sdk


def test_a_client_of_its_own(sdk: Sdk) -> None:
    output = sdk.run(
        """
        const client = new sdk.TriggerClient({ baseURL: args.url, accessToken: args.key });
        const { id } = await client.tasks.trigger("echo", "from a client");
        const batch = await client.tasks.batchTrigger("echo", [{ payload: 1 }]);
        let run;
        do { run = await client.runs.retrieve(id); } while (!run.isCompleted);
        return [run.output, (await client.batch.retrieve(batch.batchId)).runCount];
        """,
        url=sdk.engine.url,
        key=sdk.key,
    )

    assert output == ["from a client", 1]


def test_with_public_tokens(sdk: Sdk) -> None:
    mine, triggered, batch = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", 1);
        let mine, triggered, batch;
        const scopes = { read: { runs: [id] } };
        await sdk.auth.withPublicToken({ scopes }, async () => { mine = (await sdk.runs.retrieve(id)).id === id; });
        await sdk.auth.withTriggerPublicToken("echo", {}, async () => {
          triggered = await sdk.tasks.trigger("echo", 2);
        });
        await sdk.auth.withBatchTriggerPublicToken("echo", {}, async () => {
          batch = await sdk.tasks.batchTrigger("echo", [{ payload: 3 }]);
        });
        return [mine, triggered.id, batch.runCount];
        """
    )

    assert (mine, batch) == (True, 1)
    assert triggered.startswith("run_")


def test_triggering_and_subscribing_in_one(sdk: Sdk) -> None:
    statuses = sdk.run(
        """
        const statuses = [];
        for await (const run of sdk.runs.subscribeToRun((await sdk.tasks.trigger("steps", 2)).id)) {
          statuses.push([run.status, run.metadata?.done]);
        }
        return statuses;
        """
    )

    assert statuses[-1] == ["COMPLETED", 2]


def test_deployments(sdk: Sdk) -> None:
    listed, current = sdk.run(
        """
        const page = await sdk.deployments.list({ status: "DEPLOYED", limit: 5 });
        return [page.data, await sdk.deployments.retrieveCurrent()];
        """
    )

    assert listed[0]["status"] == "DEPLOYED"
    assert current["version"] == listed[0]["version"]


def test_variables(sdk: Sdk) -> None:
    name = f"V_{uuid4().hex}"
    listed, one, done, after = sdk.run(
        """
        const at = ["proj_1", "dev"];
        await sdk.envvars.create(...at, { name: args.name, value: "1" });
        const variables = { [args.name]: "2", [args.name + "_S"]: "3" };
        await sdk.envvars.upload(...at, { variables, override: true });
        const listed = (await sdk.envvars.list(...at)).filter((each) => each.name.startsWith(args.name));
        const one = await sdk.envvars.retrieve(...at, args.name);
        const done = await sdk.envvars.del(...at, args.name);
        const after = (await sdk.envvars.list(...at)).map((each) => each.name);
        return [listed, one, done, after];
        """,
        name=name,
    )

    assert [(each["name"], each["value"]) for each in listed] == [(name, "2"), (f"{name}_S", "3")]
    assert (one["value"], one["isSecret"], done) == ("2", False, {"success": True})
    assert name not in after


def test_a_request_that_is_sent_again_makes_no_second_run(sdk: Sdk) -> None:
    """As the SDK does when an answer is lost on its way."""
    tag = uuid4().hex
    failures, runs = sdk.run(
        """
        const { fetch } = globalThis;
        let failures = 0;
        globalThis.fetch = async (...given) => {
          const answer = await fetch(...given);
          if (String(given[0]).includes("/trigger") && failures === 0) { failures += 1; throw new TypeError("lost"); }
          return answer;
        };
        try {
          await sdk.tasks.trigger("echo", 1, { tags: [args.tag] }, { retry: { maxAttempts: 3, minTimeoutInMs: 1 } });
        } finally { globalThis.fetch = fetch; }
        return [failures, (await sdk.runs.list({ tag: args.tag })).data.length];
        """,
        tag=tag,
    )

    assert (failures, runs) == (1, 1)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("query.execute('select 1')", 404),
        ("concurrencyLimits.list()", 404),
        ("prompts.list()", 404),
        ("sessions.list()", 404),
        ("prompts.versions('a')", 404),
    ],
)
def test_what_is_not_offered_is_told_at_once(sdk: Sdk, script: str, status: int) -> None:
    told = sdk.refused(f"return sdk.{script};")

    assert told["status"] == status
    assert told["error"].startswith("There is nothing at /api/v1/")


@pytest.mark.parametrize("script", ["runs.fetchStream(args.run, 'a')", "streams.read(args.run, 'a')"])
def test_streams_of_tasks_are_not_there_and_hang_nobody(sdk: Sdk, script: str) -> None:
    told = sdk.refused(
        f"for await (const each of await sdk.{script}) return each;",
        run=sdk.run("return (await sdk.tasks.trigger('echo', 1)).id;"),
    )

    assert (told["class"], told["status"]) == ("NotFoundError", 404)
    assert told["message"] == "404 Could not subscribe to stream"


def test_tokens_of_identity_are_refused_by_the_sdk_itself(sdk: Sdk) -> None:
    told = sdk.refused("return sdk.auth.getOIDCToken({ audience: 'a' });")

    assert told["class"] == "OIDCTokenError"
    assert told["message"].startswith("OIDC is only available inside a deployed task run.")


def test_a_branch_changes_nothing(sdk: Sdk) -> None:
    is_found = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", 1);
        const config = { baseURL: args.url, accessToken: args.key, previewBranch: "feature" };
        return (await sdk.auth.withAuth(config, () => sdk.runs.retrieve(id))).id === id;
        """,
        url=sdk.engine.url,
        key=sdk.key,
    )

    assert is_found is True


@pytest.mark.parametrize("script", ["tasks.triggerAndWait('echo', 1)", "wait.for({ seconds: 1 })"])
def test_what_belongs_into_a_task_of_its_own_language_is_refused_by_the_sdk_itself(sdk: Sdk, script: str) -> None:
    told = sdk.refused(f"return sdk.{script};")

    assert "can only be used from inside a task.run()" in told["message"]


def test_tags_and_metadata_over_http_have_the_shapes_of_the_sdk(sdk: Sdk) -> None:
    """The SDK's `tags.add` and `metadata.*` work inside of its own tasks alone; these are the requests they send."""
    run = sdk.run("return (await sdk.tasks.trigger('echo', 1, { delay: '1h', metadata: { n: 1 } })).id;")
    headers = {"authorization": f"Bearer {sdk.key}", "x-trigger-api-version": "2025-07-16"}
    operations: list[dict[str, Any]] = [
        {"type": "increment", "key": "n", "value": 2},
        {"type": "append", "key": "list", "value": "a"},
    ]
    with httpx.Client(base_url=sdk.engine.url, headers=headers, trust_env=False) as client:
        tagged = client.post(f"/api/v1/runs/{run}/tags", json={"tags": ["a", "b"]})
        changed = client.put(f"/api/v1/runs/{run}/metadata", json={"operations": operations})

    found = sdk.run(
        "const run = await sdk.runs.retrieve(args.run); await sdk.runs.cancel(args.run); return run;", run=run
    )

    assert (tagged.status_code, changed.json()) == (200, {"metadata": {"n": 3, "list": ["a"]}})
    assert (found["tags"], found["metadata"]) == (["a", "b"], {"n": 3, "list": ["a"]})


@pytest.mark.parametrize("path", ["/api/v3/batches", "/items"])
def test_a_batch_whose_answers_are_lost_is_made_once(sdk: Sdk, path: str) -> None:
    """Its creation is known again by the request's own key, its items by their places."""
    tag = uuid4().hex
    lost, batch, runs = sdk.run(
        """
        const { fetch } = globalThis;
        let lost = 0;
        globalThis.fetch = async (...given) => {
          const answer = await fetch(...given);
          if (!String(given[0]).endsWith(args.path) || lost > 0) return answer;
          lost += 1;
          throw new TypeError("lost");
        };
        const items = [{ payload: 1, options: { tags: [args.tag] } }, { payload: 2, options: { tags: [args.tag] } }];
        const soon = { retry: { maxAttempts: 3, minTimeoutInMs: 1 } };
        try {
          const { batchId } = await sdk.tasks.batchTrigger("echo", items, {}, soon);
          return [lost, await sdk.batch.retrieve(batchId), (await sdk.runs.list({ tag: args.tag })).data.length];
        } finally { globalThis.fetch = fetch; }
        """,
        path=path,
        tag=tag,
    )

    assert (lost, batch["runCount"], len(batch["runs"]), runs) == (1, 2, 2, 2)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("runs.retrieve('run_0')", 404),
        ("runs.list({ limit: 1000 })", 400),
        ("tasks.trigger('echo', 1, { machine: 'huge' })", 422),
        ("query.execute('select 1')", 404),
    ],
)
def test_a_refusal_is_asked_for_once(sdk: Sdk, script: str, status: int) -> None:
    """What the SDK tries again takes it seconds: it does so with 408, 409, 429 and 5xx."""
    told, asked = sdk.run(
        f"""
        const {{ fetch }} = globalThis;
        let asked = 0;
        globalThis.fetch = (...given) => {{ asked += 1; return fetch(...given); }};
        try {{ await sdk.{script}; }}
        catch (error) {{ return [error.status, asked]; }}
        finally {{ globalThis.fetch = fetch; }}
        """
    )

    assert (told, asked) == (status, 1)


def test_variables_cannot_be_updated_which_is_a_fault_of_the_sdk(sdk: Sdk) -> None:
    told = sdk.refused("return sdk.envvars.update('proj_1', 'dev', 'A', { value: '1' });")

    assert told["class"] == "ReferenceError"


def test_the_environment_of_the_process_says_where_the_engine_is_and_configure_says_it_otherwise(sdk: Sdk) -> None:
    found = sdk.node.alone(
        """
        import { configure, runs } from "@trigger.dev/sdk";
        const found = [Array.isArray((await runs.list({ limit: 1 })).data)];
        configure({ accessToken: "tr_dev_nothing" });
        try { await runs.list({ limit: 1 }); } catch (error) { found.push(error.status); }
        console.log(JSON.stringify(found));
        """,
        TRIGGER_API_URL=sdk.engine.url,
        TRIGGER_SECRET_KEY=sdk.key,
    )

    assert found == [True, 401]


def test_a_key_that_was_never_used_is_not_reset(sdk: Sdk) -> None:
    told = sdk.refused(
        "return sdk.idempotencyKeys.reset('echo', await sdk.idempotencyKeys.create(args.key));", key=uuid4().hex
    )

    assert (told["class"], told["status"]) == ("NotFoundError", 404)
