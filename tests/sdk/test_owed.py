"""Nothing new begins, and nothing ends, before the code has asked for what it did before."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from runfold import JournalMismatchError, aio
from runfold.children import Children
from runfold.log import Line
from tests.sdk.journals import Code, Killed, Story
from tests.sdk.test_steps_blocking import context

LONG_SECONDS = 5.0
"""Longer than any code here takes before it asks."""


class Lines(list[Line]):
    """Those of a run, and whether there is one."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    def append(self, line: Line) -> None:
        super().append(line)
        self.told.set()


async def plain(story: Story) -> Any:
    await story.step("a")
    await story.step("b")
    return await story.step("c")


async def side_by_side(story: Story) -> Any:
    await asyncio.gather(story.step("a"), story.step("b"))
    return await story.step("c")


async def begun_sooner(story: Story) -> Any:
    sooner = asyncio.create_task(story.step("b"))
    await story.step("a")
    await sooner
    return await story.step("c")


async def taken_out(story: Story) -> Any:
    await story.step("b")
    await asyncio.create_task(story.step("a"))
    return await story.step("c")


async def renamed(story: Story) -> Any:
    await asyncio.gather(story.step("a"), story.step("x"))
    return await story.step("c")


async def without_one(story: Story) -> Any:
    await asyncio.gather(story.step("a"))
    return await story.step("c")


MOVED = '"b" came after "a", and now it comes first in a task or thread of its own.'
MISSING = '"b" came first, and now the code ends without it.'


@pytest.mark.parametrize(
    ("before", "after", "until", "sentence"),
    [
        (plain, begun_sooner, 2, MOVED),
        (plain, begun_sooner, 3, MOVED),
        (side_by_side, taken_out, 2, '"b" came first in a task or thread of its own, and now it comes first.'),
        (side_by_side, taken_out, 3, 'First came "c", and now "b".'),
        (side_by_side, without_one, 3, MISSING),
    ],
)
async def test_what_is_done_is_not_done_again_in_another_place(
    before: Code, after: Code, until: int, sentence: str
) -> None:
    story = await killed(before, until)
    ran = [*story.ran]

    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(after)

    assert str(noticed.value) == sentence
    assert (story.ran, len(story.entries)) == (ran, until), "nothing was done"


@pytest.mark.parametrize("until", [2, 3])
async def test_a_branch_that_begins_with_something_else_is_noticed_at_the_end_also_by_another_process(
    until: int,
) -> None:
    story = await killed(side_by_side, until)

    with suppress(Killed, JournalMismatchError):
        await story.play(renamed, until=until + 1)
    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(renamed)

    assert str(noticed.value) == MISSING
    assert [story.ran.count(name) for name in "abx"] == [1, 1, 1], "what was committed is not done twice"


@pytest.mark.parametrize("until", [1, 2, 3])
@pytest.mark.parametrize("left", [0, 1, 2])
async def test_code_that_ends_sooner_than_before_is_noticed(until: int, left: int) -> None:
    async def shorter(story: Story) -> Any:
        for name in "abc"[:left]:
            await story.step(name)

    story = await killed(plain, until)
    ran = [*story.ran]
    if left >= until:
        await story.play(shorter)
        return

    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(shorter)

    place = f'after "{"abc"[left - 1]}"' if left else "first"
    assert str(noticed.value) == f'"{"abc"[left]}" came {place}, and now the code ends without it.'
    assert story.ran == ran


async def test_a_branch_that_ends_sooner_than_before_is_noticed() -> None:
    def code(*names: str) -> Code:
        async def gathered(story: Story) -> Any:
            return await asyncio.gather(steps(*names)(story), steps("x", "y")(story))

        return gathered

    story = await killed(code("a", "b"), 4)

    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(code("a"))

    assert str(noticed.value) == '"b" came after "a", and now the code ends without it.'


async def test_an_error_of_the_code_is_told_and_not_that_it_ended_sooner() -> None:
    async def fails(story: Story) -> Any:
        await story.step("a")
        raise ValueError("no paper")

    story = await killed(plain, 2)

    with pytest.raises(ValueError, match="no paper"):
        await story.play(fails)


async def test_nothing_new_begins_before_a_slow_branch_has_asked_for_what_it_did() -> None:
    async def step(story: Story) -> Any:
        return await story.step("new")

    async def wait(_story: Story) -> Any:
        return await aio.wait.for_("1h")

    for new in (step, wait):
        asked: list[int] = []

        async def code(story: Story, new: Code = new, asked: list[int] = asked) -> None:
            async def slow() -> None:
                await turns(60)
                asked.append(len(story.entries) + len(story.ran))
                await story.step("slow")
                await story.step("behind it")

            await asyncio.gather(slow(), new(story))

        story = await killed(side(slow=("slow", "behind it")), 2)
        story.patience_seconds = LONG_SECONDS

        await story.play(code)

        assert asked == [4], "nothing was begun by then"
        assert len(story.entries) == 3
        assert story.lines == []


