"""Code that takes the first of several things takes the same one whenever it is run again."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runfold import aio
from runfold.entries import WAITS, Entry, Outcome
from runfold.hearing import hearing_of
from runfold.loop_turns import turns_of
from runfold.resting import RESTING_TURNS
from tests.sdk.journals import Code, Killed, Story

RACERS = st.lists(st.sampled_from(["step", "wait", "busy"]), min_size=2, max_size=5)
TAKING = st.sampled_from(["first completed", "as completed", "fail fast", "callbacks", "nested"])


class Race:
    """Several things at once, of which the code says in which order it heard; it steps in between."""

    def __init__(self, racers: Sequence[str], taking: str, chance: random.Random) -> None:
        self._racers = racers
        self._taking = taking
        self._chance = chance
        self.heard: list[list[str]] = []
        """In each process, what its code heard."""

    def code(self) -> Code:
        """The code, whose steps take another time in each process."""

        async def code(story: Story) -> list[str]:
            heard: list[str] = []
            self.heard.append(heard)

            async def hear(name: str) -> None:
                heard.append(name)
                await story.step("heard", name)

            racers = [
                asyncio.create_task(self._racer(story, kind, f"{place}")) for place, kind in enumerate(self._racers)
            ]
            await WAYS[self._taking](racers, hear)
            return heard

        return code

    async def _racer(self, story: Story, kind: str, name: str) -> str:
        if kind in {"step", "busy"}:
            busy = 2 if kind == "busy" else 0
            await story.step(f"step {name}", name, turns=self._chance.choice([0, 15, 40, 90]), busy=busy)
        else:
            await aio.wait.for_(f"{int(name) + 1}h")
        return name

    def wake(self, story: Story) -> None:
        """End one of the waits that are open, in any order."""
        open_waits = [each.index for each in story.entries if each.kind in WAITS and each.completed is None]
        if open_waits:
            story.wake(self._chance.choice(open_waits), Outcome())


async def _first_completed(racers: Sequence[Any], hear: Callable[[str], Awaitable[None]]) -> None:
    left = {asyncio.ensure_future(each) for each in racers}
    while left:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        await hear(" and ".join(sorted(each.result() for each in done)))


async def _as_completed(racers: Sequence[Any], hear: Callable[[str], Awaitable[None]]) -> None:
    for each in asyncio.as_completed([asyncio.ensure_future(each) for each in racers]):
        await hear(await each)


async def _fail_fast(racers: Sequence[Any], hear: Callable[[str], Awaitable[None]]) -> None:
    async def fail(racer: Any) -> None:
        raise ValueError(await racer)

    left: list[asyncio.Task[None]] = [asyncio.create_task(fail(each)) for each in racers]
    while left:
        try:
            await asyncio.gather(*left)
        except ValueError as error:
            await hear(str(error))
        left = [each for each in left if not each.done()]


async def _callbacks(racers: Sequence[Any], hear: Callable[[str], Awaitable[None]]) -> None:
    order: list[str] = []
    tasks = [asyncio.ensure_future(each) for each in racers]

    def note(done: "asyncio.Future[str]") -> None:
        if not done.cancelled():
            order.append(done.result())

    for each in tasks:
        each.add_done_callback(note)
    await asyncio.gather(*tasks)
    await hear(", ".join(order))


async def _nested(racers: Sequence[Any], hear: Callable[[str], Awaitable[None]]) -> None:
    async def within(racer: Any, levels: int) -> str:
        return await (asyncio.create_task(within(racer, levels - 1)) if levels else racer)

    await _as_completed([within(each, place % 4) for place, each in enumerate(racers)], hear)


WAYS = {
    "first completed": _first_completed,
    "as completed": _as_completed,
    "fail fast": _fail_fast,
    "callbacks": _callbacks,
    "nested": _nested,
}


@given(RACERS, TAKING, st.lists(st.integers(1, 12), max_size=4), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_what_came_first_comes_first_in_each_process(
    racers: list[str], taking: str, kills: list[int], seed: int
) -> None:
    race = Race(racers, taking, random.Random(seed))

    asyncio.run(_killed_and_finished(race, kills, random.Random(seed + 1)))

    whole = race.heard[-1]
    for heard in race.heard[:-1]:
        # Of the last thing that a process heard before it died there may be no trace.
        sure = heard[:-1]
        assert sure == whole[: len(sure)], "a process that was killed heard the same"


def test_an_entry_says_which_waits_the_code_heard_of_before_it() -> None:
    early, late = Outcome(behind=2, order=0), Outcome(behind=2, order=1)
    waits = [Entry(0, "wait.for", "waiting", 1, completed=late), Entry(1, "wait.for", "waiting", 1, completed=early)]

    def order(*heard: tuple[int, ...] | None) -> list[int]:
        return hearing_of(
            [*waits, *(Entry(at, "a", "succeeded", 1, heard=each) for at, each in enumerate(heard, 2))]
        ).order

    assert order((), (0,), (1,)) == [2, 0, 3, 1, 4], "they ended before the first step, and the code heard it later"
    assert order((), ()) == [2, 3, 1, 0], "nobody has heard of them: they come at last, as they ended"
    assert order(None, None) == [1, 0, 2, 3], "a worker that does not say what it heard heard of what was over"


async def _killed_and_finished(race: Race, kills: Sequence[int], chance: random.Random) -> None:
    story = Story()
    story.wakes = False
    story.patience_seconds = 60
    for room in kills:
        with pytest.raises(Killed):
            await _play(race, story, chance, until=room, turns=chance.randint(50, 400))
    await _play(race, story, chance, until=None, turns=None)


async def _play(race: Race, story: Story, chance: random.Random, *, until: int | None, turns: int | None) -> None:
    """Kill the process when its journal has so many entries, or after so many turns, while waits end.

    Another run of the event loop waits for turns as well, so that they are counted at times already.
    """
    shared = turns_of(asyncio.get_running_loop())

    async def disturb() -> None:
        turn = 0
        while turns is None or turn < turns:
            turn += 1
            await asyncio.sleep(0)
            if chance.random() < 0.03:
                race.wake(story)
            if chance.random() < 0.1:
                shared.call_at(shared.behind(RESTING_TURNS), str)
        story.kill()

    disturbing = asyncio.create_task(disturb())
    try:
        await asyncio.wait_for(story.play(race.code(), until=until), 20)
        if turns is not None:
            raise Killed  # it came to its end before
    finally:
        disturbing.cancel()
        await asyncio.gather(disturbing, return_exceptions=True)
