"""Code that is not async, whose threads race, hears in each process what it heard before in the same order."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from runfold import resting
from tests.sdk.journals import Story
from tests.sdk.test_steps_blocking import context

RACERS = ("a", "b", "c")
GATE_SECONDS = 20
RESTING_SECONDS = 1.0
"""More than a thread needs to act on what it was told, however busy the machine is."""


class Race:
    """Steps in threads, which are done in this order as far as they are not known."""

    def __init__(self, order: Sequence[str]) -> None:
        self._order = order
        self._gates = {name: threading.Event() for name in RACERS}
        self.heard: list[str] = []
        self.ran: set[str] = set()

    def code(self, story: Story) -> list[str]:
        ctx = context(story)
        with ThreadPoolExecutor(len(RACERS)) as pool:
            racing = [pool.submit(ctx.step, f"run {name}", self._run, name) for name in RACERS]
            self._let_next()
            for each in as_completed(racing):
                self.heard.append(ctx.step("hear", str, each.result()))
                self._let_next()
        return self.heard

    def _run(self, name: str) -> str:
        assert self._gates[name].wait(GATE_SECONDS)
        self.ran.add(name)
        return name

    def _let_next(self) -> None:
        left = [name for name in self._order if name not in self.heard]
        if left:
            self._gates[left[0]].set()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "THREAD_SECONDS", RESTING_SECONDS)


def test_threads_that_race_are_heard_as_before_whatever_would_be_first_now() -> None:
    story, first, again = Story(), Race("bca"), Race("acb")

    story.play_blocking(first.code)
    story.play_blocking(again.code)

    assert (first.heard, again.heard) == (["b", "c", "a"], ["b", "c", "a"])
    assert again.ran == set()


@pytest.mark.parametrize("entries", range(1, 6))
def test_what_threads_had_done_when_the_process_died_is_heard_before_the_rest(entries: int) -> None:
    story, first, again = Story(), Race("cba"), Race("abc")
    story.play_blocking(first.code)
    kept = story.entries[:entries]
    known = [entry.name.removeprefix("run ") for entry in kept if entry.name.startswith("run ")]

    # It died when its journal had so many entries.
    Story(*kept).play_blocking(again.code)

    assert again.heard == known + [name for name in "abc" if name not in known]
    assert again.ran == {*RACERS} - {*known}
