"""Steps and waits in code that is not async, and in its threads."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runfold import Retry, RunfoldError, StepFailedError, SyncContext, aio, step, step_key, wait
from runfold.context import Cancellation
from runfold.worker.handed import Attempt, context_of
from tests.sdk.journals import Story
from tests.sdk.test_steps import HAND_OUT


def context(story: Story) -> SyncContext:
    made = context_of(Attempt(HAND_OUT, "1", 0), Cancellation(), story.journal, SyncContext)
    assert isinstance(made, SyncContext)
    return made


def double(number: int) -> int:
    return 2 * number


def places(story: Story) -> list[tuple[str, int | None, bool]]:
    return [(each.name, each.after, each.forked) for each in story.entries]


def test_steps_follow_one_another() -> None:
    def code(story: Story) -> list[Any]:
        ctx = context(story)
        wait.for_("1d")
        return [ctx.step("first", double, 1), ctx.step("second", step_key)]

    story = Story()

    first = story.play_blocking(code)

    assert first[0] == 2
    assert first == story.play_blocking(code), "the second step would have another key"
    assert places(story) == [("wait.for", None, False), ("first", 0, False), ("second", 1, False)]


def test_a_failure_keeps_its_place() -> None:
    def boom() -> None:
        raise ValueError("no")

    def code(story: Story) -> Any:
        ctx = context(story)
        with pytest.raises(StepFailedError, match="ValueError: no"):
            ctx.step("boom", boom)
        return ctx.step("go on", double, 2)

    story = Story()

    assert story.play_blocking(code) == 4 == story.play_blocking(code)
    assert places(story) == [("boom", None, False), ("go on", 0, False)]


def test_steps_are_tried_again() -> None:
    tries: list[int] = []

    def flaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError
        return len(tries)

    story = Story()

    def code(story: Story) -> Any:
        return context(story).step("flaky", flaky, retry=Retry(min_timeout_ms=0))

    assert story.play_blocking(code) == 3 == story.play_blocking(code)


def test_the_body_runs_in_the_thread_that_calls_it() -> None:
    def code(story: Story) -> Any:
        return context(story).step("which", threading.get_ident)

    assert Story().play_blocking(code) == threading.get_ident()


def test_an_async_function_needs_an_async_task() -> None:
    async def fetch() -> None: ...

    def code(story: Story) -> Any:
        with pytest.raises(StepFailedError, match="fetch is async, and so must be the task"):
            context(story).step("fetch", fetch)  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]

    Story().play_blocking(code)


def test_a_pool_of_threads_may_take_the_work_in_any_order() -> None:
    ran: list[int] = []

    def fetch(item: int) -> int:
        ran.append(item)
        return item * 10

    def code(*items: int, threads: int) -> Any:
        def pooled(story: Story) -> dict[int, int]:
            ctx = context(story)

            def work(item: int) -> int:
                return ctx.step("store", double, ctx.step("fetch", fetch, item))

            with ThreadPoolExecutor(threads) as pool:
                return dict(zip(items, pool.map(work, items), strict=True))

        return pooled

    story = Story()
    story.play_blocking(code(3, 1, threads=1))

    results = story.play_blocking(code(1, 2, 3, 4, threads=3))

    assert results == {1: 20, 2: 40, 3: 60, 4: 80}
    assert sorted(ran) == [1, 2, 3, 4]
    assert len({entry.index for entry in story.entries}) == 8


def test_a_thread_that_was_told_its_context_is_a_branch() -> None:
    def code(story: Story) -> list[Any]:
        ctx = context(story)
        ctx.step("first", double, 1)
        inner = contextvars.copy_context()

        def branch() -> list[int]:
            return [ctx.step("a", double, 2), ctx.step("b", double, 3)]

        with ThreadPoolExecutor(1) as pool:
            return [pool.submit(inner.run, branch).result(), ctx.step("last", double, 4)]

    story = Story()

    assert story.play_blocking(code) == [[4, 6], 8] == story.play_blocking(code)
    assert places(story) == [("first", None, False), ("a", 0, True), ("b", 1, False), ("last", 0, False)]


def test_a_decorated_function_is_a_step_in_a_run() -> None:
    keys: list[str] = []

    @step
    def charge(amount: int) -> int:
        keys.append(step_key())
        return amount

    story = Story()

    assert story.play_blocking(lambda _: charge(5)) == 5 == story.play_blocking(lambda _: charge(5))
    assert len(keys) == 1


def test_awaiting_on_an_event_loop_of_ones_own_says_that_it_cannot_work() -> None:
    async def sleep() -> None:
        await aio.wait.for_("1h")

    def code(_: Story) -> None:
        with pytest.raises(RunfoldError, match="on another event loop than that of its task"):
            asyncio.run(sleep())

    Story().play_blocking(code)


async def test_a_thread_of_an_async_task_is_a_branch_of_it() -> None:
    @step
    def charge(amount: int) -> int:
        return amount

    def in_thread() -> list[int]:
        first = charge(1)
        wait.for_("1h")
        return [first, charge(2)]

    async def code(story: Story) -> Any:
        await story.step("before")
        return await asyncio.to_thread(in_thread)

    story = Story()

    assert await story.play(code) == [1, 2] == await story.play(code)
    assert places(story) == [
        ("before", None, False),
        ("charge", 0, True),
        ("wait.for", 1, False),
        ("charge", 2, False),
    ]
