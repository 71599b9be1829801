"""runs.*: list with every filter and in both directions, retrieve, cancel, replay, reschedule, tags, metadata, bulk."""

from uuid import uuid4

import pytest

from tests.official_sdk.conftest import Sdk

POLL = "const poll = (id) => sdk.runs.poll(id, { pollIntervalMs: 50 });"
UNKNOWN = "run_00000000000000000000000000000000"


def test_a_failed_run_says_what_went_wrong(sdk: Sdk) -> None:
    run = sdk.run(POLL + "return poll((await sdk.tasks.trigger('fails', 1)).id);")

    assert (run["status"], run["isFailed"], run["attemptCount"]) == ("FAILED", True, 1)
    assert run["error"]["message"] == "there is no more paper"


def test_a_run_is_retrieved_by_its_handle(sdk: Sdk) -> None:
    run = sdk.run("return sdk.runs.retrieve(await sdk.tasks.trigger('echo', 1));")

    assert (run["taskIdentifier"], run["payload"], run["isTest"]) == ("echo", 1, False)


def test_a_run_is_canceled_and_stays_so(sdk: Sdk) -> None:
    run = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", 1, { delay: "1h" });
        for (const _ of [1, 2]) await sdk.runs.cancel(id);
        return sdk.runs.retrieve(id);
        """
    )

    assert (run["status"], run["isCancelled"], run["isCompleted"]) == ("CANCELED", True, True)
    assert "finishedAt" in run


def test_a_run_is_replayed_as_it_was_and_with_another_payload(sdk: Sdk) -> None:
    same, other = sdk.run(
        POLL
        + """
        const { id } = await sdk.tasks.trigger("echo", { a: 1 }, { tags: ["old"] });
        const replayed = [await sdk.runs.replay(id), await sdk.runs.replay(id, { payload: { b: 2 }, tags: ["new"] })];
        return Promise.all(replayed.map((run) => poll(run.id)));
        """
    )

    assert (same["output"], same["tags"]) == ({"a": 1}, ["old"])
    assert (other["output"], other["tags"]) == ({"b": 2}, ["new"])


def test_a_replay_names_its_original_and_has_every_override(sdk: Sdk) -> None:
    old, new, links = sdk.run(
        POLL
        + """
        const { id } = await sdk.tasks.trigger("told", { a: 1 }, { tags: ["old"], metadata: { m: 1 } });
        await poll(id);
        const replayed = await sdk.runs.replay(id, {
          payload: { b: 2 }, tags: ["new"], metadata: { m: 2 }, queue: "letters", concurrencyKey: "ada",
          machine: "large-1x", maxAttempts: 4, maxDuration: 50, priority: 2, ttl: 900, version: args.version,
        });
        const done = await poll(replayed.id);
        // The SDK drops what its schema has not.
        const headers = { authorization: "Bearer " + args.key };
        const raw = async (run) => (await fetch(args.url + "/api/v3/runs/" + run, { headers })).json();
        const links = [(await raw(replayed.id)).replayOf, (await raw(id)).replays];
        return [await sdk.runs.retrieve(id), done, links];
        """,
        url=sdk.engine.url,
        key=sdk.key,
        version=sdk.run("return (await sdk.deployments.retrieveCurrent()).version;"),
    )

    assert links == [old["id"], [new["id"]]]
    told = {"payload": {"b": 2}, "tags": ["new"], "metadata": {"m": 2}, "priority": 2, "machine": "large-1x"}
    told |= {"maxAttempts": 4, "maxDuration": 50.0, "concurrencyKey": "ada", "queue": "letters"}
    assert new["output"] == told
    assert (new["ttl"], old["output"]["payload"], old["tags"]) == ("900s", {"a": 1}, ["old"])


def test_a_delayed_run_is_given_another_time(sdk: Sdk) -> None:
    before, after = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", 1, { delay: "1h" });
        const before = await sdk.runs.retrieve(id);
        const after = await sdk.runs.reschedule(id, { delay: "2h" });
        await sdk.runs.cancel(id);
        return [before.delayedUntil, after.delayedUntil];
        """
    )

    assert after["$date"] > before["$date"]


