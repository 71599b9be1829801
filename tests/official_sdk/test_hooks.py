"""@trigger.dev/react-hooks: what pages do with public tokens, in a component that is rendered for each change.

Of several runs that arrive in one answer the hooks for lists keep one, because they add each to the list that was shown
last: so there is one run in these tests.
"""

from uuid import uuid4

from tests.official_sdk.conftest import Sdk
from tests.official_sdk.node import ANSWER_SECONDS


def test_use_realtime_run(page: Sdk) -> None:
    """With the token that came with the run, and no other."""
    handle = page.run("return sdk.tasks.trigger('steps', 2, { delay: '1s' });")

    seen = page.holding(handle["publicAccessToken"]).run(
        """
        const seen = await watch((hooks) => hooks.useRealtimeRun(args.run), ({ run }) => run?.finishedAt);
        return seen.filter(({ run }) => run).map(({ run }) => [run.status, run.metadata?.done, run.output]);
        """,
        run=handle["id"],
    )

    assert seen[0] == ["DELAYED", None, None]
    assert seen[-1] == ["COMPLETED", 2, 2]


def test_use_realtime_run_says_what_cannot_be_watched(page: Sdk) -> None:
    told = page.refused("return watch((hooks) => hooks.useRealtimeRun(args.run), () => false);", run="run_0")

    assert "Run run_0 not found." in told["message"]


def test_use_realtime_runs_with_tag(page: Sdk) -> None:
    tag = uuid4().hex
    token = page.run("return sdk.auth.createPublicToken({ scopes: { read: { tags: [args.tag] } } });", tag=tag)
    watching = page.holding(token).start(
        """
        const seen = await watch((hooks) => hooks.useRealtimeRunsWithTag(args.tag), ({ runs }) => runs[0]?.isCompleted);
        return seen.at(-1).runs.map((run) => run.output);
        """,
        tag=tag,
    )

    page.run("return sdk.tasks.trigger('echo', 7, { tags: [args.tag] });", tag=tag)

    assert watching.result(ANSWER_SECONDS) == [7]


def test_use_realtime_batch(page: Sdk) -> None:
    handle = page.run("return sdk.tasks.batchTrigger('echo', [{ payload: 1 }]);")

    outputs = page.holding(handle["publicAccessToken"]).run(
        """
        const seen = await watch((hooks) => hooks.useRealtimeBatch(args.batch), ({ runs }) => runs[0]?.isCompleted);
        return seen.at(-1).runs.map((run) => run.output);
        """,
        batch=handle["batchId"],
    )

    assert outputs == [1]


def test_use_task_trigger_and_watch_the_run(page: Sdk) -> None:
    """With a token for one trigger; the run is watched with the one that comes with it."""
    token = page.run("return sdk.auth.createTriggerPublicToken('echo');")

    last = page.holding(token).run(
        """
        const submit = (result) => result.submit("hello");
        const use = (hooks) => hooks.useRealtimeTaskTrigger("echo");
        const seen = await watch(use, ({ run }) => run?.finishedAt, submit);
        return seen.at(-1);
        """
    )

    assert (last["run"]["status"], last["run"]["output"]) == ("COMPLETED", "hello")
    assert last["handle"]["id"] == last["run"]["id"]


def test_use_task_trigger(page: Sdk) -> None:
    handle = page.run(
        """
        const submit = (result) => result.submit({ a: 1 }, { tags: ["x"] });
        const seen = await watch((hooks) => hooks.useTaskTrigger("echo"), ({ handle }) => handle, submit);
        return sdk.runs.poll(seen.at(-1).handle.id, { pollIntervalMs: 50 });
        """
    )

    assert (handle["output"], handle["tags"]) == ({"a": 1}, ["x"])


def test_use_run_asks_again_until_it_is_over(page: Sdk) -> None:
    handle = page.run("return sdk.tasks.trigger('echo', 1, { delay: '1s' });")

    statuses = page.holding(handle["publicAccessToken"]).run(
        """
        const options = { refreshInterval: 50 };
        const seen = await watch((hooks) => hooks.useRun(args.run, options), ({ run }) => run?.isCompleted);
        return seen.filter(({ run }) => run).map(({ run }) => run.status);
        """,
        run=handle["id"],
    )

    assert (statuses[0], statuses[-1]) == ("DELAYED", "COMPLETED")


def test_use_wait_token_completes_it(page: Sdk) -> None:
    token = page.run("return sdk.wait.createToken();")

    page.holding(token["publicAccessToken"]).run(
        """
        const use = (hooks) => hooks.useWaitToken(args.token);
        await watch(use, ({ isCompleted }) => isCompleted, ({ complete }) => complete({ paid: 3 }));
        """,
        token=token["id"],
    )

    assert page.run("return sdk.wait.retrieveToken(args.token);", token=token["id"])["output"] == {"paid": 3}
