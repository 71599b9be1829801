"""Code that does other things than its journal tells of is noticed, and nothing that comes after runs."""

import asyncio
from typing import Any

import pytest

from runfold import JournalMismatchError, StepFailedError
from runfold.aio import wait
from tests.sdk.journals import Code, Killed, Story


def steps(*names: str) -> Code:
    async def code(story: Story) -> Any:
        return [await (wait.for_(name) if name[0].isdigit() else story.step(*name.split())) for name in names]

    return code


CHANGES: dict[str, tuple[Code, str]] = {
    "inserted first": (steps("x", "a", "b", "c"), 'First came "a", and now "x".'),
    "inserted between": (steps("a", "x", "b", "c"), 'After "a" came "b", and now "x".'),
    "removed": (steps("a", "c"), 'After "a" came "b", and now "c".'),
    "renamed": (steps("a", "bee", "c"), 'After "a" came "b", and now "bee".'),
    "swapped": (steps("b", "a", "c"), 'First came "a", and now "b".'),
    "done twice": (steps("a", "a", "b", "c"), 'After "a" came "b", and now "a" number 2.'),
    "become a wait": (steps("1d", "b", "c"), 'First came "a", and now "wait.for".'),
}


@pytest.mark.parametrize(("changed", "sentence"), CHANGES.values(), ids=CHANGES)
async def test_a_change_is_noticed_by_the_first_thing_that_differs(changed: Code, sentence: str) -> None:
    story = Story()
    with pytest.raises(Killed):
        await story.play(steps("a", "b", "c"), until=2)
    ran = [*story.ran]

    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(changed)

    assert str(noticed.value) == sentence
    assert (story.ran, len(story.entries)) == (ran, 2), "nothing was done"


async def test_what_was_not_reached_before_may_change() -> None:
    story = Story()
    with pytest.raises(Killed):
        await story.play(steps("a", "b", "c"), until=2)

    results = await story.play(steps("a", "b", "d", "e"))

    assert [name for name, _ in results] == ["a", "b", "d", "e"]


async def test_a_name_that_stands_for_something_else_is_noticed() -> None:
    async def waits(story: Story) -> None:
        await wait.for_("1d")

    story = Story()
    await story.play(steps("wait.for"))

    with pytest.raises(JournalMismatchError, match=r'^"wait\.for" was a step, and is a wait now\.$'):
        await story.play(waits)


async def test_what_an_attempt_did_behind_what_it_kept_is_noticed_in_another_place() -> None:
    story = Story()
    await story.play(steps("a", "b"))
    story.fail()
    await story.play(steps("a", "b", "c"))

    with pytest.raises(JournalMismatchError, match=r'^"c" came after "b", and comes after "a" now\.$'):
        await story.play(steps("a", "c"))


OTHER = " has other arguments now. Give each a name of its own if they may change, or their order may."


async def test_other_arguments_of_one_of_several_are_noticed() -> None:
    story = Story()
    await story.play(steps("send ann", "send bob", "send cyd"))

    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(steps("send ann", "send cyd", "send bob"))

    assert str(noticed.value) == '"send" number 2' + OTHER
    assert story.ran == ["ann", "bob", "cyd"]


async def test_other_arguments_of_what_is_there_once_are_no_change() -> None:
    story = Story()
    await story.play(steps("send ann", "thank"))

    assert await story.play(steps("send bob", "thank")) == [["ann", 1], ["thank", 2]]


async def test_other_arguments_of_the_first_of_several_are_noticed_when_the_second_comes() -> None:
    story = Story()
    with pytest.raises(Killed):
        await story.play(steps("send ann", "send bob"), until=1)

    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(steps("send bob", "send ann"))

    assert str(noticed.value) == '"send" number 2' + OTHER
    assert story.ran == ["ann", "bob"], "bob was under way when the process died, and nobody got a second letter"


async def test_other_arguments_of_a_parallel_step_are_noticed() -> None:
    def code(*arguments: str) -> Code:
        async def gathered(story: Story) -> Any:
            return await asyncio.gather(story.step("a", arguments[0]), story.step("b", arguments[1], turns=9))

        return gathered

    story = Story()
    with pytest.raises(Killed):
        await story.play(code("at 5", "x"), until=1)

    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(code("at 6", "x"))

    assert str(noticed.value) == '"a"' + OTHER
    assert story.ran == ["at 5", "x"]


async def test_another_parallel_branch_of_a_name_is_noticed_at_the_end() -> None:
    async def code(story: Story, *items: str) -> Any:
        await asyncio.gather(*(story.step("fetch", item) for item in items))
        await story.step("last")

    story = Story()
    await story.play(lambda story: code(story, "x", "y"))

    with pytest.raises(
        JournalMismatchError, match=r'^"fetch" number 2 came first, and now the code ends without it\.$'
    ):
        await story.play(lambda story: code(story, "x", "z"))
    assert story.ran == ["x", "y", "last", "z"]


