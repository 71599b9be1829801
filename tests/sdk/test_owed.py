"""Nothing new begins, and nothing ends, before the code has asked for what it did before."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from runfold import ApiError, JournalMismatchError, aio
from runfold.aio import tokens
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


async def test_a_branch_that_begins_with_something_else_is_noticed_at_the_end_also_by_another_process() -> None:
    story = await killed(side_by_side, 3)

    async def and_more(story: Story) -> Any:
        await renamed(story)
        await story.step("d")

    with pytest.raises(Killed):
        await story.play(and_more, until=4)
    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(and_more)

    assert str(noticed.value) == MISSING
    assert [story.ran.count(name) for name in "abcx"] == [1, 1, 1, 1], "what was committed is not done twice"


async def test_what_was_last_in_a_branch_is_not_done_again_in_one_that_begins_with_something_else() -> None:
    async def changed(story: Story) -> Any:
        return await asyncio.gather(steps("x", "b")(story))

    story = await killed(side(one=("a", "b")), 2)

    with pytest.raises(JournalMismatchError, match=r'^"b" came after "a", and now it comes after "x"\.$'):
        await story.play(changed)
    assert story.ran == ["a", "b", "x"]


async def test_of_what_nobody_had_heard_when_the_process_died_a_line_is_logged() -> None:
    story = await killed(side_by_side, 2)

    await story.play(renamed)

    message = '"b" was asked for before and is not now; the code may have dropped it when its process died.'
    assert [line.message for line in story.lines] == [message]
    assert story.entries[2].left == (1,)


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
            await asyncio.gather(steps(*names)(story), steps("x", "y")(story))
            await story.step("last")

        return gathered

    story = await killed(code("a", "b"), 5)

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
    assert story.lines[0].message == message
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


async def test_a_branch_dropped_when_the_process_died_does_not_fail_the_run_whatever_goes_on_beside_it() -> None:
    async def beside_another(story: Story) -> None:
        async def dropped() -> None:
            await turns(60)
            await story.step("dropped", turns=10)

        beside, loser = asyncio.create_task(story.step("beside", turns=600)), asyncio.create_task(dropped())
        await story.step("first", turns=69)
        loser.cancel()
        await story.step("next", turns=300)
        await beside

    async def the_same_again(story: Story) -> None:
        async def dropped() -> None:
            await turns(60)
            await story.step("poll", turns=10)

        loser = asyncio.create_task(dropped())
        await story.step("first", turns=69)
        loser.cancel()
        await story.step("poll", turns=300)

    async def in_a_group(story: Story) -> None:
        async def fails() -> None:
            await story.step("first", turns=60)
            raise ValueError

        async def catches() -> None:
            await story.step("begin")
            with suppress(BaseExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(fails())
                    await turns(60)
                    await story.step("dropped", turns=10)

        await asyncio.gather(catches(), story.step("beside", turns=600))

    for code, until in ((beside_another, 2), (the_same_again, 2), (in_a_group, 3)):
        story = await killed(code, until)
        assert story.entries[-1].ahead == 1, "nobody had heard of the first, nor of the one that is dropped by it"
        story.patience_seconds = LONG_SECONDS

        await story.play(code)
        await story.play(code)

        assert story.entries[until].left == (until - 1,)


async def test_what_was_held_begins_in_the_order_in_which_it_was_asked_for() -> None:
    names = [f"new {number}" for number in range(8)]

    async def code(story: Story) -> None:
        await asyncio.gather(*map(story.step, names), story.step("old"))

    story = Story()
    await story.play(side(old=("old",)))
    await story.play(code)

    assert story.ran == ["old", *names]


async def test_a_request_that_was_refused_is_refused_again_and_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[Any] = []

    async def refuse(asked: Any) -> Any:
        sent.append(asked)
        raise ApiError(422, "Too many tags.")

    async def code(story: Story) -> Any:
        async def token() -> str:
            try:
                await tokens.create_token(tags="a")
            except ApiError as error:
                await story.step("without")
                return str(error)
            raise AssertionError("it is refused")

        return await asyncio.gather(token(), story.step("beside", turns=50))

    monkeypatch.setattr("runfold.aio.tokens._create", refuse)
    story = Story()
    story.patience_seconds = LONG_SECONDS

    first = await story.play(code)

    assert await story.play(code) == first
    assert first[0] == "422: Too many tags."
    assert len(sent) == 1
    assert story.lines == []


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
