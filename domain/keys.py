"""An idempotency key: it stands for one run (or batch) until a time, or until that run fails.

That a run failed is read off the run when the key is used next: nothing is written for it (Trigger.dev's rule too).
"""

import hashlib

from msgspec import Struct

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Recorded
from domain.run import Run
from domain.status import FINAL, Status


class Key(Struct, frozen=True, gc=False):
    """`target` is the run or batch that the key stands for, None once it is freed."""

    id: str
    version: int
    target: str | None
    until: int
    payload: str | None = None
    """Tells the payload that the run was triggered with."""
    keeps_failed: bool = False
    """Whether it stands for a run that failed, too."""

    def stands_for(self, now: int) -> str | None:
        """The run or batch that the key stands for at this time."""
        return self.target if now < self.until else None


def stream_of(environment: str, kind: str, scope: str, key: str) -> str:
    """The stream of a key. `kind` keeps users' idempotency keys and the keys of single requests apart."""
    # A separator that no part can hold, so that no two different keys meet.
    text = "\0".join((environment, kind, scope.replace("\0", "\0\0"), key))
    return "key_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def holds(run: Run | None) -> bool:
    """Whether a run keeps its key. Those that completed or were canceled do, those that failed in any way do not."""
    return run is not None and (run.status not in FINAL or run.status in {Status.COMPLETED, Status.CANCELED})


def evolve(_key: Key | None, recorded: Recorded) -> Key:
    """The key after one event."""
    match recorded.event:
        case e.KeyClaimed() as claimed:
            return Key(
                recorded.stream,
                recorded.version,
                claimed.target,
                claimed.until,
                claimed.payload,
                claimed.keeps_failed,
            )
        case e.KeyFreed():
            return Key(recorded.stream, recorded.version, None, 0)
        case event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of key {recorded.stream}.")
