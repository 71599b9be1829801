"""What must be true of batches: an index has one run at most, and a batch is over exactly when its runs are."""

from domain import events as e
from domain.events import Event
from tests.simulation.rules import rule
from tests.simulation.run_facts import RunFacts


class BatchFacts:
    """What the log tells of one batch."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.runs: dict[int, str] = {}
        self.refused: set[int] = set()
        self.takes_items = True
        self.is_over = False


class BatchCheck:
    """Reads the events of batches; `runs` are the facts of all runs."""

    def __init__(self, runs: dict[str, RunFacts]) -> None:
        self._runs = runs
        self._batches: dict[str, BatchFacts] = {}
        self.open: set[str] = set()
        """Those that are not over."""

    def follow(self, batch: str, event: Event) -> None:
        """Check the next event of a batch."""
        match event:
            case e.BatchTriggered(runs=runs, cached=cached):
                facts = self._begin(batch, len(runs))
                self._take(batch, facts, dict(enumerate(runs)), cached)
                facts.takes_items = False
            case e.BatchCreated(run_count=count):
                self._begin(batch, count)
            case e.BatchItemsAccepted(runs=runs, cached=cached, errors=errors):
                facts = self._batches[batch]
                rule(facts.takes_items, "%s takes items after its end", batch)
                self._take(batch, facts, runs, cached)
                facts.refused |= {each.index for each in errors}
            case e.BatchSealed():
                facts = self._batches[batch]
                known = facts.runs.keys() | facts.refused
                rule(known == set(range(facts.expected)), "%s is sealed with %s", batch, known)
                facts.takes_items = False
            case e.BatchExpired():
                rule(self._batches[batch].takes_items, "%s expires after it was sealed", batch)
                self._batches[batch].takes_items = False
            case e.BatchCompleted() | e.BatchAborted():
                facts = self._batches[batch]
                rule(not facts.is_over and not facts.takes_items, "%s is over too early or twice", batch)
                rule(bool(facts.runs) is isinstance(event, e.BatchCompleted), "%s: %s", batch, event)
                facts.is_over = True
            case _:
                pass

    def is_over(self, batch: str) -> bool | None:
        """Whether a batch is over; None if there is no such one."""
        facts = self._batches.get(batch)
        return facts.is_over if facts else None

    def runs_of(self, batch: str) -> list[str]:
        """The runs of a batch, in the order of their items."""
        return [run for _, run in sorted(self._batches[batch].runs.items())]

    def known(self, batch: str) -> set[int]:
        """The indexes of which it is known what became of them."""
        facts = self._batches[batch]
        return facts.runs.keys() | facts.refused

    def check_commit(self) -> None:
        """After each commit: nobody waits for a batch of which all is done, nor is one over before that."""
        for batch in sorted(self.open):
            facts = self._batches[batch]
            unfinished = [run for run in facts.runs.values() if not self._runs[run].ended]
            is_done = not facts.takes_items and not unfinished
            rule(facts.is_over == is_done, "%s is over: %s, and waits for %s", batch, facts.is_over, unfinished)
            if facts.is_over:
                self.open.discard(batch)

    def _begin(self, batch: str, expected: int) -> BatchFacts:
        rule(batch not in self._batches, "%s begins twice", batch)
        self.open.add(batch)
        return self._batches.setdefault(batch, BatchFacts(expected))

    def _take(self, batch: str, facts: BatchFacts, runs: dict[int, str], cached: tuple[int, ...]) -> None:
        again = runs.keys() & (facts.runs.keys() | facts.refused)
        rule(not again, "%s: the items %s are made into runs twice", batch, again)
        for index, run in runs.items():
            is_ours = self._runs[run].triggered.batch == batch
            rule(is_ours or index in cached, "%s: %s of item %d was made for another batch", batch, run, index)
        facts.runs |= runs
