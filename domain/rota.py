"""Taking turns: of those that have something to give, whoever was served least recently goes next.

What they give is of different kinds, and whoever takes may not take every kind.
"""

from collections.abc import Callable, Collection, Hashable, Iterable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, Protocol, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
Place: TypeAlias = tuple[int, str]
"""What goes first is lower: a number, and the name of what stands there."""


class Line(Protocol[K]):
    """Things of several kinds in their order."""

    def kinds(self) -> Collection[K]:
        """Every kind of which there may be something."""
        ...

    def head(self, kind: K) -> Place | None:
        """The first of a kind."""
        ...

    def glance(self, kind: K) -> Place | None:
        """A place that is no later than that of the head, without asking whether anybody is there."""
        ...


class Rota(Generic[K]):
    """A line of members, for each kind those that may offer some. It asks a member only when its turn has come.

    `served_at` tells when a member was last served, as numbers that grow, None if it offers nothing of the kind now.
    Such a member leaves, and is out until it is let in again.
    """

    __slots__ = ("_heaps", "_inside", "_served_at")

    def __init__(self, served_at: Callable[[str, K], int | None]) -> None:
        self._served_at = served_at
        self._heaps: dict[K, list[Place]] = {}
        self._inside: dict[K, set[str]] = {}

    def let_in(self, kind: K, name: str, served: int) -> None:
        """A member may offer something of this kind. One that is in already keeps its place."""
        inside = self._inside.get(kind)
        if inside is None:
            self._inside[kind] = {name}
            self._heaps[kind] = [(served, name)]
        elif name not in inside:
            inside.add(name)
            heappush(self._heaps[kind], (served, name))

    def kinds(self) -> Collection[K]:
        """Every kind of which there may be something."""
        return self._heaps.keys()

    def head(self, kind: K) -> Place | None:
        """Whose turn it is."""
        heap = self._heaps.get(kind)
        if heap is None:
            return None
        while heap:
            served, name = heap[0]
            now = self._served_at(name, kind)
            if now == served:
                return heap[0]
            if now is None:
                heappop(heap)
                self._inside[kind].discard(name)
            else:
                heapreplace(heap, (now, name))
        del self._heaps[kind], self._inside[kind]
        return None

    def glance(self, kind: K) -> Place | None:
        """A place that is no later than that of the head, without asking whether anybody is there."""
        heap = self._heaps.get(kind)
        return heap[0] if heap else None

    def serve(self, kind: K, name: str, served: int) -> None:
        """The head of this kind was served: its next turn is behind everybody's."""
        heap = self._heaps[kind]
        assert heap[0][1] == name, "only the head is served"
        heapreplace(heap, (served, name))

    def close(self) -> None:
        """Nobody is left. It lets go of whom it asks, who knows it too: no circle stays for the garbage collector."""
        self._heaps, self._inside = {}, {}
        self._served_at = _nobody

    def tidy(self, kind: K, members: int) -> None:
        """A member that offered this kind is gone: forget it, at once or when there are many such among `members`."""
        if self.head(kind) is not None and len(heap := self._heaps[kind]) > 2 * members + 100:
            kept = [(now, name) for _, name in heap if (now := self._served_at(name, kind)) is not None]
            heapify(kept)
            self._heaps[kind], self._inside[kind] = kept, {name for _, name in kept}


def _nobody(_name: str, _kind: object) -> None:
    return None


class Round(Generic[K]):
    """The first of all that somebody may take, one after the other, while places only go back."""

    __slots__ = ("_heads", "_kinds", "_line")

    def __init__(self, line: Line[K], kinds: Iterable[K]) -> None:
        self._line = line
        self._kinds = list(kinds)
        # A member may be first of several kinds: the number decides then, as kinds have no order.
        self._heads = [(head, number) for number, kind in enumerate(self._kinds) if (head := line.glance(kind))]
        heapify(self._heads)

    def next(self) -> tuple[str, K] | None:
        """The name of what is first now, and its kind."""
        heads = self._heads
        while heads:
            head, number = heads[0]
            now = self._line.head(self._kinds[number])
            if now is None:
                heappop(heads)
                continue
            if now != head:
                heapreplace(heads, (now, number))
            if heads[0][1] == number:
                return now[1], self._kinds[number]
        return None


class Rounds(Generic[K]):
    """The rounds of one taker through many lines."""

    __slots__ = ("_kinds", "_rounds")

    def __init__(self, kinds: Collection[K]) -> None:
        self._kinds = kinds
        self._rounds: dict[Line[K], Round[K]] = {}

    def next(self, line: Line[K]) -> tuple[str, K]:
        """What is first in a line that is known to have something."""
        known = self._rounds.get(line)
        turn = known.next() if known else None
        if turn is None:
            # It is the first time, or something came in meanwhile.
            known = self._rounds[line] = Round(line, [kind for kind in line.kinds() if kind in self._kinds])
            turn = known.next()
        assert turn is not None, "whoever has a turn offers something"
        return turn