def test_a_run_that_is_not_delayed_is_not_rescheduled(sdk: Sdk) -> None:
    told = sdk.refused(
        POLL + "const run = await poll((await sdk.tasks.trigger('echo', 1)).id);"
        "return sdk.runs.reschedule(run.id, { delay: '1h' });"
    )

    assert (told["class"], told["status"]) == ("BadRequestError", 400)


@pytest.mark.parametrize(
    "script",
    ["retrieve(args.run)", "cancel(args.run)", "replay(args.run)", "reschedule(args.run, { delay: '1h' })"],
)
def test_a_run_that_is_not_there_is_told_at_once(sdk: Sdk, script: str) -> None:
    told = sdk.refused(f"return sdk.runs.{script};", run=UNKNOWN)

    assert (told["class"], told["status"]) == ("NotFoundError", 404)
    assert told["error"] == f"Run {UNKNOWN} not found."


def test_lists_go_on_by_themselves_and_pages_in_both_directions(sdk: Sdk) -> None:
    tag = uuid4().hex
    ids, listed, first, second, back = sdk.run(
        """
        const ids = [];
        for (let i = 0; i < 5; i++) {
          ids.push((await sdk.tasks.trigger("echo", i, { tags: [args.tag], delay: "1h" })).id);
        }
        const listed = [];
        for await (const run of sdk.runs.list({ tag: args.tag, limit: 2 })) listed.push(run.id);
        const first = await sdk.runs.list({ tag: args.tag, limit: 2 });
        const second = await first.getNextPage();
        const back = await second.getPreviousPage();
        await sdk.runs.bulk.cancel({ filter: { tag: args.tag } });
        const names = (page) => [page.data.map((run) => run.id), page.hasNextPage(), page.hasPreviousPage()];
        return [ids, listed, names(first), names(second), names(back)];
        """,
        tag=tag,
    )

    newest = ids[::-1]
    assert listed == newest
    assert first == [newest[:2], True, False]
    assert second == [newest[2:4], True, True]
    assert back == [newest[:2], True, False]


FILTERS: list[tuple[str, bool]] = [
    ("{ status: 'DELAYED' }", True),
    ("{ status: ['QUEUED', 'EXECUTING'] }", False),
    ("{ taskIdentifier: 'echo' }", True),
    ("{ taskIdentifier: ['told', 'fails'] }", False),
    ("{ version: '19700101.1' }", False),
    ("{ isTest: false }", True),
    ("{ isTest: true }", False),
    ("{ from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 60_000) }", True),
    ("{ to: new Date(0) }", False),
    ("{ period: '1h' }", True),
    ("{ queue: { type: 'task', name: 'echo' } }", True),
    ("{ queue: { type: 'custom', name: 'letters' } }", False),
    ("{ machine: 'small-2x' }", True),
    ("{ machine: ['micro'] }", False),
    ("{ bulkAction: 'bulk_0' }", False),
    ("{ batch: 'batch_0' }", False),
]


@pytest.mark.parametrize(("wanted", "is_found"), FILTERS)
def test_lists_have_every_filter(sdk: Sdk, wanted: str, *, is_found: bool) -> None:
    tag = uuid4().hex
    found = sdk.run(
        f"""
        const options = {{ tags: [args.tag], delay: "1h", machine: "small-2x" }};
        const {{ id }} = await sdk.tasks.trigger("echo", 1, options);
        const page = await sdk.runs.list({{ tag: args.tag, ...{wanted} }});
        await sdk.runs.cancel(id);
        return page.data.map((run) => run.id === id);
        """,
        tag=tag,
    )

    assert found == ([True] if is_found else [])


