"""runs.subscribeToRun, subscribeToRunsWithTag, subscribeToBatch: what a subscriber sees, and how it ends."""

from uuid import uuid4

import pytest

from tests.official_sdk.conftest import Sdk

UNKNOWN = "run_00000000000000000000000000000000"


def test_a_run_is_followed_to_its_end(sdk: Sdk) -> None:
    seen = sdk.run(
        """
        const at = new Date(0);
        const { id } = await sdk.tasks.trigger("steps", 3, { tags: ["a", "b,c"], delay: "1s" });
        const seen = [];
        for await (const run of sdk.runs.subscribeToRun(id)) seen.push(run);
        return seen;
        """
    )

    first, last = seen[0], seen[-1]
    assert (first["status"], first["payload"], first["tags"], first["isTest"]) == ("DELAYED", 3, ["a", "b,c"], False)
    assert (last["status"], last["output"], last["metadata"]) == ("COMPLETED", 3, {"done": 3})
    assert (last["isCompleted"], last["isSuccess"]) == (True, True)
    assert last["finishedAt"]["$date"] >= last["createdAt"]["$date"]
    updates = [run["updatedAt"]["$date"] for run in seen]
    assert updates == sorted(updates)


def test_the_statuses_come_in_their_order_and_none_comes_back(sdk: Sdk) -> None:
    """A reader that is slow is told less often, so that some may be missing; the first and the last are not."""
    statuses = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("steps", 3, { delay: "1s" });
        const statuses = [];
        for await (const run of sdk.runs.subscribeToRun(id)) statuses.push(run.status);
        return statuses;
        """
    )

    order = ["DELAYED", "QUEUED", "DEQUEUED", "EXECUTING", "COMPLETED"]
    places = [order.index(status) for status in statuses]
    assert (places[0], places[-1]) == (0, 4)
    assert places == sorted(places)
    assert places.count(4) == 1
    assert statuses.count("DELAYED") == 1


def test_dates_in_a_payload_are_dates_again(sdk: Sdk) -> None:
    payload = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", { at: new Date(0) });
        for await (const run of sdk.runs.subscribeToRun(id)) if (run.isCompleted) return run.payload;
        """
    )

    assert payload == {"at": {"$date": "1970-01-01T00:00:00.000Z"}}


@pytest.mark.parametrize(("task", "status"), [("fails", "FAILED"), ("echo", "COMPLETED")])
def test_a_run_that_is_over_is_told_once(sdk: Sdk, task: str, status: str) -> None:
    seen = sdk.run(
        """
        const { id } = await sdk.tasks.trigger(args.task, 1);
        await sdk.runs.poll(id, { pollIntervalMs: 50 });
        const seen = [];
        for await (const run of sdk.runs.subscribeToRun(id)) seen.push([run.status, run.error?.message]);
        return seen;
        """,
        task=task,
    )

    assert seen == [[status, "there is no more paper" if task == "fails" else None]]


def test_a_canceled_run_ends_its_subscription(sdk: Sdk) -> None:
    statuses = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", 1, { delay: "1h" });
        const statuses = [];
        for await (const run of sdk.runs.subscribeToRun(id)) {
          statuses.push(run.status);
          if (statuses.length === 1) await sdk.runs.cancel(id);
        }
        return statuses;
        """
    )

    assert statuses == ["DELAYED", "CANCELED"]


def test_columns_are_skipped(sdk: Sdk) -> None:
    run = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", "large");
        const options = { skipColumns: ["payload", "output", "updatedAt"] };
        for await (const run of sdk.runs.subscribeToRun(id, options)) if (run.isCompleted) return run;
        """
    )

    assert "payload" not in run
    assert "output" not in run


def test_runs_with_all_of_some_tags_are_followed(sdk: Sdk) -> None:
    a, b = uuid4().hex, uuid4().hex
    ids, seen = sdk.run(
        """
        const trigger = (i, tags) => sdk.tasks.trigger("echo", i, { tags });
        const ids = [(await trigger(0, args.tags)).id];
        await trigger(9, [args.tags[0]]);
        const seen = {};
        for await (const run of sdk.runs.subscribeToRunsWithTag(args.tags)) {
          seen[run.id] = run.output;
          if (ids.length === 1) ids.push((await trigger(1, args.tags)).id);
          if (ids.every((id) => seen[id] !== undefined)) break;
        }
        return [ids, seen];
        """,
        tags=[a, b],
    )

    assert seen == {ids[0]: 0, ids[1]: 1}


def test_the_runs_of_a_batch_are_followed(sdk: Sdk) -> None:
    outputs = sdk.run(
        """
        const { batchId } = await sdk.tasks.batchTrigger("echo", [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
        const done = {};
        for await (const run of sdk.runs.subscribeToBatch(batchId)) {
          if (run.isCompleted) done[run.id] = run.output;
          if (Object.keys(done).length === 3) break;
        }
        return Object.values(done).sort();
        """
    )

    assert outputs == [1, 2, 3]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("subscribeToRun(args.run)", f"Run {UNKNOWN} not found."),
        ("subscribeToBatch('batch_0')", "Batch batch_0 not found."),
        ("subscribeToRunsWithTag([])", "A subscription by tags names 1 to 10 of them under `tags`."),
    ],
)
def test_what_cannot_be_subscribed_to_is_said_and_hangs_nobody(sdk: Sdk, script: str, sentence: str) -> None:
    told = sdk.refused(f"for await (const run of sdk.runs.{script}) return run;", run=UNKNOWN)

    assert sentence in told["message"]


@pytest.mark.parametrize("scopes", ["{ read: { runs: ['run_other'] } }", "{ read: { tags: 'other' } }"])
def test_a_token_without_the_scope_is_told_so(sdk: Sdk, scopes: str) -> None:
    run, token = sdk.run(
        f"""
        const {{ id }} = await sdk.tasks.trigger("echo", 1);
        return [id, await sdk.auth.createPublicToken({{ scopes: {scopes} }})];
        """
    )

    told = sdk.holding(token).refused("for await (const run of sdk.runs.subscribeToRun(args.run)) return run;", run=run)

    assert "This public token has no scope for this" in told["message"]


def test_a_wrong_key_is_told_so(sdk: Sdk) -> None:
    told = sdk.holding("tr_dev_nothing").refused(
        "for await (const run of sdk.runs.subscribeToRun(args.run)) return run;", run=UNKNOWN
    )

    assert "Invalid or Missing API Key" in told["message"]


def test_the_token_of_a_handle_follows_its_run(sdk: Sdk) -> None:
    handle = sdk.run("return sdk.tasks.trigger('echo', 7);")

    output = sdk.holding(handle["publicAccessToken"]).run(
        "for await (const run of sdk.runs.subscribeToRun(args.run)) if (run.isCompleted) return run.output;",
        run=handle["id"],
    )

    assert output == 7


def test_many_runs_are_followed_at_once_and_none_is_missed(sdk: Sdk) -> None:
    outputs = sdk.run(
        """
        const follow = async (i) => {
          const { id } = await sdk.tasks.trigger("echo", i);
          let last;
          for await (const run of sdk.runs.subscribeToRun(id)) last = run.output;
          return last;
        };
        return Promise.all(Array.from({ length: 40 }, (_, i) => follow(i)));
        """
    )

    assert outputs == list(range(40))
