"""A branch that the code drops is not waited for when the code is run again, wherever its process died."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runfold import JournalMismatchError, aio, telling
from runfold.entries import WAITS, Entry, Outcome
from runfold.hearing import hearing_of
from tests.sdk.journals import Code, Killed, Story
from tests.sdk.test_steps_blocking import context

PATIENCE_SECONDS = 5.0
"""More than the turns of any code here take. When it ends a line is logged."""


@pytest.fixture(autouse=True, scope="module")
def soon_sure() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "UNSURE_SECONDS", 0.02)
        yield


@dataclass(frozen=True)
class Branch:
    kind: str
    """What it asks for: a step, a wait, or a step that is busy at first."""
    pause: int = 0
    """So many turns before it asks."""
    goes_on: bool = False
    """Whether it pauses and steps again."""
    is_tidy: bool = False
    """Whether it does a step at last, also when it is dropped. With pauses it might be dropped in another place."""


class Observed(Story):
    """Knows what the code had heard when it last put something into the journal."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.sure: list[list[str]] = []
        """Of each process."""
        self.wakes = False
        self.patience_seconds = PATIENCE_SECONDS

    def report(self, kind: str, facts: dict[str, Any], landed: Callable[[bool], object]) -> None:
        before = len(self.entries)
        super().report(kind, facts, landed)
        if len(self.entries) > before:
            self.sure[-1] = [*self.heard]


class Program:
    """Rounds of branches, of which the first one that is done ends the others in some way."""

    def __init__(self, rounds: Sequence[tuple[str, Sequence[Branch]]], chance: random.Random) -> None:
        self._rounds = rounds
        self._chance = chance

    def code(self, observed: Observed) -> Code:
        """The code, whose steps take another time in each process, and its pauses the same."""

        async def code(story: Story) -> list[str]:
            heard: list[str] = []
            observed.heard = heard
            observed.sure.append([])
            for number, (way, branches) in enumerate(self._rounds):
                names = [f"{number}.{place}" for place in range(len(branches))]
                running = [self._run(story, each, name, heard) for each, name in zip(branches, names, strict=True)]
                first = await WAYS[way](running)
                heard.append(f"{first} is first")
                await story.step("go on", first)
            return heard

        return code

    async def _run(self, story: Story, branch: Branch, name: str, heard: list[str]) -> str:
        try:
            if branch.kind == "wait":
                # Branches that begin with waits could not be told apart when some are dropped before.
                await story.step(f"begin {name}", name)
            await turns(branch.pause)
            await self._ask(story, branch.kind, name)
            heard.append(name)
            if branch.goes_on:
                await turns(branch.pause)
                await self._ask(story, "step", f"{name} again")
                heard.append(f"{name} again")
        finally:
            if branch.is_tidy and not branch.pause:
                await self._ask(story, "step", f"{name} tidied")
        return name

    async def _ask(self, story: Story, kind: str, name: str) -> None:
        if kind == "wait":
            await aio.wait.for_(60 + int(name.replace(".", "")))
        else:
            busy = 2 if kind == "busy" else 0
            await story.step(f"step {name}", name, turns=self._chance.choice([0, 5, 15, 40, 90]), busy=busy)


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


Running = Sequence[Coroutine[Any, Any, str]]


class DoneError(Exception):
    """The first branch is done."""


async def _raise(branch: Awaitable[str]) -> None:
    raise DoneError(await branch)


async def _cancel(branches: Running) -> str:
    done, left = await asyncio.wait(map(asyncio.ensure_future, branches), return_when=asyncio.FIRST_COMPLETED)
    for each in left:
        each.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    return " and ".join(sorted(each.result() for each in done))


async def _fail_fast(branches: Running) -> str:
    tasks = [asyncio.create_task(_raise(each)) for each in branches]
    try:
        await asyncio.gather(*tasks)
    except DoneError as done:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return str(done)
    raise AssertionError("each of them raises")


