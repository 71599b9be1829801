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
