"""tasks.trigger, tasks.batchTrigger and batch.*: every option arrives, and every answer is understood."""

from typing import Any
from uuid import uuid4

import pytest

from tests.official_sdk.conftest import Sdk

POLL = "const poll = (id) => sdk.runs.poll(id, { pollIntervalMs: 50 });"


def test_a_run_is_triggered_performed_and_polled(sdk: Sdk) -> None:
    run = sdk.run(POLL + "const h = await sdk.tasks.trigger('echo', { name: 'Ada' }); return poll(h.id);")

    assert (run["status"], run["payload"], run["output"]) == ("COMPLETED", {"name": "Ada"}, {"name": "Ada"})
    assert (run["isCompleted"], run["isSuccess"], run["isFailed"]) == (True, True, False)
    assert run["finishedAt"]["$date"]


@pytest.mark.parametrize("payload", [None, "text", "", 5, True, [1, "a"], {"a": {"b": [None]}}])
def test_every_payload_comes_back(sdk: Sdk, payload: Any) -> None:
    run = sdk.run(POLL + "return poll((await sdk.tasks.trigger('echo', args.payload)).id);", payload=payload)

    assert (run["payload"], run["output"]) == (payload, payload)


def test_a_worker_gets_what_superjson_wraps(sdk: Sdk) -> None:
    run = sdk.run(
        POLL + "const payload = { at: new Date(0), set: new Set([1, 2]), big: 12345678901234567890n, none: undefined };"
        "return poll((await sdk.tasks.trigger('echo', payload)).id);"
    )

    seen = {"at": "1970-01-01T00:00:00.000Z", "set": [1, 2], "big": "12345678901234567890", "none": None}
    assert (run["payload"], run["output"]) == (seen, seen)


def test_a_payload_may_be_absent(sdk: Sdk) -> None:
    run = sdk.run(POLL + "return poll((await sdk.tasks.trigger('echo')).id);")

    assert "payload" not in run
    assert run["status"] == "COMPLETED"


def test_every_option_arrives(sdk: Sdk) -> None:
    run = sdk.run(
        POLL
        + """
        const key = await sdk.idempotencyKeys.create(["order", args.key]);
        const handle = await sdk.tasks.trigger("told", { a: 1 }, {
          queue: "letters", concurrencyKey: "ada", idempotencyKey: key, idempotencyKeyTTL: "5m", ttl: 3600,
          tags: ["x", "y"], maxAttempts: 5, metadata: { m: 1 }, maxDuration: 100, machine: "large-1x", priority: 3,
          region: "eu", delay: new Date(Date.now() - 1000),
        });
        return poll(handle.id);
        """,
        key=uuid4().hex,
    )

    told = {"payload": {"a": 1}, "tags": ["x", "y"], "metadata": {"m": 1}, "priority": 3, "machine": "large-1x"}
    told |= {"maxAttempts": 5, "maxDuration": 100.0, "concurrencyKey": "ada", "queue": "letters"}
    assert run["output"] == told
    assert (run["tags"], run["ttl"], run["metadata"]) == (["x", "y"], "3600s", {"m": 1})
    assert run["idempotencyKey"].startswith("order-")


def test_a_run_is_locked_to_a_version_and_waits_until_its_time(sdk: Sdk) -> None:
    version, delayed, done = sdk.run(
        POLL
        + """
        const { version } = await sdk.deployments.retrieveCurrent();
        const later = new Date(Date.now() + 3_600_000);
        const { id } = await sdk.tasks.trigger("echo", 1, { version, delay: later });
        const delayed = await sdk.runs.retrieve(id);
        await sdk.runs.cancel(id);
        const done = await poll((await sdk.tasks.trigger("echo", 1, { version })).id);
        return [version, { ...delayed, isExact: +delayed.delayedUntil === +later }, done];
        """
    )

    assert (delayed["status"], delayed["isExact"], done["version"]) == ("DELAYED", True, version)