async def _fail_group(branches: Running) -> str:
    first: list[str] = []
    with suppress(BaseExceptionGroup):
        async with asyncio.TaskGroup() as group:
            for each in branches:
                group.create_task(_raise(each)).add_done_callback(lambda task: _note(task, first))
    return first[0]


def _note(task: "asyncio.Task[None]", first: list[str]) -> None:
    if not task.cancelled():
        first.append(str(task.exception()))


async def _time_out(branches: Running) -> str:
    """The first branch is the timer of the others."""
    timer, *others = branches
    limit = asyncio.timeout(None)

    async def fire() -> None:
        await timer
        limit.reschedule(asyncio.get_running_loop().time())

    firing = asyncio.create_task(fire())
    try:
        async with limit:
            done = await asyncio.gather(*others)
    except TimeoutError:
        return "the timer"
    firing.cancel()
    await asyncio.gather(firing, return_exceptions=True)
    return " and ".join(done)


WAYS: dict[str, Callable[[Running], Awaitable[str]]] = {
    "cancel": _cancel,
    "fail fast": _fail_fast,
    "fail group": _fail_group,
    "time out": _time_out,
}

BRANCHES = st.builds(
    Branch,
    st.sampled_from(["step", "step", "wait", "busy"]),
    st.sampled_from([0, 0, 3, 12, 25, 60]),
    st.booleans(),
    st.sampled_from([False, False, True]),
)
ROUNDS = st.lists(
    st.tuples(st.sampled_from(sorted(WAYS)), st.lists(BRANCHES, min_size=2, max_size=4)), min_size=1, max_size=3
)


