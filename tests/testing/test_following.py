"""Code that was changed, led along the journals of runs that there are already."""

import asyncio
from typing import Any

import pytest

from runfold import Context, JournalMismatchError, NotFoundError, Retry, SyncContext, Task, aio, task, wait
from runfold.testing import Clock, Followed, Serve, finished, follow_journal

DONE: list[str] = []
FAILURES: list[str] = []
BOTH = pytest.mark.parametrize("kind", ["async", "sync"])


def do(what: str) -> str:
    DONE.append(what)
    return what.upper()


def fail_once(what: str) -> str:
    FAILURES.append(what)
    if len(FAILURES) == 1:
        raise ConnectionError("away")
    return do(what)


@task
async def pack(book: str) -> str:
    return f"{book} in a box"


@task(id="order")
async def order(book: str, ctx: Context) -> list[Any]:
    charged = await ctx.step("charge", do, f"charge {book}")
    await ctx.metadata.set("charged", 1)
    await aio.wait.for_("1d")
    packed = (await pack.aio.trigger_and_wait(book)).unwrap()
    return [charged, packed, await ctx.step("thank", do, "thank")]


@task(id="order-sync")
def order_sync(book: str, ctx: SyncContext) -> list[Any]:
    charged = ctx.step("charge", do, f"charge {book}")
    ctx.metadata.set("charged", 1)
    wait.for_("1d")
    packed = pack.trigger_and_wait(book).unwrap()
    return [charged, packed, ctx.step("thank", do, "thank")]


NAMES = ("charge", "wait.for", "trigger pack", "wait.run", "thank")
ORDERS: dict[str, Task[Any, Any]] = {"async": order, "sync": order_sync}


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    DONE.clear()
    FAILURES.clear()


def ended(serve: Serve, clock: Clock) -> str:
    """An order that has come to its end."""
    serve(order, pack)
    run = order.trigger("Emma")
    clock.advance("1d")
    return finished(run).id


@BOTH
def test_code_that_was_not_changed_comes_to_the_same_end_and_does_nothing(
    kind: str, runfold_serve: Serve, runfold_clock: Clock
) -> None:
    runfold_serve(ORDERS[kind], pack)
    run = ORDERS[kind].trigger("Emma")
    runfold_clock.advance("1d")
    output = finished(run).output
    done = [*DONE]

    followed = follow_journal(ORDERS[kind], run)

    assert output == ["CHARGE EMMA", "Emma in a box", "THANK"]
    assert followed == Followed(NAMES, (), output=output)
    assert done == DONE == ["charge Emma", "thank"]


def test_code_that_asks_for_something_else_does_not_fit(runfold_serve: Serve, runfold_clock: Clock) -> None:
    @task(id="other")
    async def other(_book: str, ctx: Context) -> None:
        await ctx.step("pack first", do, "pack")

    run = ended(runfold_serve, runfold_clock)

    with pytest.raises(JournalMismatchError, match='First came "charge", and now "pack first"'):
        follow_journal(other, run)
    assert DONE == ["charge Emma", "thank"]


def test_code_that_does_more_or_less_at_its_end_is_told_from_what_it_was(
    runfold_serve: Serve, runfold_clock: Clock
) -> None:
    @task(id="less")
    async def less(book: str, ctx: Context) -> str:
        return await ctx.step("charge", do, f"charge {book}")

    @task(id="more")
    async def more(book: str, ctx: Context) -> None:
        await order.body.function(book, ctx)
        await ctx.step("ask how it was", do, "ask")

    run = ended(runfold_serve, runfold_clock)

    with pytest.raises(
        JournalMismatchError, match=r'"wait\.for" came after "charge", and now the code ends without it'
    ):
        follow_journal(less, run)
    assert follow_journal(more, run) == Followed(NAMES, (), "ask how it was")
    assert DONE == ["charge Emma", "thank"]


@BOTH
def test_code_stops_where_the_run_waits(kind: str, runfold_serve: Serve, runfold_clock: Clock) -> None:
    runfold_serve(ORDERS[kind], pack)
    run = ORDERS[kind].trigger("Emma")
    runfold_clock.settle()

    assert follow_journal(ORDERS[kind], run) == Followed(("charge", "wait.for"), (), "wait.for")


def test_what_failed_and_was_tried_again_is_there_once(runfold_serve: Serve) -> None:
    @task(id="try-again", retry=Retry(max_attempts=2, min_timeout_ms=0))
    async def again(_payload: None, ctx: Context) -> str:
        return await ctx.step("flaky", fail_once, "flaky")

    runfold_serve(again)
    run = again.trigger(None)
    assert finished(run).output == "FLAKY"

    assert follow_journal(again, run) == Followed(("flaky",), (), output="FLAKY")


@BOTH
def test_a_step_that_was_tried_again_is_there_once_and_is_next_while_it_waits(
    kind: str, runfold_serve: Serve, runfold_clock: Clock
) -> None:
    hourly = Retry(min_timeout_ms=3_600_000, max_timeout_ms=3_600_000, randomize=False)

    @task(id="persist")
    async def persist(_payload: None, ctx: Context) -> str:
        return await ctx.step("flaky", fail_once, "flaky", retry=hourly)

    @task(id="persist-sync")
    def persist_sync(_payload: None, ctx: SyncContext) -> str:
        return ctx.step("flaky", fail_once, "flaky", retry=hourly)

    tasks: dict[str, Task[Any, Any]] = {"async": persist, "sync": persist_sync}
    runfold_serve(tasks[kind], freeze_after=0)
    run = tasks[kind].trigger(None)
    runfold_clock.advance("59m")
    before = follow_journal(tasks[kind], run)
    runfold_clock.advance("1m")

    assert finished(run).output == "FLAKY"
    assert before == Followed((), (), "flaky")
    assert follow_journal(tasks[kind], run) == Followed(("flaky",), (), output="FLAKY")
    assert DONE == ["flaky"]


def test_how_code_fails_is_told(runfold_serve: Serve) -> None:
    @task(id="fail-later", retry=Retry(max_attempts=1))
    async def fail_later(_payload: None, ctx: Context) -> None:
        await ctx.step("charge", do, "charge")
        raise ValueError("no paper")

    runfold_serve(fail_later)
    run = fail_later.trigger(None)
    assert finished(run).status == "FAILED"

    followed = follow_journal(fail_later, run)

    assert (followed.met, str(followed.error)) == (("charge",), "no paper")


def test_a_run_that_there_is_not_and_code_that_does_not_end(runfold_serve: Serve) -> None:
    @task(id="endless")
    async def endless(_book: str) -> None:
        await asyncio.get_running_loop().create_future()

    runfold_serve(pack)
    run = pack.trigger("Emma")
    finished(run)

    with pytest.raises(NotFoundError):
        follow_journal(pack, "run_00000000000000000000000000000000")
    with pytest.raises(TimeoutError, match="has not come to its end"):
        follow_journal(endless, run, timeout=0.1)