def test_a_version_that_is_not_there_yet_is_waited_for(sdk: Sdk) -> None:
    status = sdk.run(
        """
        const { id } = await sdk.tasks.trigger("echo", 1, { version: "19700101.1" });
        const run = await sdk.runs.retrieve(id);
        await sdk.runs.cancel(id);
        return run.status;
        """
    )

    assert status == "PENDING_VERSION"


@pytest.mark.parametrize("option", ["gates: [{ queue: 'x' }]", "concurrency: ['x']"])
def test_limits_of_another_kind_are_refused_or_never_sent(sdk: Sdk, option: str) -> None:
    """The SDK of this version has no `gates`, so it leaves them out."""
    script = f"return (await sdk.tasks.trigger('echo', 1, {{ delay: '1h', {option} }})).id;"
    if option.startswith("gates"):
        assert sdk.run(script).startswith("run_")
    else:
        told = sdk.refused(script)
        assert (told["class"], told["status"]) == ("UnprocessableEntityError", 422)
        assert told["error"].startswith("The option concurrency is not supported")


def test_what_is_defined_in_typescript_triggers_by_its_name(sdk: Sdk) -> None:
    payload, run_of_schedule, queue = sdk.run(
        POLL
        + """
        const schema = { parse: (value) => ({ ...value, checked: true }) };
        const echo = sdk.schemaTask({ id: "echo", schema, run: async () => {} });
        const ticking = sdk.schedules.task({ id: "told", run: async () => {} });
        const letters = sdk.queue({ name: "letters", concurrencyLimit: 1 });
        const first = await poll((await echo.trigger({ a: 1 })).id);
        const second = await poll((await ticking.trigger({ a: 2 })).id);
        const third = await poll((await sdk.tasks.trigger("told", 1, { queue: letters.name })).id);
        return [first.output, second.taskIdentifier, third.output.queue];
        """
    )

    assert payload["a"] == 1
    assert (run_of_schedule, queue) == ("told", "letters")


def test_an_idempotency_key_gives_the_run_that_there_is_until_it_is_reset(sdk: Sdk) -> None:
    first, again, other, after = sdk.run(
        """
        const key = await sdk.idempotencyKeys.create(args.key);
        const trigger = (task) => sdk.tasks.trigger(task, 1, { idempotencyKey: key });
        const runs = [await trigger("echo"), await trigger("echo"), await trigger("told")];
        await sdk.idempotencyKeys.reset("echo", key);
        return [...runs, await trigger("echo")].map((run) => [run.id, run.isCached]);
        """,
        key=uuid4().hex,
    )

    assert (first[1], again) == (False, [first[0], True])
    assert other[0] != first[0]
    assert after[0] != first[0]


def test_debounced_triggers_are_one_run(sdk: Sdk) -> None:
    ids = sdk.run(
        """
        const debounce = { key: args.key, delay: "1h", mode: "trailing", maxDelay: "2h" };
        const runs = [];
        for (const i of [1, 2]) runs.push((await sdk.tasks.trigger("echo", i, { debounce })).id);
        const run = await sdk.runs.retrieve(runs[0]);
        await sdk.runs.cancel(runs[0]);
        return [...runs, run.payload, run.status];
        """,
        key=uuid4().hex,
    )

    assert ids[0] == ids[1]
    assert ids[2:] == [2, "DELAYED"]


def test_the_same_task_many_times(sdk: Sdk) -> None:
    batch, runs = sdk.run(
        POLL
        + """
        const handle = await sdk.tasks.batchTrigger("echo", [
          { payload: { i: 0 }, options: { tags: ["b0"] } }, { payload: { i: 1 } },
        ]);
        const batch = await sdk.batch.retrieve(handle.batchId);
        const runs = [];
        for (const id of batch.runs) runs.push(await poll(id));
        return [batch, runs];
        """
    )

    assert (batch["runCount"], len(batch["runs"])) == (2, 2)
    assert [(run["output"], run["tags"], run["batchId"]) for run in runs] == [
        ({"i": 0}, ["b0"], batch["id"]),
        ({"i": 1}, [], batch["id"]),
    ]


