"""The journal of a run: what was done before is not done again, in this attempt, in another process, in a retry."""

import asyncio
from typing import Any

import msgspec
import pytest

from runfold import StepFailedError
from runfold.aio import wait
from runfold.entries import Entry, Outcome
from tests.sdk.journals import Killed, Story


def places(story: Story) -> list[tuple[Any, ...]]:
    return [(each.name, each.number, each.after, each.forked) for each in story.entries]


async def three(story: Story) -> list[Any]:
    return [await story.step(name) for name in "abc"]


async def test_what_is_done_for_the_first_time_is_told_in_its_order() -> None:
    story = Story()

    results = await story.play(three)

    assert results == [["a", 1], ["b", 2], ["c", 3]]
    assert [(each.index, each.kind) for each in story.entries] == [(0, "succeeded"), (1, "succeeded"), (2, "succeeded")]
    assert places(story) == [("a", 1, None, False), ("b", 1, 0, False), ("c", 1, 1, False)]


@pytest.mark.parametrize("until", range(3))
async def test_a_killed_process_has_lost_only_what_was_not_committed(until: int) -> None:
    story = Story()
    with pytest.raises(Killed):
        await story.play(three, until=until)

    results = await story.play(three)

    done, again = list("abc"[:until]), list("abc"[until:])
    assert story.ran == [*done, "abc"[until], *again]
    assert [name for name, _ in results] == list("abc")
    assert results == await story.play(three), "and again, when all is there"
    assert len(story.entries) == 3


async def test_a_retry_keeps_what_succeeded_and_tries_again_what_failed() -> None:
    async def code(story: Story) -> Any:
        first = await story.step("a")
        try:
            await story.step("b", fails=story.attempt == 1)
        except StepFailedError:
            return await story.step("clean up")
        return [first, await story.step("c")]

    story = Story()
    await story.play(code)
    story.fail()

    results = await story.play(code)

    assert story.ran == ["a", "b", "clean up", "b", "c"]
    assert results == [["a", 1], ["c", 5]]
    assert places(story)[2:] == [("clean up", 1, 1, False), ("b", 1, 0, False), ("c", 1, 3, False)]
    assert results == await story.play(code), "the second attempt goes on by what it did itself"
    assert len(story.ran) == 5


async def test_what_comes_behind_a_failure_that_does_not_recur_is_kept() -> None:
    async def code(story: Story) -> Any:
        try:
            await story.step("charge", fails=story.attempt == 1)
        except StepFailedError:
            await story.step("notify")
        return await story.step("ship")

    story = Story()
    await story.play(code)
    story.fail()

    result = await story.play(code)

    assert result == ["ship", 3]
    assert story.ran == ["charge", "notify", "ship", "charge"]


async def test_a_failure_that_was_caught_is_the_same_in_each_replay_of_the_attempt() -> None:
    async def code(story: Story) -> Any:
        try:
            await story.step("a", fails=True)
        except StepFailedError as error:
            return [str(error), await story.step("b")]

    story = Story()

    first = await story.play(code)

    assert first == ['The step "a" failed: ValueError: a failed', ["b", 2]]
    assert first == await story.play(code)
    assert story.ran == ["a", "b"]


async def test_a_wait_is_one_wait_for_all_processes_of_an_attempt_and_begins_anew_in_a_retry() -> None:
    async def code(story: Story) -> None:
        await wait.for_("1d")

    story = Story()
    story.wakes = False
    with pytest.raises(Killed):
        await story.play(code, is_killed_when_blocked=True)
    with pytest.raises(Killed):
        await story.play(code, is_killed_when_blocked=True)
    kept = len(story.entries)
    story.fail()
    story.wakes = True
    await story.play(code)
    story.fail()
    await story.play(code)

    assert (kept, len(story.entries)) == (1, 2), "one of which the end was heard is kept by retries too"
    assert [each.attempt for each in story.entries] == [1, 2]


async def test_a_wait_that_was_over_before_the_code_came_to_it_is_none() -> None:
    async def code(story: Story) -> str:
        await story.step("a")
        await wait.for_("1d")
        return "over"

    story = Story()
    story.wakes = False
    with pytest.raises(Killed):
        await story.play(code, is_killed_when_blocked=True)

    async def told_early(story: Story) -> str:
        story.journal.wake(1, Outcome())
        story.journal.wake(1, Outcome())  # telling it twice changes nothing
        return await code(story)

    assert await story.play(told_early) == "over"
    assert len(story.entries) == 2


async def test_names_used_several_times_are_numbered() -> None:
    async def code(story: Story) -> list[Any]:
        return [await story.step("send", to) for to in ("ann", "bob", "ann")]

    story = Story()

    results = await story.play(code)

    assert [(each.name, each.number) for each in story.entries] == [("send", 1), ("send", 2), ("send", 3)]
    assert results == [["ann", 1], ["bob", 2], ["ann", 3]] == await story.play(code)
    assert len(story.keys["ann"]) == 2, "the same arguments twice are two letters, with a key each"


async def test_parallel_branches_may_use_the_same_names() -> None:
    async def deliver(story: Story, item: str, turns: int) -> list[Any]:
        return [await story.step("fetch", item, turns=turns), await story.step("store", f"{item} stored")]

    def code(*turns: int) -> Any:
        async def gathered(story: Story) -> Any:
            return await asyncio.gather(*(deliver(story, item, n) for item, n in zip("xyz", turns, strict=True)))

        return gathered

    story = Story()
    with pytest.raises(Killed):
        await story.play(code(90, 60, 30), until=4)
    ran = [*story.ran]

    results = await story.play(code(1, 2, 9))

    assert ran == ["x", "y", "z", "z stored", "y stored"]
    assert story.ran[len(ran) :] == ["x", "x stored"], "the rest had been committed"
    assert [(fetched[0], stored[0]) for fetched, stored in results] == [
        ("x", "x stored"),
        ("y", "y stored"),
        ("z", "z stored"),
    ]
    assert {len(keys) for keys in story.keys.values()} == {1}
    assert len({key for keys in story.keys.values() for key in keys}) == 6


