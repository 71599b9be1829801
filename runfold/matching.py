"""Whether the code of a run asks for what its journal tells of, so that code which does other things is noticed.

- What a branch of the code did in this attempt, it does again in the same order.
- A retry may do other things in between, and after what failed. What it keeps comes after the same as before, or after
  something that failed then.
- Branches may go on in any order. Each is known by the name and the arguments of what it begins with, and begins after
  the same as before.
- What a branch did itself it does not have done by another that begins there: under another key it would be done again.
- Where a name is used several times, the arguments are the same again.
"""

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from runfold import current
from runfold.branches import Branch
from runfold.entries import TRIED, Call, Entry, named
from runfold.errors import JournalMismatchError
from runfold.owed import Owed

TAKEN_OVER = 0
"""The attempt of what another run did, whose journal this one begins with: its payload may have been another."""
_CALLED_BY = {
    "succeeded": ("step",),
    "failed": ("step", "triggered"),
    TRIED: ("step",),
    "triggered": ("triggered",),
    "waiting": ("waiting",),
}
_KINDS = {"step": "a step", "triggered": "a trigger", "waiting": "a wait"}
_OTHER_ARGUMENTS = "{} has other arguments now. Give each a name of its own if they may change, or their order may."


_Place: TypeAlias = tuple[Branch, bool, str, int]
"""Where a step stands in the code, however often it is tried."""


