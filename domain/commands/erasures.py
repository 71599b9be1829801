"""Commands about what is erased."""

from domain.commands.base import Command


class EraseRuns(Command, frozen=True, kw_only=True):
    """Erase what these runs hold. Answer: whether it was decided: not if a run has other events than it had.

    `runs` are they with the number of their events; `seals` see ErasureRecorded. Of the runs `needed_by` none may
    still go on. With a `segment` they leave the database for that.
    """

    erasure: str
    runs: dict[str, int]
    seals: dict[int, str]
    with_names: bool = False
    needed_by: tuple[str, ...] = ()
    segment: str | None = None
    root: str | None = None
    rewritten: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        """All runs that have to be looked at."""
        return (*self.runs, *self.needed_by)


class CompleteErasure(Command, frozen=True, kw_only=True):
    """Note that what was to be erased is gone. Answer: None."""

    erasure: str
