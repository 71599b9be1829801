"""Whatever a program does side by side, and wherever its process dies, it goes on as if nothing had happened."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count, cycle
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runfold import JournalMismatchError, StepFailedError
from runfold.aio import wait
from tests.sdk.journals import Code, Killed, Story


@dataclass(frozen=True)
class Step:
    """`label` is its argument, and tells its result from all others."""

    name: str
    label: str = ""
    fails_in: int = 0
    """The attempt in which it fails; what its handler does instead is `label` with an exclamation mark."""
    busy: int = 0
    """How many of its tries fail before, in each attempt."""


@dataclass(frozen=True)
class Wait:
    label: str = ""


@dataclass(frozen=True)
class Side:
    """Branches side by side, each of which begins with a step."""

    branches: "tuple[tuple[Node, ...], ...]"
    kind: str


Node = Step | Wait | Side
NEW = Step("new", "new")

LEAVES = st.builds(
    Step, st.sampled_from("ab"), fails_in=st.sampled_from([0, 0, 0, 1]), busy=st.sampled_from([0, 0, 1, 2])
) | st.builds(Wait)
NODES: st.SearchStrategy[Node] = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        Side,
        st.lists(
            st.tuples(st.builds(Step, st.sampled_from("ab")), st.lists(inner, max_size=3)).map(
                lambda pair: (pair[0], *pair[1])
            ),
            min_size=1,
            max_size=3,
        ).map(tuple),
        st.sampled_from(["gather", "group", "early"]),
    ),
    max_leaves=8,
)
PROGRAMS = st.lists(NODES, min_size=1, max_size=5).map(lambda nodes: labelled(nodes, count(1)))
TURNS = st.lists(st.integers(0, 4), min_size=1, max_size=8)


def labelled(nodes: Sequence[Node], numbers: Iterator[int]) -> tuple[Node, ...]:
    def label(node: Node) -> Node:
        if isinstance(node, Side):
            return replace(node, branches=tuple(labelled(branch, numbers) for branch in node.branches))
        return replace(node, label=f"{next(numbers)}s")

    return tuple(map(label, nodes))


def code_of(program: Sequence[Node], turns: Sequence[int]) -> Code:
    """The code of a program; its steps take so many turns, over and over."""

    async def code(story: Story) -> dict[str, str]:
        running = Running(story, [*turns])
        await running.all(program)
        return running.results

    return code


class Running:
    """A program under way; what each of its nodes came to, by label."""

    def __init__(self, story: Story, turns: list[int]) -> None:
        self.results: dict[str, str] = {}
        self._story = story
        self._turns = cycle(turns)

    async def all(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            match node:
                case Step():
                    self.results[node.label] = await self._step(node)
                case Wait(label):
                    await wait.for_(label)
                    self.results[label] = label
                case Side():
                    await self._side(node)

    async def _step(self, step: Step) -> str:
        fails = step.fails_in == self._story.attempt
        try:
            turns = next(self._turns)
            result = await self._story.step(step.name, step.label, fails=fails, turns=turns, busy=step.busy)
        except StepFailedError:
            result = await self._story.step("handle", step.label + "!")
        return str(result[0])

    async def _side(self, side: Side) -> None:
        match side.kind:
            case "gather":
                await asyncio.gather(*map(self.all, side.branches))
            case "group":
                async with asyncio.TaskGroup() as group:
                    for branch in side.branches:
                        group.create_task(self.all(branch))
            case _:
                tasks = [asyncio.create_task(self.all(branch)) for branch in side.branches]
                await self._story.step("meanwhile", f"before {label_of(side.branches)}")
                await asyncio.gather(*tasks)


def label_of(nodes: Any) -> str:
    first = nodes[0]
    return label_of(first) if isinstance(first, tuple) else str(first.label)


def without_failures(program: Sequence[Node]) -> tuple[Node, ...]:
    def mend(node: Node) -> Node:
        if isinstance(node, Side):
            return replace(node, branches=tuple(map(without_failures, node.branches)))
        return replace(node, fails_in=0) if isinstance(node, Step) else node

    return tuple(map(mend, program))


async def live(story: Story, program: Sequence[Node], lives: Sequence[tuple[int, Sequence[int], bool]]) -> None:
    """Die at each of these places, and begin another attempt at some."""
    for entries, turns, is_retried in lives:
        try:
            await story.play(code_of(program, turns), until=len(story.entries) + entries)
        except Killed:
            if is_retried:
                story.fail()


LIVES = st.lists(st.tuples(st.integers(0, 5), TURNS, st.just(value=False)), max_size=3)
ATTEMPTS = st.lists(st.tuples(st.integers(0, 5), TURNS, st.booleans()), max_size=4)


@settings(max_examples=2000, deadline=None)
@given(PROGRAMS, LIVES, TURNS, TURNS)
def test_every_replay_has_the_same_results_and_does_nothing_again(
    program: tuple[Node, ...], lives: list[Any], turns: list[int], others: list[int]
) -> None:
    async def story_of() -> None:
        story = Story()
        await live(story, program, lives)

        results = await story.play(code_of(program, turns))
        ran, length = [*story.ran], len(story.entries)
        again = await story.play(code_of(program, others))

        assert again == results
        assert (story.ran, len(story.entries)) == (ran, length), "all was there"
        assert {entry.index for entry in story.entries} == set(range(length))
        assert all(len(keys) == 1 for keys in story.keys.values()), "the key is the same in each repeat"
        assert len({key for keys in story.keys.values() for key in keys}) == len(story.keys), "and of one step only"

    asyncio.run(story_of())


@settings(max_examples=2000, deadline=None)
@given(PROGRAMS, ATTEMPTS, TURNS)
def test_over_all_attempts_and_processes_no_step_runs_again_once_its_success_is_committed(
    program: tuple[Node, ...], lives: list[Any], turns: list[int]
) -> None:
    async def story_of() -> None:
        story = Story()
        after: dict[str, int] = {}
        for each in lives:
            await live(story, program, [each])
            succeeded = {bytes(entry.result) for entry in story.entries if entry.kind == "succeeded"}
            for label in (
                label for label in story.keys if any(f'"{label}"'.encode() in result for result in succeeded)
            ):
                after.setdefault(label, story.ran.count(label))

        results = await story.play(code_of(program, turns))

        assert {label: story.ran.count(label) for label in after} == after
        assert all(result in (label, label + "!") for label, result in results.items()), "each has what is its own"

    asyncio.run(story_of())


@st.composite
def changes(draw: st.DrawFn) -> tuple[tuple[Node, ...], tuple[Node, ...], int]:
    """A program, another that differs in one place of its main line, and where."""
    before, after = draw(st.lists(NODES, max_size=3)), draw(st.lists(NODES, max_size=3))
    node = draw(LEAVES | NODES.filter(lambda node: isinstance(node, Side)))
    program = without_failures(labelled([*before, node, *after], count(1)))
    at = len(before)
    now = program[at]
    kinds: dict[str, tuple[Node, ...]] = {
        "inserted": (*program[:at], NEW, *program[at:]),
        "removed": (*program[:at], *program[at + 1 :]),
        "replaced": (*program[:at], NEW, *program[at + 1 :]),
        "swapped": (*program[:at], *reversed(program[at : at + 2]), *program[at + 2 :]),
    }
    if isinstance(now, Side):
        first, *others = now.branches
        kinds = {
            "renamed": (*program[:at], replace(now, branches=((NEW, *first[1:]), *others)), *program[at + 1 :]),
            "taken out": (
                *program[:at],
                *first,
                *([replace(now, branches=tuple(others))] if others else []),
                *program[at + 1 :],
            ),
        }
    elif isinstance(now, Step):
        kinds["put in"] = (*program[:at], Side(((now,),), "gather"), *program[at + 1 :])
    changed = kinds[draw(st.sampled_from(sorted(kinds)))]
    assume(changed != program)
    return program, changed, at


@settings(max_examples=2000, deadline=None)
@given(changes(), TURNS, TURNS, st.none() | st.integers(0, 20))
def test_changed_code_is_noticed_and_nothing_is_done_again(
    change: tuple[tuple[Node, ...], tuple[Node, ...], int], turns: list[int], others: list[int], until: int | None
) -> None:
    program, changed, at = change

    async def story_of() -> None:
        story = Story()
        with suppress(Killed):
            await story.play(code_of(program, turns), until=until)
        was_killed = len(story.entries) == until
        done = {bytes(entry.result) for entry in story.entries if entry.kind == "succeeded"}
        ran = {
            label: story.ran.count(label) for label in story.ran if any(f'"{label}"'.encode() in each for each in done)
        }
        results: dict[str, str] = {}
        with suppress(JournalMismatchError, BaseExceptionGroup):
            results = await story.play(code_of(changed, others))

        # What branches did last of all, and nobody heard of, the code may have dropped.
        is_last = len(program) - 1 <= at and isinstance(program[-1], Side)
        assert was_killed or is_last or story.journal.broken, "all that was changed had been done"
        assert all(result == label for label, result in results.items()), "nothing has what another came to"
        assert {label: story.ran.count(label) for label in ran} == ran, "what is done is not done again"

    asyncio.run(story_of())