class Matching:
    """Of one attempt: finds the entry of what the code asks for."""

    def __init__(self, run: str, attempt: int, entries: Iterable[Entry]) -> None:
        self._attempt = attempt
        self._owner = object()
        self._main = Branch(self._owner, run)
        self._told: dict[int, Entry | Call] = {}
        self._called: set[int] = set()
        self.owed = Owed(self._told)
        """What the code has not asked for yet."""
        self._tries: dict[_Place, list[Entry]] = {}
        """Those of this attempt, by the place of their step."""
        branches: dict[int | None, Branch] = {None: self._main}
        entries = list(entries)
        self._is_new = not entries
        """Whether the journal was empty: then nothing that the code asks for can be in it."""
        for entry in entries:
            self._told[entry.index] = entry
            branch = branches[entry.after].take(entry, is_of_this_attempt=entry.attempt == attempt)
            branches[entry.index] = branch
            if entry.attempt == attempt and not entry.is_canceled:
                self.owed.take(entry, branch)
            if entry.kind == TRIED and entry.attempt == attempt:
                self._tries.setdefault(_place_of(branch, entry), []).append(entry)

    @property
    def size(self) -> int:
        """How many entries there are."""
        return len(self._told)

    def named(self, index: int) -> str:
        """An entry, for people."""
        return named(self._told[index])

    def match(self, name: str, kind: str, digest: str | None) -> Call:
        """What the code asks for, with its entry if that holds. Raises JournalMismatchError."""
        call = self._call(name, digest)
        if self._is_new:
            return call
        self._compare(call, kind)
        if tries := self._tries.get(_place_of(call.branch, call)):
            call = msgspec.structs.replace(call, tries=tuple(tries))
        if call.known is None or call.known.kind == TRIED or not self._counts(call.known):
            return msgspec.structs.replace(call, known=None)
        self._stand(call, call.known.index)
        return call

    def end(self) -> None:
        """The main line of the code has ended. Raises JournalMismatchError where it did more before."""
        self.owed.refuse_rest_of(self._main)

    def add(self, call: Call, *, is_try: bool = False) -> int:
        """The index of a new entry. Behind a failed try the code stands where it stood: the step is to be done yet."""
        index = len(self._told)
        self._told[index] = call
        if not is_try:
            self._stand(call, index)
        return index

    def _call(self, name: str, digest: str | None) -> Call:
        here = current.standing()
        executor = current.executor()
        stands_in = self._main if here is None else here.branch or self._main
        if here is None or stands_in.owner is not self._owner:
            number, digest, branch = self._main.fork(name, digest)
            return Call(name, number, None, True, digest, branch, branch.first, executor, is_loose=True)
        if here.executor is executor:
            number, known = stands_in.ask(name)
            return Call(name, number, here.entry, False, digest, stands_in, known, executor)
        number, digest, branch = stands_in.fork(name, digest)
        return Call(name, number, here.entry, True, digest, branch, branch.first, executor)

    def _stand(self, call: Call, index: int) -> None:
        self._called.add(index)
        if not call.is_loose:
            current.stand(current.Place(call.executor, call.branch, index))

    def _counts(self, known: Entry) -> bool:
        """Whether what it came to holds: a retry tries again what failed, as often as at first, and waits anew."""
        if known.attempt == self._attempt:
            return True
        return known.kind in {"succeeded", "triggered"} or (known.kind == "waiting" and known.completed is not None)

    def _compare(self, call: Call, kind: str) -> None:
        if call.known is not None:
            self._compare_kinds(call, call.known, kind)
        if call.forked:
            self._compare_branches(call)
        else:
            self._compare_line(call)
        if call.known is not None and self._counts(call.known):
            self._compare_places(call, call.known)

    def _compare_line(self, call: Call) -> None:
        expected = call.branch.following(call.after)
        if expected is not None and (expected.name, expected.number) != (call.name, call.number):
            place = _sentence(self._place(call.after))
            raise JournalMismatchError(f"{place} came {named(expected)}, and now {named(call)}.")
        self._compare_arguments(call)

    def _compare_kinds(self, call: Call, known: Entry, kind: str) -> None:
        were = _CALLED_BY[known.kind]
        if kind not in were:
            raise JournalMismatchError(f"{named(call)} was {_KINDS[were[0]]}, and is {_KINDS[kind]} now.")

    def _compare_branches(self, call: Call) -> None:
        parent = call.branch.parent
        if call.known is not None or parent is None:
            return
        moved = parent.next_of(call.name)
        if moved is not None and (moved.after, moved.digest) == (call.after, call.digest) and self._counts(moved):
            place = _sentence(self._place(call.after))
            raise JournalMismatchError(f"{place} came {named(moved)}, and now it comes in a task or thread of its own.")
        if call.is_loose or call.number > 1:
            return
        other = parent.only(call.name)
        if other is not None and other.attempt != TAKEN_OVER and self._counts(other):
            raise JournalMismatchError(_OTHER_ARGUMENTS.format(named(call)))

    def _compare_arguments(self, call: Call) -> None:
        branch, known = call.branch, call.known
        differs = known is not None and call.digest != known.digest and known.attempt != TAKEN_OVER
        if (differs and (call.number > 1 or branch.has_several(call.name))) or (
            call.number == 2 and call.name in branch.doubtful
        ):
            raise JournalMismatchError(_OTHER_ARGUMENTS.format(named(call)))
        if differs and known is not None and self._counts(known):
            branch.doubtful.add(call.name)

    def _compare_places(self, call: Call, known: Entry) -> None:
        if known.attempt == self._attempt:
            if known.after != call.after:
                raise JournalMismatchError(
                    f"{named(call)} came {self._place(known.after)}, and comes {self._place(call.after)} now."
                )
        elif not self._may_come(known):
            raise JournalMismatchError(
                f"{named(call)} came {self._place(known.after)}, which has not been called in this attempt."
            )

    def _may_come(self, known: Entry) -> bool:
        """Whether what came before it has come, or lies behind something that failed then and may not fail now."""
        if known.after is None or known.after in self._called:
            return True
        before = self._told.get(known.after)
        while isinstance(before, Entry):
            if not self._counts(before):
                return True
            before = None if before.after is None else self._told.get(before.after)
        return False

    def _place(self, index: int | None) -> str:
        return "first" if index is None else f"after {named(self._told[index])}"


def _place_of(branch: Branch, at: Entry | Call) -> _Place:
    return branch, at.forked, at.name, at.number


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