async def test_branches_that_begin_alike_are_told_apart_by_their_order() -> None:
    async def branch(story: Story, letter: str) -> Any:
        await story.step("load")
        return await story.step(letter)

    async def code(story: Story) -> Any:
        return await asyncio.gather(*(branch(story, letter) for letter in "abc"))

    story = Story()
    with pytest.raises(Killed):
        await story.play(code, until=4)

    results = await story.play(code)

    assert [name for name, _ in results] == list("abc")
    assert story.ran.count("load") == 3
    assert len(story.keys["load"]) == 3


async def test_branches_may_begin_in_another_order() -> None:
    async def branch(story: Story, url: str, turns: int) -> Any:
        for _ in range(turns):
            await asyncio.sleep(0)  # what is no step takes its time as well
        return await story.step("store", url)

    def code(*turns: int) -> Any:
        async def gathered(story: Story) -> Any:
            return await asyncio.gather(*(branch(story, url, n) for url, n in zip("xyz", turns, strict=True)))

        return gathered

    story = Story()
    with pytest.raises(Killed):
        await story.play(code(0, 9, 3), until=2)

    results = await story.play(code(7, 0, 3))

    assert [name for name, _ in results] == list("xyz")
    assert story.ran == ["x", "z", "y", "y"], "only the one that was not committed is done again"
    assert len(story.keys["y"]) == 1


async def test_a_group_of_tasks_and_tasks_that_were_created_long_before_are_branches_too() -> None:
    async def code(story: Story) -> Any:
        early = asyncio.create_task(story.step("early"))
        first = await story.step("first")
        async with asyncio.TaskGroup() as group:
            inner = [group.create_task(story.step("inner", each)) for each in "xy"]
        await story.step("between")
        return [await early, first, *(task.result() for task in inner), await story.step("last")]

    story = Story()
    with pytest.raises(Killed):
        await story.play(code, until=3)

    results = await story.play(code)

    assert [name for name, _ in results] == ["early", "first", "x", "y", "last"]
    assert results == await story.play(code)
    assert len(story.entries) == 6


async def test_a_step_of_a_branch_that_failed_is_tried_again_in_its_place() -> None:
    async def branch(story: Story, item: str) -> Any:
        try:
            return await story.step("fetch", item, fails=story.attempt == 1)
        except StepFailedError:
            return await story.step("give up", f"no {item}")

    async def code(story: Story) -> Any:
        return await asyncio.gather(branch(story, "x"), branch(story, "y"))

    story = Story()
    await story.play(code)
    story.fail()

    assert [name for name, _ in await story.play(code)] == ["x", "y"]
    assert [name for name, _ in await story.play(code)] == ["x", "y"]
    assert story.ran == ["x", "y", "no x", "no y", "x", "y"]
    assert {len(keys) for keys in story.keys.values()} == {1}, "each repeat has the same key"


async def test_a_step_that_the_code_cancels_is_cancelled_again_and_not_done_again() -> None:
    async def code(story: Story) -> Any:
        slow = asyncio.create_task(story.step("slow", turns=1_000_000))
        await story.step("quick", turns=3)
        slow.cancel()
        await asyncio.wait({slow})
        return [slow.cancelled(), await story.step("go on")]

    story = Story()

    first = await story.play(code)

    assert first == [True, ["go on", 3]] == await story.play(code)
    assert sorted(story.ran) == ["go on", "quick", "slow"]


async def test_what_follows_a_step_that_took_too_long_is_found_again() -> None:
    async def code(story: Story) -> Any:
        try:
            async with asyncio.timeout(0.01):
                await story.step("slow", turns=1_000_000)
        except TimeoutError:
            return await story.step("instead")

    story = Story()

    first = await story.play(code)

    assert first == ["instead", 2] == await story.play(code)
    assert [(each.name, each.kind, each.after) for each in story.entries] == [
        ("slow", "failed", None),
        ("instead", "succeeded", 0),
    ]


async def test_a_retry_does_again_what_the_code_had_cancelled() -> None:
    async def code(story: Story) -> Any:
        async with asyncio.timeout(0.01 if story.attempt == 1 else 60):
            return await story.step("slow", turns=1_000_000 if story.attempt == 1 else 0)

    story = Story()
    with pytest.raises(TimeoutError):
        await story.play(code)
    story.fail()

    assert await story.play(code) == ["slow", 2]


async def test_thousands_of_one_name_are_each_done_once() -> None:
    async def code(story: Story) -> int:
        return len([await story.step("one of many", n) for n in range(1, 2_001)])

    story = Story()

    assert await story.play(code) == 2_000 == await story.play(code) == len(story.ran)


def test_a_trigger_that_does_not_say_which_runs_were_new_made_none() -> None:
    entry = Entry(0, "trigger", "triggered", 1, runs=("run_2", "run_3"))

    assert entry.told_runs == [("run_2", True), ("run_3", True)]
    assert msgspec.structs.replace(entry, cached=()).told_runs == [("run_2", False), ("run_3", False)]
    assert msgspec.structs.replace(entry, cached=(1,)).told_runs == [("run_2", False), ("run_3", True)]