def test_several_tasks_in_one_batch(sdk: Sdk) -> None:
    outputs, batch = sdk.run(
        POLL
        + """
        const handle = await sdk.batch.trigger([{ id: "echo", payload: 1 }, { id: "in-queue", payload: 2 }]);
        const { runs } = await sdk.batch.retrieve(handle.batchId);
        const outputs = [];
        for (const id of runs) outputs.push((await poll(id)).output);
        let batch;
        do { batch = await sdk.batch.retrieve(handle.batchId); } while (batch.status !== "COMPLETED");
        return [outputs, batch];
        """
    )

    assert outputs == [1, 2]
    assert batch["status"] == "COMPLETED"


def test_a_stream_of_items(sdk: Sdk) -> None:
    outputs = sdk.run(
        POLL
        + """
        async function* items() { for (let i = 0; i < 40; i++) yield { payload: i }; }
        const handle = await sdk.tasks.batchTrigger("echo", items());
        const { runs } = await sdk.batch.retrieve(handle.batchId);
        return Promise.all(runs.map(async (id) => (await poll(id)).output));
        """
    )

    assert outputs == list(range(40))


def test_tasks_by_their_own_objects(sdk: Sdk) -> None:
    outputs = sdk.run(
        POLL
        + """
        const echo = sdk.task({ id: "echo", run: async (payload) => payload });
        const told = sdk.task({ id: "in-queue", run: async (payload) => payload });
        const handle = await sdk.batch.triggerByTask([{ task: echo, payload: "a" }, { task: told, payload: "b" }]);
        const { runs } = await sdk.batch.retrieve(handle.batchId);
        const single = await echo.trigger("c");
        const many = await echo.batchTrigger([{ payload: "d" }]);
        const last = (await sdk.batch.retrieve(many.batchId)).runs;
        return Promise.all([...runs, single.id, ...last].map(async (id) => (await poll(id)).output));
        """
    )

    assert outputs == ["a", "b", "c", "d"]


def test_a_batch_is_made_once_with_a_key(sdk: Sdk) -> None:
    first, again = sdk.run(
        """
        const idempotencyKey = await sdk.idempotencyKeys.create(args.key);
        const trigger = () => sdk.batch.trigger([{ id: "echo", payload: 1 }], { idempotencyKey });
        return [await trigger(), await trigger()];
        """,
        key=uuid4().hex,
    )

    assert first["batchId"] == again["batchId"]


def test_a_large_payload_goes_by_an_upload(sdk: Sdk) -> None:
    size, same, status = sdk.run(
        POLL
        + """
        const text = "ä".repeat(200_000);
        const run = await poll((await sdk.tasks.trigger("echo", { text })).id);
        return [run.output.text.length, run.payload.text === text && run.output.text === text, run.status];
        """
    )

    assert (size, same, status) == (200_000, True, "COMPLETED")


def test_a_large_item_of_a_batch_goes_by_an_upload(sdk: Sdk) -> None:
    sizes = sdk.run(
        POLL
        + """
        const handle = await sdk.tasks.batchTrigger("echo", [{ payload: "x".repeat(150_000) }, { payload: "y" }]);
        const { runs } = await sdk.batch.retrieve(handle.batchId);
        return Promise.all(runs.map(async (id) => (await poll(id)).output.length));
        """
    )

    assert sizes == [150_000, 1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tags": list("abcdefghijk")}, "A run has at most 10 tags; these are 11."),
        ({"machine": "huge"}, "There is no machine 'huge'; machines are "),
        ({"delay": "soon"}, "soon"),
        ({"maxAttempts": 0}, "maxAttempts is 1 to 250, not 0."),
    ],
)
def test_what_is_refused_says_why(sdk: Sdk, options: dict[str, Any], sentence: str) -> None:
    told = sdk.refused("return sdk.tasks.trigger('echo', 1, args.options);", options=options)

    assert (told["class"], told["status"]) == ("UnprocessableEntityError", 422)
    assert sentence in told["message"]