@given(ROUNDS, st.lists(st.integers(0, 6), max_size=4), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_nobody_waits_for_what_was_dropped_and_what_was_heard_is_heard_again(
    rounds: list[tuple[str, list[Branch]]], lives: list[int], seed: int
) -> None:
    chance = random.Random(seed)
    story, program = Observed(), Program(rounds, random.Random(seed + 1))

    asyncio.run(killed_and_finished(story, program, lives, chance))

    whole = story.heard
    for sure in story.sure:
        assert sure == whole[: len(sure)], "what came before an entry is heard in the same order"
    assert waited_in_vain(story) == []


async def killed_and_finished(story: Observed, program: Program, lives: Sequence[int], chance: random.Random) -> None:
    for entries in lives:
        with suppress(Killed):
            await play(story, program, chance, until=len(story.entries) + entries)
    await play(story, program, chance)
    await play(story, program, chance)


async def play(story: Observed, program: Program, chance: random.Random, until: int | None = None) -> None:
    """In another process, where waits end in any order."""

    async def wake() -> None:
        while True:
            await asyncio.sleep(0)
            open_waits = [each.index for each in story.entries if each.kind in WAITS and each.completed is None]
            if open_waits and chance.random() < 0.05:
                story.wake(chance.choice(open_waits), Outcome())

    waking = asyncio.create_task(wake())
    try:
        await asyncio.wait_for(story.play(program.code(story), until=until), 20)
    finally:
        waking.cancel()
        await asyncio.gather(waking, return_exceptions=True)


@pytest.mark.parametrize("kept", range(1, 6))
async def test_a_step_that_was_done_when_its_branch_was_dropped_is_not_waited_for(kept: int) -> None:
    recorded = Story()
    await recorded.play(step_behind_a_pause)
    assert [each.name for each in recorded.entries] == ["first", "dropped", "on 1", "on 2", "on 3"]
    story = Story(*recorded.entries[:kept])
    story.patience_seconds = PATIENCE_SECONDS

    await story.play(step_behind_a_pause)

    assert waited_in_vain(story) == []
    assert [each.name for each in story.entries if each.name != "dropped"] == ["first", "on 1", "on 2", "on 3"]


async def test_a_journal_that_does_not_say_what_was_dropped_costs_patience_and_is_refused_at_the_end() -> None:
    recorded = Story()
    await recorded.play(step_behind_a_pause)
    story = Story(*[msgspec.structs.replace(each, left=(), ahead=0) for each in recorded.entries[:4]])

    with pytest.raises(JournalMismatchError, match=r'^"dropped" came first, and now the code ends without it\.$'):
        await story.play(step_behind_a_pause)

    message = '"dropped" was over before "on 1", and now the code goes on behind "on 1" without asking for it.'
    assert [line.message for line in story.lines] == [message]


async def test_the_end_of_a_wait_that_was_dropped_is_not_waited_for() -> None:
    async def code(story: Story) -> None:
        async def wait() -> None:
            await turns(50)
            await aio.wait.for_("1h")

        await drop(wait(), story.step("first", turns=150))
        for number in (1, 2, 3):
            await story.step(f"on {number}")

    story = Story()
    story.wakes = False
    story.patience_seconds = PATIENCE_SECONDS
    with pytest.raises(Killed):
        await story.play(code, until=4)
    story.wake(0, Outcome())

    await story.play(code)

    assert [each.name for each in story.entries] == ["wait.for", "first", "on 1", "on 2", "on 3"]
    assert story.lines == []


def test_a_thread_that_does_not_ask_again_is_waited_for_and_missed_at_the_end() -> None:
    def code(*, is_asking: bool) -> Callable[[Story], Any]:
        def run(story: Story) -> Any:
            ctx = context(story)
            with ThreadPoolExecutor() as pool:
                if is_asking:
                    pool.submit(ctx.step, "dropped", str, 1).result()
                return [ctx.step(name, str, name) for name in ("first", "second")]

        return run

    story = Story()
    story.play_blocking(code(is_asking=True))

    for lines in (1, 2):
        with pytest.raises(JournalMismatchError, match=r'^"dropped" came first, and now the code ends without it\.$'):
            story.play_blocking(code(is_asking=False), patience_seconds=0.05)
        assert len(story.lines) == lines, "each process waits, and says so"


def test_what_was_left_is_heard_where_a_later_entry_says() -> None:
    def hearing(*said: dict[str, Any]) -> tuple[list[int], int, set[int]]:
        found = hearing_of([Entry(at, "a", "succeeded", 1, **each) for at, each in enumerate(said)])
        return found.order, found.sure, {*found.left}

    assert hearing({}, {}, {}) == ([0, 1, 2], 2, set()), "of the last one nothing in the journal came"
    assert hearing({}, {}, {"ahead": 1}) == ([0, 1, 2], 1, set()), "nor of the one that was not heard by then"
    assert hearing({}, {}, {"left": (0,)}) == ([1, 2], 1, {0})
    assert hearing({}, {}, {"left": (0,)}, {"heard": (0,)}) == ([1, 2, 0, 3], 3, set())
    assert hearing({}, {}, {"left": (0,), "heard": (0,)}) == ([1, 0, 2], 2, set()), "first it was left"


def waited_in_vain(story: Story) -> list[str]:
    """The lines about what the code had heard before and did not ask for again."""
    return [line.message for line in story.lines if "may have dropped it" not in line.message]


async def step_behind_a_pause(story: Story) -> None:
    async def dropped() -> None:
        await turns(50)
        await story.step("dropped", turns=102)

    await drop(dropped(), story.step("first", turns=150))
    for number in (1, 2, 3):
        await story.step(f"on {number}")


async def drop(branch: Coroutine[Any, Any, None], first: Coroutine[Any, Any, Any]) -> None:
    """Cancel the branch when the first is done."""
    dropped, other = asyncio.create_task(branch), asyncio.create_task(first)
    await asyncio.wait({dropped, other}, return_when=asyncio.FIRST_COMPLETED)
    dropped.cancel()
    with suppress(asyncio.CancelledError):
        await dropped
