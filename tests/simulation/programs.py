"""What the code of a simulated run does, as data: steps, waits, children, branches, loops and failures."""

from typing import Any, TypeAlias

from msgspec import Struct

from tests.simulation.world import World

UNKNOWN = "waitpoint_unknown"
"""A token that nobody ever makes."""
DEPTH_MAX = 2
"""How many generations of children a run has at most."""
FAMILY_MAX = 4
"""How many programs are written for a run and all its children at most; a loop may trigger some several times."""


class Step(Struct, frozen=True):
    """A step; up to an attempt it fails, and the code goes on without it or fails, too.

    In each attempt so many `tries` fail before, with a pause behind each.
    """

    name: str
    fails_until: int = 0
    is_caught: bool = False
    tries: int = 0
    pause_ms: int = 0


class MakeToken(Struct, frozen=True):
    """A step that makes a token, of the step's own name."""

    name: str
    timeout_ms: int | None = None


class Sleep(Struct, frozen=True):
    """Wait for a time."""

    name: str
    for_ms: int


class WaitForTokens(Struct, frozen=True):
    """Wait for tokens: for those made by steps under their names, for others under their ids."""

    name: str
    tokens: tuple[str, ...]
    is_any: bool = False
    timeout_ms: int | None = None
    when_late: tuple["Operation", ...] = ()


class Children(Struct, frozen=True):
    """Trigger these programs, in a batch or not, and wait for them or not."""

    name: str
    programs: tuple[str, ...]
    is_batch: bool = False
    is_awaited: bool = True
    is_any: bool = False
    timeout_ms: int | None = None


class Parallel(Struct, frozen=True):
    """Several branches at the same time."""

    branches: tuple[tuple["Operation", ...], ...]


class Loop(Struct, frozen=True):
    """The same again and again, so that one name comes several times."""

    times: int
    body: tuple["Operation", ...]


class Fail(Struct, frozen=True):
    """Up to an attempt, the attempt ends here."""

    name: str
    until: int
    is_retryable: bool = True


Operation: TypeAlias = Step | MakeToken | Sleep | WaitForTokens | Children | Parallel | Loop | Fail
Program: TypeAlias = tuple[Operation, ...]


class Author:
    """Writes programs; a name stands at one place of one program only. `tasks` of children are drawn by their names."""

    def __init__(self, world: World) -> None:
        self.programs: dict[str, Program] = {}
        self.shared: list[str] = []
        """Tokens that nobody's steps made."""
        self._world = world
        self._names = 0
        self._left = 0

    def write(self) -> str:
        """A program, and those of its children; returns its name."""
        self._left = FAMILY_MAX
        return self._write(0)

    def _write(self, depth: int) -> str:
        self._left -= 1
        name = self._name("program")
        self.programs[name] = self._body(self._world.draw(2, 4), depth, [])
        return name

    def _body(self, length: int, depth: int, tokens: list[str], nesting: int = 0) -> tuple[Operation, ...]:
        return tuple(each for _ in range(length) for each in self._operations(depth, tokens, nesting))

    def _operations(self, depth: int, tokens: list[str], nesting: int) -> tuple[Operation, ...]:
        draw, happens = self._world.draw, self._world.happens
        chance = self._world.chance.random()
        if chance < 0.28:
            fails = draw(1, 2) if happens(0.15) else 0
            tries = draw(1, 2) if happens(0.25) else 0
            return (Step(self._name("step"), fails, happens(0.5), tries, draw(0, 4_000) if tries else 0),)
        if chance < 0.36:
            return (Sleep(self._name("sleep"), draw(1, 6_000)),)
        if chance < 0.60:
            made = self._make_tokens(tokens)
            return (*made, self._wait(depth, tokens, nesting))
        if chance < 0.74:
            may_trigger = depth < DEPTH_MAX and self._left > 0
            return (self._children(depth),) if may_trigger else (Step(self._name("step")),)
        if chance < 0.78:
            return (Fail(self._name("failure"), draw(1, 2), is_retryable=happens(0.9)),)
        if nesting >= 2:
            return (Step(self._name("step")),)
        if chance < 0.83:
            return (Loop(draw(2, 3), self._body(draw(1, 2), depth + 1, list(tokens), nesting + 1)),)
        branches = [self._body(draw(1, 2), depth, list(tokens), nesting + 1) for _ in range(draw(2, 3))]
        return (Parallel(tuple(branches)),)

    def _make_tokens(self, tokens: list[str]) -> tuple[Operation, ...]:
        draw = self._world.draw
        count = draw(0 if tokens or self.shared else 1, 2)
        timeouts = [draw(100, 15_000) if self._world.happens(0.3) else None for _ in range(count)]
        made = tuple(MakeToken(self._name("token"), timeout) for timeout in timeouts)
        tokens += [each.name for each in made]
        return made

    def _wait(self, depth: int, tokens: list[str], nesting: int) -> WaitForTokens:
        draw, happens = self._world.draw, self._world.happens
        among = [*tokens[-3:], *self.shared[-2:]]
        chosen = {among[draw(0, len(among) - 1)] for _ in range(draw(1, 3))}
        if happens(0.03):
            chosen.add(UNKNOWN)
        timeout = draw(1, 8_000) if happens(0.35) else None
        late = self._body(1, depth, list(tokens), nesting + 1) if timeout and nesting < 2 else ()
        return WaitForTokens(self._name("wait"), tuple(sorted(chosen)), happens(0.4), timeout, late)

    def _children(self, depth: int) -> Children:
        draw, happens = self._world.draw, self._world.happens
        programs = tuple(self._write(depth + 1) for _ in range(draw(1, min(3, self._left))))
        timeout = draw(1, 9_000) if happens(0.2) else None
        name = self._name("children")
        return Children(name, programs, happens(0.4), happens(0.9), happens(0.2), timeout)

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"


def fold(before: int, *more: Any) -> int:
    """What a branch has come to, after something more."""
    # Python's own hash of a string is another in each process.
    value = before
    for byte in repr(more).encode():
        value = (value * 1_000_003 + byte) % 2**40
    return value
