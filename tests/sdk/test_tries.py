"""Tries of a step: each that fails is in the journal, and code that is run again goes on with the next one."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from runfold import JournalMismatchError, Retry, StepFailedError, SyncContext, step_key
from runfold.entries import Outcome
from runfold.errors import SuspendedError
from tests.sdk.journals import Killed, Story
from tests.sdk.test_steps import context
from tests.sdk.test_steps_blocking import context as blocking_context

THRICE = Retry(max_attempts=3, min_timeout_ms=1_000)


class Flaky:
    """A step that fails so often, and notes the key of each try: tries of the `story` are counted when committed."""

    def __init__(self, failures: int, story: Story | None = None, number: int = 1) -> None:
        self.failures = failures
        self.keys: list[str] = []
        self._story = story
        self._number = number

    def __call__(self, *_: Any) -> int:
        self.keys.append(step_key())
        number = len(self.keys) if self._story is None else self._committed(self._story) + 1
        if number <= self.failures:
            raise OSError(f"busy {number}")
        return number

    def _committed(self, story: Story) -> int:
        return sum(each.kind == "tried" and each.number == self._number for each in story.entries)


def kinds(story: Story) -> list[tuple[str, str]]:
    return [(each.name, each.kind) for each in story.entries]


def places(story: Story) -> list[tuple[str, int | None, bool]]:
    return [(each.name, each.after, each.forked) for each in story.entries]


def trying(function: Callable[..., Any], retry: Retry = THRICE) -> Callable[[Story], Any]:
    async def code(story: Story) -> Any:
        before = await story.step("before")
        tried = await context(story).step("it", function, retry=retry)
        return before, tried, await story.step("behind")

    return code


@pytest.mark.parametrize("until", range(1, 5))
async def test_code_that_is_run_again_goes_on_with_the_next_try(until: int) -> None:
    story = Story()
    flaky = Flaky(2, story)
    with pytest.raises(Killed):
        await story.play(trying(flaky), until=until)

    await story.play(trying(flaky))
    told = await story.play(trying(flaky))

    assert kinds(story) == [
        ("before", "succeeded"),
        *[("it", "tried")] * 2,
        ("it", "succeeded"),
        ("behind", "succeeded"),
    ]
    assert story.pauses == [1_000, 2_000], "a try that is not committed is tried again, and is the same one"
    assert len(set(flaky.keys)) == 1, "the key is that of the step, however often it is tried"
    assert places(story) == [("before", None, False), *[("it", 0, False)] * 3, ("behind", 3, False)]
    assert told == await story.play(trying(flaky))


async def test_a_try_waits_for_its_time_also_in_another_process() -> None:
    story, flaky = Story(), Flaky(failures=1)
    story.wakes = False
    with pytest.raises(Killed):
        await story.play(trying(flaky), is_killed_when_blocked=True)
    with pytest.raises(Killed):
        await story.play(trying(flaky), is_killed_when_blocked=True)
    tries_before = len(flaky.keys)
    asyncio.get_running_loop().call_soon(story.wake, 1, Outcome())

    await story.play(trying(flaky))

    assert (tries_before, len(flaky.keys)) == (1, 2)
    assert [each for each in story.blocked if each][:2] == [(1,), (1,)], "nothing goes on meanwhile"
    assert kinds(story)[1:3] == [("it", "tried"), ("it", "succeeded")]


async def test_the_last_try_is_the_failure_of_the_step_and_stays_it() -> None:
    story, flaky = Story(), Flaky(failures=9)

    for _ in range(2):
        with pytest.raises(StepFailedError, match="busy 3"):
            await story.play(trying(flaky))

    assert [each.kind for each in story.entries] == ["succeeded", "tried", "tried", "failed"]
    assert len(flaky.keys) == 3


async def test_the_next_attempt_tries_as_often_as_the_first_one() -> None:
    story, flaky = Story(), Flaky(failures=4)
    with pytest.raises(StepFailedError):
        await story.play(trying(flaky))
    story.fail()

    assert (await story.play(trying(flaky)))[1] == 5

    assert [each.kind for each in story.entries[1:]] == ["tried", "tried", "failed", "tried", "succeeded", "succeeded"]
    assert [each.attempt for each in story.entries] == [1, 1, 1, 1, 2, 2, 2]


async def test_an_open_try_of_an_earlier_attempt_or_of_another_run_is_none_of_this_one() -> None:
    story, flaky = Story(), Flaky(failures=3)
    story.wakes = False
    with pytest.raises(Killed):
        await story.play(trying(flaky), is_killed_when_blocked=True)
    before = [msgspec.structs.replace(each, attempt=0) for each in story.entries]

    for again in (Story(*story.entries, attempt=2), Story(*before)):
        again_flaky = Flaky(failures=2)
        assert (await again.play(trying(again_flaky)))[1] == 3
        assert [each.kind for each in again.entries] == [
            *("succeeded", "tried"),
            *("tried", "tried", "succeeded", "succeeded"),
        ]


async def test_code_that_has_other_plans_behind_a_failed_try_is_noticed() -> None:
    story, flaky = Story(), Flaky(failures=1)
    with pytest.raises(Killed):
        await story.play(trying(flaky), until=2)

    async def changed(story: Story) -> Any:
        await story.step("before")
        return await story.step("else")

    with pytest.raises(JournalMismatchError, match='After "before" came "it", and now "else"'):
        await story.play(changed)


async def test_tries_of_several_steps_are_open_at_once() -> None:
    story = Story()
    story.patience_seconds = 60  # nothing waits for what is not over
    flaky = {name: Flaky(failures, story, n) for n, (name, failures) in enumerate((("a", 2), ("b", 0), ("c", 1)), 1)}

    async def code(story: Story) -> Any:
        ctx = context(story)
        steps = [ctx.step("each", each, name, retry=THRICE) for name, each in flaky.items()]
        return await asyncio.gather(*steps)

    for until in range(1, 6):
        with pytest.raises(Killed):
            await story.play(code, until=until)

    assert await story.play(code) == await story.play(code)
    assert sorted(each.kind for each in story.entries) == [*["succeeded"] * 3, *["tried"] * 3]
    assert [len(set(each.keys)) for each in flaky.values()] == [1, 1, 1]
    assert len({each.keys[0] for each in flaky.values()}) == 3


@pytest.mark.parametrize("until", range(1, 7))
async def test_a_race_with_tries_comes_out_as_it_did(until: int) -> None:
    """The first of two steps fails at first: whichever is told first stays the first one."""

    async def code(story: Story, flaky: Flaky) -> Any:
        ctx = context(story)
        both = [
            asyncio.ensure_future(ctx.step("flaky", flaky, retry=THRICE)),
            asyncio.ensure_future(story.step("steady", turns=until)),
        ]
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        first = "flaky" if both[0] in done else "steady"
        await story.step(f"after {first}")
        await asyncio.gather(*both)
        return first

    story, flaky = Story(), Flaky(failures=1)

    first = await story.play(lambda story: code(story, flaky))
    again = Story(*story.entries)
    for size in range(1, len(story.entries)):
        cut = Story(*_cut(story, size))
        await cut.play(lambda story: code(story, Flaky(failures=1)))
        assert {each.name for each in cut.entries[:size]} == {each.name for each in story.entries[:size]}

    assert await again.play(lambda story: code(story, Flaky(failures=1))) == first
    assert kinds(again) == kinds(story), "nothing is done anew"


def _cut(story: Story, size: int) -> list[Any]:
    """The journal when it had so many entries: what was over later is open."""
    return [
        msgspec.structs.replace(each, completed=None) if each.completed and each.completed.behind > size else each
        for each in story.entries[:size]
    ]


async def test_a_step_that_the_code_cancels_between_two_tries_is_cancelled_whenever_it_is_run_again() -> None:
    story, flaky = Story(), Flaky(failures=9)

    async def code(story: Story) -> str:
        trying = asyncio.ensure_future(context(story).step("it", flaky, retry=THRICE))
        await story.step("other")
        while len(story.entries) < 2:  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0)
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
        return str((await story.step("behind"))[0])

    story.wakes = False
    first = await story.play(code)
    entries = kinds(story)

    assert (first, await story.play(code), kinds(story)) == ("behind", "behind", entries)
    assert ("it", "tried") in entries
    assert ("it", "failed") in entries
    assert story.entries[entries.index(("it", "failed"))].is_canceled
    assert len(flaky.keys) == 1


async def test_nothing_goes_on_while_only_tries_wait_and_the_process_may_be_given_up() -> None:
    story, flaky = Story(), Flaky(failures=1)
    story.wakes = False

    async def code(story: Story) -> Any:
        return await context(story).step("it", flaky, retry=THRICE)

    playing = asyncio.ensure_future(story.play(code))
    while not story.blocked:  # noqa: ASYNC110 (as above)
        await asyncio.sleep(0)
    is_given_up = story.journal.suspend(SuspendedError("elsewhere"))
    playing.cancel()

    assert is_given_up
    assert story.blocked == [(0,)]
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert kinds(story) == [("it", "tried")], "what gives up the process is no cancel of the code's own"


def test_code_that_does_not_await_tries_again_in_the_same_way() -> None:
    story, flaky = Story(), Flaky(failures=2)

    def code(story: Story) -> Any:
        ctx: SyncContext = blocking_context(story)
        return ctx.step("before", lambda: 1), ctx.step("it", flaky, retry=THRICE), ctx.step("behind", lambda: 3)

    first = story.play_blocking(code)
    again = Story(*story.entries[:2])
    later = Flaky(failures=1)

    assert first == (1, 3, 3) == story.play_blocking(code)
    assert kinds(story)[1:4] == [*[("it", "tried")] * 2, ("it", "succeeded")]
    assert places(story) == [("before", None, False), *[("it", 0, False)] * 3, ("behind", 3, False)]
    assert len(set(flaky.keys)) == 1

    def resumed(story: Story) -> Any:
        ctx: SyncContext = blocking_context(story)
        return ctx.step("before", lambda: 9), ctx.step("it", later, retry=THRICE), ctx.step("behind", lambda: 3)

    assert again.play_blocking(resumed) == (1, 2, 3)
    assert [each.kind for each in again.entries] == ["succeeded", "tried", "tried", "succeeded", "succeeded"]


def test_a_thread_that_waits_for_its_next_try_is_told_when_its_process_is_given_up() -> None:
    story, flaky = Story(), Flaky(failures=1)
    story.wakes = False
    gone = threading.Event()

    def code(story: Story) -> Any:
        return blocking_context(story).step("it", flaky, retry=THRICE)

    def give_up() -> None:
        gone.set()
        story.journal.suspend(SuspendedError("elsewhere"))

    block = story.block

    def blocked(waits: tuple[int, ...]) -> None:
        block(waits)
        if waits:
            story.journal.loop.call_soon(give_up)

    story.block = blocked  # type: ignore[method-assign]
    with pytest.raises(SuspendedError):
        story.play_blocking(code)

    assert gone.is_set()
    assert kinds(story) == [("it", "tried")]


async def test_nothing_that_is_known_waits_for_a_try_that_is_open() -> None:
    story, flaky = Story(), Flaky(failures=1)
    story.wakes = False
    story.patience_seconds = 60

    async def code(story: Story) -> Any:
        trying = asyncio.ensure_future(context(story).step("it", flaky, retry=THRICE))
        beside = [await story.step("beside", n, turns=20) for n in range(2)]
        return beside, await trying

    with pytest.raises(Killed):
        await story.play(code, is_killed_when_blocked=True)
    playing = asyncio.ensure_future(story.play(code))
    async with asyncio.timeout(10):
        while sum(map(bool, story.blocked)) < 2:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0)
    story.wake([each.kind for each in story.entries].index("tried"), Outcome())

    assert (await playing)[1] == 2
    assert story.ran == ["beside", 1]
