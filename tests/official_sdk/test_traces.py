"""Traces, children and projects: what the SDK's own client of the API asks for beside `runs.*`."""

from typing import Any

from tests.official_sdk.conftest import Sdk

CLIENT = """
const { ApiClient } = await import("@trigger.dev/core/v3");
const client = new ApiClient(args.url, args.key);
const poll = (id) => sdk.runs.poll(id, { pollIntervalMs: 50 });
"""


def _asked(sdk: Sdk, script: str) -> Any:
    return sdk.run(CLIENT + script, url=sdk.engine.url, key=sdk.key)


def test_the_trace_of_a_run_is_a_tree_with_its_children(sdk: Sdk) -> None:
    run, children, root, page, span = _asked(
        sdk,
        """
        const run = await poll((await sdk.tasks.trigger("parent", 2)).id);
        const { trace } = await client.retrieveRunTrace(run.id);
        const page = await client.retrieveRunTracePage(run.id, { limit: 100 });
        const child = page.data.find((each) => each.runId !== run.id);
        const span = await client.retrieveSpan(run.id, child.parentId);
        return [run.id, run.relatedRuns.children.map((each) => each.id), trace.rootSpan, page, span];
        """,
    )

    (attempt,) = root["children"]
    below = [child["runId"] for each in attempt["children"] for child in each["children"]]
    assert (root["runId"], root["data"]["message"], root["data"]["isPartial"]) == (run, "parent", False)
    assert attempt["data"]["message"] == "Attempt 1"
    assert len(children) == 2
    assert set(below) == set(children)
    assert {each["runId"] for each in page["data"]} == {run, *children}
    assert span["triggeredRuns"][0]["runId"] in children


def test_a_failed_run_is_an_error_in_its_trace(sdk: Sdk) -> None:
    root, failures = _asked(
        sdk,
        """
        const { id } = await poll((await sdk.tasks.trigger("fails", 1)).id);
        const page = await client.retrieveRunTracePage(id);
        return [(await client.retrieveRunTrace(id)).trace.rootSpan, page.attemptFailures];
        """,
    )

    assert (root["data"]["isError"], len(failures)) == (True, 1)
    assert root["data"]["events"][0]["properties"]["exception"]["message"] == "there is no more paper"


def test_the_runs_of_a_project_are_those_of_the_environment(sdk: Sdk) -> None:
    ids, found = sdk.run(
        """
        const ids = [];
        for (const tag of ["mine", "other"]) {
          const options = { tags: [tag + args.salt], delay: "1h" };
          ids.push((await sdk.tasks.trigger("echo", 1, options)).id);
        }
        const page = await sdk.runs.list("proj_any", { tag: "mine" + args.salt, env: "dev" });
        for (const id of ids) await sdk.runs.cancel(id);
        return [ids, page.data.map((run) => run.id)];
        """,
        salt=sdk.key[-6:] + "p",
    )

    assert found == ids[:1]


def test_a_project_of_another_environment_is_refused(sdk: Sdk) -> None:
    told = sdk.refused("return sdk.runs.list('proj_any', { env: 'prod' });")

    assert (told["class"], told["error"]) == (
        "BadRequestError",
        "filter[env]: this key opens the environment dev only.",
    )
