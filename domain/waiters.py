"""Which runs wait for what, read off their states."""

from collections.abc import Collection, Iterator

from domain.run import Run


class Waiters:
    """The runs that wait for a run, a batch or a waitpoint, and those of which a wait may be over."""

    def __init__(self) -> None:
        self.by_target: dict[str, dict[str, None]] = {}
        """The runs that wait, by what they wait for."""
        self._touched: dict[str, str] = {}

    def note_run(self, before: Run | None, after: Run | None) -> None:
        """A run came, changed, or is kept no longer."""
        waited, waits = before.waits if before else (), after.waits if after else ()
        if waited is not waits:
            self._note_waits(before, after)
        if self.by_target and after is not None and after.is_final and not (before and before.is_final):
            self.end(after.id)

    def end(self, target: str) -> None:
        """Something that may be waited for is over."""
        for run in self.by_target.get(target, ()):
            self._touched.setdefault(run, target)

    def of(self, target: str) -> list[str]:
        """The runs that wait for it."""
        return list(self.by_target.get(target, ()))

    def targets(self) -> Collection[str]:
        """All that somebody waits for."""
        return self.by_target.keys()

    @property
    def is_touched(self) -> bool:
        """Whether a wait of any run may be over."""
        return bool(self._touched)

    def touched(self) -> Iterator[tuple[str, str]]:
        """The runs of which a wait may be over, each once, and what says so."""
        while self._touched:
            run = next(iter(self._touched))
            yield run, self._touched.pop(run)

    def _note_waits(self, before: Run | None, after: Run | None) -> None:
        old = {target for wait in before.waits for target in wait.targets} if before else set[str]()
        new = {target for wait in after.waits for target in wait.targets} if after else set[str]()
        for target in sorted(old - new):
            assert before is not None, "whoever waited was there"
            waiting = self.by_target[target]
            del waiting[before.id]
            if not waiting:
                del self.by_target[target]
        if after is None:
            return
        for target in sorted(new - old):
            self.by_target.setdefault(target, {})[after.id] = None
        known = {wait.index for wait in before.waits} if before else set[int]()
        if any(wait.targets and wait.index not in known for wait in after.waits):
            # What it waits for may be over already, also where another of its waits is for the same.
            self._touched.setdefault(after.id, after.id)
