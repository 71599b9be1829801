"""Turns of an event loop that many count together."""

import asyncio
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from runfold.loop_turns import LoopTurns, turns_of

BEGINNINGS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=8)


class Counted:
    """Those of a loop, in each of which `passed` is set."""

    def __init__(self) -> None:
        self.turns = LoopTurns()
        self.passed = 0
        self.waited: list[tuple[int, int]] = []
        """How many turns each was to wait, and how many it did."""

    def begin(self, turns: int) -> None:
        """Wait for so many."""
        self.turns.call_at(self.turns.behind(turns), partial(self._end, turns, self.passed))

    def _end(self, turns: int, began: int) -> None:
        self.waited.append((turns, self.passed - began))


@given(BEGINNINGS)
def test_each_waits_for_as_many_turns_as_it_says_and_one_more_at_most(beginnings: list[tuple[int, int]]) -> None:
    async def count() -> Counted:
        counted = Counted()
        for counted.passed in range(60):
            for began, turns in beginnings:
                if began == counted.passed:
                    counted.begin(turns)
            await asyncio.sleep(0)
        return counted

    waited = asyncio.run(count()).waited

    assert sorted(said for said, _ in waited) == sorted(turns for _, turns in beginnings)
    assert all(said <= taken <= said + 1 for said, taken in waited)


async def test_those_on_one_loop_share_them() -> None:
    loop = asyncio.get_running_loop()

    assert turns_of(loop) is turns_of(loop)
