"""Which part of a run's code asks for something: its main line, or a branch that goes on beside it.

A branch is known by what it first asks for, by name and arguments, and by the branch in which it begins. So it does not
matter in which order branches go on. Within one, things are known by their names and numbers, and follow one another.
"""

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from runfold.digests import digest_of

if TYPE_CHECKING:
    from runfold.entries import Entry


class Branch:
    """What one asyncio task or one thread does, one thing after the other."""

    def __init__(self, owner: object, path: str, parent: "Branch | None" = None) -> None:
        self.owner = owner
        """Stands for its journal, which knows it in turn."""
        self.parent = parent
        self.first: Entry | None = None
        """What it began with, if it branched off."""
        self._path = path
        self._known: dict[tuple[str, int], Entry] = {}
        self._next: dict[int | None, Entry] = {}
        self._branches: dict[tuple[str, str | None], Branch] = {}
        self._read: dict[str, list[Branch]] = {}
        """Branches that the journal had when it was read, by the name of their first entry."""
        self._calls: dict[str, int] = {}
        self._begun: dict[str, int] = {}
        self._alike: dict[tuple[str, str | None], int] = {}
        self.doubtful: set[str] = set()
        """Names that seem to be used once, and have other arguments now."""

    @cached_property
    def key(self) -> str:
        """Tells it from all others, the same however often the code is run."""
        above = self.parent.key if self.parent else ""
        return hashlib.sha256(f"{above}\0{self._path}".encode()).hexdigest()

    def take(self, entry: "Entry", *, is_of_this_attempt: bool) -> "Branch":
        """Remember an entry that follows one of this branch; returns the branch whose entry it is."""
        if not entry.forked:
            self._known[entry.name, entry.number] = entry
            if is_of_this_attempt:
                self._next[entry.after] = entry
            return self
        branch = self._branches.get((entry.name, entry.digest))
        if branch is None:
            branch = self._branch(entry.name, entry.digest)
            self._read.setdefault(entry.name, []).append(branch)
        branch.first = entry
        return branch

    def ask(self, name: str) -> "tuple[int, Entry | None]":
        """Its number among those of the name, and its entry."""
        number = self._calls[name] = self._calls.get(name, 0) + 1
        return number, self._known.get((name, number))

    def next_of(self, name: str) -> "Entry | None":
        """The entry of the next of the name for which it did not ask yet."""
        return self._known.get((name, self._calls.get(name, 0) + 1))

    def fork(self, name: str, digest: str | None) -> "tuple[int, str | None, Branch]":
        """Begin another branch with this: its number, the digest that only it has, and the branch."""
        number = self._begun[name] = self._begun.get(name, 0) + 1
        alike = self._alike[name, digest] = self._alike.get((name, digest), 0) + 1
        own = digest if alike == 1 else digest_of(f"{digest} {alike}".encode())
        branch = self._branches.get((name, own)) or self._branch(name, own)
        return (branch.first.number if branch.first else number), own, branch

    def following(self, index: int | None) -> "Entry | None":
        """What came after this entry in this attempt."""
        return self._next.get(index)

    def has_several(self, name: str) -> bool:
        """Whether the journal has more than one of the name."""
        return (name, 2) in self._known

    def only(self, name: str) -> "Entry | None":
        """What the first and only branch with this name began with, when the journal was read."""
        read = self._read.get(name, ())
        return read[0].first if len(read) == 1 and read[0].first and read[0].first.number == 1 else None

    def _branch(self, name: str, digest: str | None) -> "Branch":
        branch = self._branches[name, digest] = Branch(self.owner, f"{name}\0{digest}", self)
        return branch