async def test_a_change_within_a_branch_is_noticed() -> None:
    async def branch(story: Story, *names: str) -> None:
        for name in names:
            await story.step(name)

    def code(*names: str) -> Code:
        async def gathered(story: Story) -> Any:
            return await asyncio.gather(branch(story, *names), branch(story, "x", "y"))

        return gathered

    story = Story()
    await story.play(code("a", "b", "c"))

    with pytest.raises(JournalMismatchError, match=r'^After "a" came "b", and now "c"\.$'):
        await story.play(code("a", "c"))


async def in_task(story: Story) -> Any:
    return await asyncio.create_task(story.step("charge", "5"))


async def in_gather(story: Story) -> Any:
    return await asyncio.gather(story.step("charge", "5"), story.step("look"))


async def in_group(story: Story) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(story.step("charge", "5"))


async def below_another_task(story: Story) -> Any:
    return await asyncio.create_task(in_group(story))


@pytest.mark.parametrize("wrapped", [in_task, in_gather, in_group, below_another_task])
@pytest.mark.parametrize("is_retry", [False, True])
@pytest.mark.parametrize("before", [(), ("first",)])
async def test_a_step_that_is_done_is_not_done_again_by_a_task_around_it(
    *, wrapped: Code, is_retry: bool, before: tuple[str, ...]
) -> None:
    async def code(story: Story) -> None:
        await steps(*before)(story)
        await wrapped(story)

    story = Story()
    await story.play(steps(*before, "charge 5", "last"))
    ran = [*story.ran]
    if is_retry:
        story.fail()

    with pytest.raises((JournalMismatchError, ExceptionGroup)):
        await story.play(code)

    place = 'After "first"' if before else "First"
    assert str(story.journal.broken) == f'{place} came "charge", and now it comes in a task or thread of its own.'
    assert story.ran == ran, "and nothing else was done"


async def test_a_step_that_waits_for_its_next_try_is_not_begun_anew_by_a_task_around_it() -> None:
    async def plain(story: Story) -> Any:
        return await story.step("charge", 5, busy=2)

    async def wrapped(story: Story) -> Any:
        return await asyncio.create_task(plain(story))

    story = Story()
    with pytest.raises(Killed):
        await story.play(plain, until=1)
    ran = [*story.ran]

    with pytest.raises(JournalMismatchError, match="in a task or thread of its own"):
        await story.play(wrapped)

    assert story.ran == ran


async def test_a_task_may_do_the_same_as_the_code_that_began_it() -> None:
    async def code(story: Story) -> Any:
        aside = asyncio.create_task(story.step("ping", 1, turns=60))
        await story.step("ping", 1)
        await story.step("look")
        return await aside

    story = Story()
    with pytest.raises(Killed):
        await story.play(code, until=2)
    assert [each.forked for each in story.entries] == [False, False], "that of the task is not done yet"

    await story.play(code)

    assert [each.name for each in story.entries] == ["ping", "look", "ping"]


async def test_code_that_catches_the_error_goes_no_further() -> None:
    async def code(story: Story) -> None:
        for name in ("a", "x", "b"):
            try:
                await story.step(name)
            except JournalMismatchError:
                continue

    story = Story()
    await story.play(steps("a", "b"))

    await story.play(code)

    assert isinstance(story.journal.broken, JournalMismatchError), "its attempt fails by that"
    assert story.ran == ["a", "b"]


async def test_a_retry_notices_that_what_it_keeps_comes_in_another_order() -> None:
    story = Story()
    await story.play(steps("a", "b", "c"))
    story.fail()

    with pytest.raises(JournalMismatchError) as noticed:
        await story.play(steps("b", "a", "c"))

    assert str(noticed.value) == '"b" came after "a", which has not been called in this attempt.'
    assert story.ran == ["a", "b", "c"]


async def test_a_retry_may_do_something_more_in_between() -> None:
    story = Story()
    await story.play(steps("a", "b"))
    story.fail()

    assert await story.play(steps("a", "look", "b")) == [["a", 1], ["look", 3], ["b", 2]]


async def test_a_retry_may_fail_where_it_did_not_before() -> None:
    async def code(story: Story) -> Any:
        try:
            await story.step("b", fails=story.attempt == 2)
        except StepFailedError:
            return await story.step("repair")
        return await story.step("c", fails=True)

    story = Story()
    with pytest.raises(StepFailedError):
        await story.play(code)
    story.fail()
    with pytest.raises(StepFailedError):
        await story.play(code)

    assert story.ran == ["b", "c", "c"], "what succeeded is not tried again"