AMONG_TWO = [
    ("{ status: 'DELAYED' }", "trigger()", "canceled(await trigger())"),
    ("{ status: ['CANCELED', 'FAILED'] }", "canceled(await trigger())", "trigger()"),
    ("{ taskIdentifier: 'echo' }", "trigger()", "trigger({}, 'told')"),
    ("{ taskIdentifier: ['told', 'fails'] }", "trigger({}, 'told')", "trigger()"),
    ("{ version: wanted.version }", "over(await trigger({ delay: undefined }))", "trigger()"),
    ("{ isTest: false }", "trigger()", "tested()"),
    ("{ isTest: true }", "tested()", "trigger()"),
    ("{ to: wanted.createdAt }", "trigger()", "trigger()"),
    ("{ from: new Date(+wanted.createdAt + 1) }", "trigger()", None),
    ("{ queue: { type: 'task', name: 'echo' } }", "trigger()", "trigger({ queue: 'letters' })"),
    ("{ queue: { type: 'custom', name: 'letters' } }", "trigger({ queue: 'letters' })", "trigger()"),
    ("{ machine: 'small-2x' }", "trigger({ machine: 'small-2x' })", "trigger({ machine: 'micro' })"),
    ("{ batch: wanted.batchId }", "batched()", "batched()"),
    ("{ tag: ['none', args.tag + '-more'] }", "trigger({ tags: [args.tag, args.tag + '-more'] })", "trigger()"),
]
"""A filter, the run that it finds, and the other one beside it; without another one it finds nothing."""


@pytest.mark.parametrize(("filtered", "wanted", "other"), AMONG_TWO)
def test_a_filter_finds_one_of_two_runs(sdk: Sdk, filtered: str, wanted: str, other: str | None) -> None:
    is_tag = "tag:" in filtered
    found, expected = sdk.run(
        POLL
        + f"""
        const get = (id) => sdk.runs.retrieve(id);
        const options = {{ tags: [args.tag], delay: "1h" }};
        const trigger = async (more = {{}}, task = "echo") =>
          get((await sdk.tasks.trigger(task, 1, {{ ...options, ...more }})).id);
        const over = (run) => poll(run.id);
        const canceled = async (run) => {{ await sdk.runs.cancel(run.id); return get(run.id); }};
        const batched = async () => {{
          const {{ batchId }} = await sdk.tasks.batchTrigger("echo", [{{ payload: 1, options }}]);
          return get((await sdk.batch.retrieve(batchId)).runs[0]);
        }};
        // The SDK sends what is a test for none but a task that is one itself.
        const tested = async () => {{
          const headers = {{ authorization: "Bearer " + args.key, "content-type": "application/json" }};
          const body = JSON.stringify({{ payload: 1, options: {{ ...options, test: true }} }});
          const url = args.url + "/api/v1/tasks/echo/trigger";
          return get((await (await fetch(url, {{ method: "POST", headers, body }})).json()).id);
        }};
        const wanted = await {wanted};
        while (Date.now() <= +wanted.createdAt + 5);
        const other = {f"await {other}" if other else "null"};
        const of = {"{}" if is_tag else "{ tag: args.tag }"};
        const page = await sdk.runs.list({{ ...of, ...{filtered} }});
        for (const run of [wanted, other]) if (run) await sdk.runs.cancel(run.id);
        return [page.data.map((run) => run.id), wanted.id];
        """,
        tag=uuid4().hex,
        url=sdk.engine.url,
        key=sdk.key,
    )

    assert found == ([expected] if other else [])


