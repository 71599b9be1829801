"""The collector of garbage in a process that holds many polls."""

import gc
from collections.abc import Generator

import pytest

from app.garbage import collect_seldom

POLLS = 200_000
"""As objects, more than make Python look at everything that is not frozen, and fewer than what is waited for here."""


class Knot:
    """What only the collector finds."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def full() -> Generator[list[int]]:
    """How much each full collection has found."""
    before, found = gc.get_threshold(), list[int]()

    def note(phase: str, told: dict[str, int]) -> None:
        if phase == "stop" and told["generation"] == 2:
            found.append(told["collected"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)
    gc.set_threshold(*before)


def test_what_is_held_is_not_walked_as_it_grows_but_garbage_is_found_in_the_end(full: list[int]) -> None:
    collect_seldom()
    full.clear()

    held = [Knot() for _ in range(POLLS)]
    while_growing = list(full)
    held.clear()
    while not full:
        held += [Knot() for _ in range(POLLS)]

    assert while_growing == []
    assert full[0] > POLLS / 2