async def test_what_is_slower_than_patience_is_asked_for_later_and_the_run_ends() -> None:
    async def code(story: Story) -> None:
        async def slow() -> None:
            await lines.told.wait()
            await story.step("slow")
            await story.step("behind it")

        await asyncio.gather(slow(), story.step("new"))

    story = await killed(side(slow=("slow", "behind it")), 2)
    story.lines = lines = Lines()

    await story.play(code)

    message = '"slow" was over before, and now the code goes on to what is new without asking for it.'
    assert [line.message for line in story.lines] == [message]
    assert story.ran == ["slow", "behind it", "new"]


@pytest.mark.parametrize("kind", ["step", "wait"])
async def test_what_is_dropped_before_it_begins_is_never_begun_and_keeps_its_place(kind: str) -> None:
    async def new(story: Story) -> None:
        try:
            await (story.step("new") if kind == "step" else aio.wait.for_("1h"))
        finally:
            await story.step("tidy")

    async def code(story: Story) -> None:
        dropped = asyncio.create_task(new(story))
        await turns(60)
        dropped.cancel()
        await story.step("slow")
        await story.step("behind it")
        with suppress(asyncio.CancelledError):
            await dropped

    story = await killed(steps("slow", "behind it"), 2)
    story.patience_seconds = LONG_SECONDS

    await story.play(code)
    await story.play(code)

    assert story.ran == ["slow", "behind it", "tidy"]
    assert [(each.name, each.after) for each in story.entries[2:]] == [
        ("new" if kind == "step" else "wait.for", None),
        ("tidy", 2),
    ]
    assert story.lines == []


async def test_a_trigger_that_is_dropped_under_way_keeps_its_place() -> None:
    async def trigger(story: Story) -> None:
        try:
            async with Children("trigger pack", {}):
                await asyncio.get_running_loop().create_future()  # the answer
        finally:
            await story.step("tidy")

    async def code(story: Story) -> None:
        dropped = asyncio.create_task(trigger(story))
        await story.step("first", turns=50)
        dropped.cancel()
        with suppress(asyncio.CancelledError):
            await dropped

    story = Story()
    await story.play(code)
    await story.play(code)

    assert [(each.name, each.is_canceled, each.after) for each in story.entries] == [
        ("first", False, None),
        ("trigger pack", True, None),
        ("tidy", False, 1),
    ]


async def test_a_run_that_ends_before_what_it_leaves_behind_has_asked_is_no_change() -> None:
    async def code(story: Story) -> str:
        asides.append(asyncio.ensure_future(steps("aside 1", "aside 2", "aside 3")(story)))
        await turns(0 if story.entries else 500)
        return "done"

    asides: list[asyncio.Task[Any]] = []
    story = await killed(code, 2)
    story.patience_seconds = LONG_SECONDS

    assert await story.play(code) == "done"
    assert story.ran == ["aside 1", "aside 2", "aside 3"], "the third was under way when the process died"
    assert story.lines == []


async def test_a_retry_may_end_sooner() -> None:
    story = await killed(plain, 2)
    story.fail()

    await story.play(steps("a"))

    assert story.ran[:2] == ["a", "b"]


def test_code_that_does_not_await_is_noticed_as_well() -> None:
    def code(*names: str) -> Callable[[Story], Any]:
        return lambda story: [context(story).step(name, str, name) for name in names]

    def in_thread(story: Story) -> Any:
        ctx = context(story)
        with ThreadPoolExecutor() as pool:
            sooner = pool.submit(ctx.step, "b", str, "b")
            ctx.step("a", str, "a")
            return sooner.result()

    story = Story()
    story.play_blocking(code("a", "b"))

    with pytest.raises(JournalMismatchError, match=r'^"b" came after "a", and now the code ends without it\.$'):
        story.play_blocking(code("a"))
    with pytest.raises(JournalMismatchError, match=r'^"b" came after "a", and now it comes first in a task or thread'):
        story.play_blocking(in_thread, patience_seconds=0.05)
    assert len(story.entries) == 2


def steps(*names: str) -> Code:
    async def code(story: Story) -> None:
        for name in names:
            await story.step(name)

    return code


def side(**branches: tuple[str, ...]) -> Code:
    """These steps in branches side by side."""

    async def code(story: Story) -> None:
        await asyncio.gather(*(steps(*names)(story) for names in branches.values()))

    return code


async def killed(code: Code, until: int) -> Story:
    """A run of this code whose process died when there were so many entries."""
    story = Story()
    with suppress(Killed):
        await story.play(code, until=until)
    assert len(story.entries) == until
    return story


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)