@pytest.mark.parametrize(
    ("script", "status", "sentence"),
    [
        (
            "await pause(); const { id } = await sdk.tasks.trigger('expires', 1, { ttl: 1 });",
            "EXPIRED",
            "Run expired because the TTL (1s) was reached",
        ),
        (
            "const { id } = await sdk.tasks.trigger('sleeps', 1, { maxDuration: 1 });",
            "TIMED_OUT",
            "Run exceeded its maximum duration of 1s",
        ),
        (
            "const { id } = await sdk.tasks.trigger('echo', 1, { delay: '1h' }); await sdk.runs.cancel(id);",
            "CANCELED",
            "Run was canceled",
        ),
    ],
)
def test_a_poll_ends_with_a_run_that_has_no_error_of_its_own(sdk: Sdk, script: str, status: str, sentence: str) -> None:
    polled, followed = sdk.run(
        POLL
        + "const pause = () => sdk.queues.pause({ type: 'task', name: 'expires' });"
        + script
        + """
        const polled = await poll(id);
        for await (const run of sdk.runs.subscribeToRun(id)) return [polled, run];
        """
    )

    assert [(run["status"], run["error"]["message"]) for run in (polled, followed)] == [(status, sentence)] * 2
    assert polled["isCompleted"]


@pytest.mark.parametrize("wanted", ["region: 'eu'"])
def test_a_filter_by_what_runs_do_not_have_is_refused(sdk: Sdk, wanted: str) -> None:
    told = sdk.refused(f"return sdk.runs.list({{ {wanted} }});")

    assert (told["class"], told["status"]) == ("BadRequestError", 400)
    assert told["error"].startswith("There is no filter or page parameter")


def test_bulk_actions(sdk: Sdk) -> None:
    tag = uuid4().hex
    runs, canceled, touched, statuses, replayed, listed = sdk.run(
        """
        const trigger = () => sdk.tasks.trigger("echo", 1, { tags: [args.tag], delay: "1h" });
        const runs = [await trigger(), await trigger()].map((run) => run.id);
        const poll = async (action) => sdk.runs.bulk.poll(action.id, { pollIntervalMs: 50 });
        const canceled = await poll(await sdk.runs.bulk.cancel({ filter: { tag: args.tag }, name: "all" }));
        const touched = (await sdk.runs.list({ bulkAction: canceled.id })).data.map((run) => run.id);
        const statuses = [];
        for (const run of runs) statuses.push((await sdk.runs.retrieve(run)).status);
        const replayed = await poll(await sdk.runs.bulk.replay({ runIds: runs }));
        const page = await sdk.runs.bulk.list();
        return [runs, canceled, touched, statuses, replayed, page.data.map((each) => each.id)];
        """,
        tag=tag,
    )

    assert (canceled["type"], canceled["status"], canceled["name"]) == ("CANCEL", "COMPLETED", "all")
    assert canceled["counts"] == {"total": 2, "success": 2, "failure": 0}
    assert touched == runs[::-1]
    assert statuses == ["CANCELED", "CANCELED"]
    assert replayed["counts"]["success"] == 2
    assert {canceled["id"], replayed["id"]} <= set(listed)


def test_a_bulk_action_is_retrieved_and_stopped_unless_it_is_over(sdk: Sdk) -> None:
    bulk, retrieved = sdk.run(
        """
        const { id } = await sdk.runs.bulk.cancel({ filter: { tag: args.tag } });
        await sdk.runs.bulk.poll(id, { pollIntervalMs: 50 });
        return [id, await sdk.runs.bulk.retrieve(id)];
        """,
        tag=uuid4().hex,
    )

    told = sdk.refused("return sdk.runs.bulk.abort(args.bulk);", bulk=bulk)

    assert (retrieved["id"], retrieved["status"]) == (bulk, "COMPLETED")
    assert (told["status"], told["error"]) == (400, f"Cannot abort bulk action {bulk}: it is COMPLETED.")


def test_a_key_that_opens_nothing_is_an_authentication_error(sdk: Sdk) -> None:
    told = sdk.holding("tr_dev_nothing").refused("return sdk.runs.list();")

    assert (told["class"], told["status"]) == ("AuthenticationError", 401)
    assert told["error"].startswith("Invalid or Missing API Key")


def test_a_wrong_query_is_a_bad_request(sdk: Sdk) -> None:
    told = sdk.refused("return sdk.runs.list({ limit: 1000 });")

    assert (told["class"], told["status"], told["error"]) == (
        "BadRequestError",
        400,
        "page[size] is 1 to 100, not '1000'.",
    )
