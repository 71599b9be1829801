"""Repetitions of several contestants in turn, so that what else the machine does weighs on all of them."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from bench.contestants import Contestant, PeerProgram
from bench.environments import PEERS, Missing, Peer
from bench.figures import BenchError, Chapter, Figure, TimeIsUp

REPEATS = 3
QUICK_PART = 20
Found = TypeVar("Found")


class Contest:
    """The peers that can be measured here, and a sentence for each one that cannot, or that fails."""

    def __init__(self, *, quick: bool, among: Callable[[Peer], object] = bool) -> None:
        self.part = QUICK_PART if quick else 1
        self.repeats = 1 if quick else REPEATS
        found, missing = _peers()
        self.peers = [each for each in found if among(each.peer)]
        self._said = list(missing)

    def in_turn(self, ours: Sequence[Contestant], measure: Callable[[Contestant], Found]) -> dict[str, list[Found]]:
        """The repetitions of each one by its title: first all of them once, then all once more."""
        found: dict[str, list[Found]] = {each.title: [] for each in [*ours, *self.peers]}
        for _ in range(self.repeats):
            for each in ours:
                found[each.title].append(measure(each))
            for peer in list(self.peers):
                with self.or_without(peer):
                    found[peer.title].append(measure(peer))
        return {title: each for title, each in found.items() if len(each) == self.repeats}

    @contextmanager
    def or_without(self, peer: PeerProgram) -> Generator[None]:
        """What a peer fails at is told, and the others are measured all the same."""
        try:
            yield
        except TimeIsUp:
            raise
        except BenchError as failure:
            self.peers.remove(peer)
            self._said.append(f"{peer.title} was given up: {str(failure).splitlines()[0]}")

    def chapter(self, title: str, about: str, figures: list[Figure]) -> Chapter:
        """What was found, and who is missing."""
        return Chapter(f"Beside its peers: {title}", about, figures, " ".join(self._said))


@cache
def _peers() -> tuple[list[PeerProgram], list[str]]:
    found: list[PeerProgram] = []
    missing: list[str] = []
    for name in PEERS:
        try:
            found.append(PeerProgram(name))
        except Missing as reason:
            missing.append(str(reason))
    return found, missing
