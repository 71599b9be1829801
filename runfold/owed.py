"""What a run did before in this attempt, and its code has not asked for yet when it is run again.

Until it has, nothing new begins: what is new to one branch may be what another one did, in code that was changed.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager

from runfold.branches import Branch
from runfold.entries import Call, Entry, named
from runfold.errors import JournalMismatchError
from runfold.hearing import Hearing

NEVER = float("inf")
_ASIDE = " in a task or thread of its own"


class Owed:
    """Of one attempt. What the code canceled, or left before it heard of it, it need not ask for again."""

    def __init__(self, told: Mapping[int, Entry | Call]) -> None:
        self._told = told
        self._entries: dict[int, tuple[Entry, Branch]] = {}
        self._certain: frozenset[int] = frozenset()
        self._heard_by: Mapping[int, int] = {}
        self._behind: float = -1
        """All that the code has heard it had heard when this entry was made before; infinite where nobody knows."""
        self._new: dict[tuple[str, str | None], list[float]] = {}
        """Behind what the code asked for something new of this name, with these arguments."""

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __iter__(self) -> Iterator[int]:
        """In the order of the journal."""
        return iter(self._entries)

    def take(self, entry: Entry, branch: Branch) -> None:
        """The journal has this, of this branch."""
        self._entries[entry.index] = entry, branch

    def excuse(self, hearing: Hearing) -> None:
        """Of some of it the code did not want to hear."""
        for index in hearing.left:
            self._entries.pop(index, None)
        self._certain = frozenset(hearing.order[: hearing.sure])
        self._heard_by = hearing.heard_by

    def meet(self, call: Call) -> None:
        """The code asks for this."""
        for entry in call.tries:
            self._entries.pop(entry.index, None)
        if call.known is not None:
            self._entries.pop(call.known.index, None)

    def tell(self, index: int) -> None:
        """The code hears of this."""
        self._behind = max(self._behind, self._heard_by.get(index, NEVER))

    @contextmanager
    def replaced(self, call: Call) -> Generator[None]:
        """The code asks for this, which the journal does not have. Within, it may drop it: then it was never there."""
        behind = self._behind
        asked = self._new.setdefault((call.name, call.digest), [])
        asked.append(behind)
        try:
            yield
        except BaseException:
            asked.remove(behind)
            raise

    def is_due(self, index: int) -> bool:
        """Whether unchanged code will ask for this.

        It may not for what it left in the moment when its process died: nobody wrote that down any more. That is
        nothing of which it had heard by its last entry; nor what it asks for elsewhere now, as new, when it has
        heard no more than when this was made.
        """
        if index in self._certain:
            return True
        if index not in self._entries:
            return False
        entry, _ = self._entries[index]
        return any(behind <= index for behind in self._new.get((entry.name, entry.digest), ()))

    def refuse_moved(self, call: Call) -> None:
        """Raise JournalMismatchError where what the code asks for is done, and stood in another place then."""
        alike = [entry for entry, _ in self._entries.values() if (entry.name, entry.digest) == (call.name, call.digest)]
        if not alike:
            return
        is_late = not self._certain.isdisjoint(self._entries)
        for entry in alike:
            # Code that has not asked in time for what it had heard was changed, or is slow: it did not drop this.
            if is_late or self.is_due(entry.index):
                was, now = self._place(entry), self._place(call)
                if entry.forked != call.forked:
                    was, now = (was + _ASIDE, now) if entry.forked else (was, now + _ASIDE)
                raise JournalMismatchError(f"{named(entry)} came {was}, and now it comes {now}.")

    def refuse_rest_of(self, line: Branch) -> None:
        """Raise JournalMismatchError where this line of the code, which has ended, did more before."""
        for entry, branch in self._entries.values():
            if branch is line and not entry.forked:
                raise self._missing(entry)

    def refuse_rest(self) -> None:
        """Raise JournalMismatchError where the code, which has ended, did more before."""
        for index, (entry, _) in self._entries.items():
            if self.is_due(index):
                raise self._missing(entry)

    def _missing(self, entry: Entry) -> JournalMismatchError:
        return JournalMismatchError(f"{named(entry)} came {self._place(entry)}, and now the code ends without it.")

    def _place(self, at: Entry | Call) -> str:
        return "first" if at.after is None else f"after {named(self._told[at.after])}"
