"""Which runs a batch waits for, read off the states of both."""

from collections.abc import Iterator

from domain.batch import Batch
from domain.run import Run


class Members:
    """The unfinished runs of each batch, and the batches that may be over because one of these ended."""

    def __init__(self) -> None:
        self.unfinished: dict[str, dict[str, None]] = {}
        """Those that were made for it."""
        self.sharing: dict[str, dict[str, None]] = {}
        """The batches that wait for a run that was not made for them."""
        self._settling: dict[str, str] = {}
        """What may be over, and the run or batch that says so."""

    def note_run(self, before: Run | None, after: Run | None) -> None:
        """A run came, changed its status, or is kept no longer."""
        run = after or before
        assert run is not None, "there is a run before it or after it"
        if run.batch is None and not self.sharing:
            return
        # By its time: that costs a tenth of a look at the status, and this is asked several times of every run.
        was, is_now = before is not None and before.ended_at is None, after is not None and after.ended_at is None
        if was == is_now:
            return
        if is_now:
            if run.batch:
                self.unfinished.setdefault(run.batch, {})[run.id] = None
            return
        if run.batch:
            siblings = self.unfinished[run.batch]
            del siblings[run.id]
            if not siblings:
                del self.unfinished[run.batch]
                self._settling[run.batch] = run.id
        for batch in self.sharing.get(run.id, ()):
            self._settling[batch] = run.id

    def note_batch(self, stream: str, before: Batch | None, after: Batch | None) -> None:
        """A batch came, got items, or is kept no longer."""
        for run in before.shared if before else ():
            sharing = self.sharing[run]
            del sharing[stream]
            if not sharing:
                del self.sharing[run]
        for run in after.shared if after else ():
            self.sharing.setdefault(run, {})[stream] = None
        if after and not after.takes_items and after.ended_at is None:
            self._settling[stream] = stream

    def settling(self) -> Iterator[tuple[str, str]]:
        """The batches that may be over, and what says so; each is told once."""
        while self._settling:
            yield self._settling.popitem()
