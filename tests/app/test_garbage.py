"""The collector of garbage in a process that holds many polls."""

import gc
from collections import Counter
from collections.abc import Generator

import pytest

from app.nodes.garbage import collect_seldom

ALL = 2
OBJECTS = 200_000
"""More than make Python look at everything that is not frozen, and fewer than are waited for here."""


class Knot:
    """What only the collector finds."""

    def __init__(self) -> None:
        self.me = self


class Looks:
    """How often the collector looked, by how far it went, and how much garbage it found."""

    def __init__(self) -> None:
        self.made: Counter[int] = Counter()
        self.found = 0

    def __call__(self, phase: str, told: dict[str, int]) -> None:
        if phase == "stop":
            self.made[told["generation"]] += 1
            self.found += told["collected"]


@pytest.fixture
def looks() -> Generator[Looks]:
    """Those of one test, which may change how often there are any."""
    before, looks = gc.get_threshold(), Looks()
    collect_seldom()
    gc.callbacks.append(looks)
    yield looks
    gc.callbacks.remove(looks)
    gc.set_threshold(*before)


def test_what_is_held_is_seldom_walked_while_it_grows(looks: Looks) -> None:
    held = [Knot() for _ in range(OBJECTS)]

    assert len(held) == OBJECTS
    assert looks.made.total() <= 4
    assert looks.made[ALL] == 0


def test_garbage_that_lived_long_is_found_in_the_end(looks: Looks) -> None:
    held = [Knot() for _ in range(OBJECTS)]
    held.clear()
    while not looks.made[ALL]:
        held += [Knot() for _ in range(1_000)]

    assert OBJECTS - 1_000 <= looks.found <= OBJECTS
    assert len(held) <= 1_000_000
