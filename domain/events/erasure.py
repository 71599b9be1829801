"""What users gave runs is erased, and a receipt of that stays in the ledger."""

from domain.events.base import Event, RunEvent


class RunErased(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """Payload, output, results, errors, metadata and logs of the run are gone, `with_names` also tags and keys."""

    erasure: str
    with_names: bool = False


class RunArchived(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The run has left the database for a segment file. It had so many attempts, and was an execution of a job or not.

    Nothing follows; how it went, without any values, stays in the ledger.
    """

    erasure: str
    segment: str
    attempts: int = 0
    is_execution: bool = False


class ErasureRecorded(Event, frozen=True, gc=False, omit_defaults=True):
    """What the events of these runs held is to be erased: `seals` are those of what stands in their place, by position.

    A seal is SHA-256 over the digest before the event, the one behind it, and what stands there now: see ADR 35. Runs
    that leave the database by age are in the `segment`, and `root` is that of the Merkle tree over its events. Those
    that had left it before are erased in the segments that are `rewritten`.
    """

    runs: tuple[str, ...]
    seals: dict[int, str]
    with_names: bool = False
    segment: str | None = None
    root: str | None = None
    rewritten: tuple[str, ...] = ()


class ErasureCompleted(Event, frozen=True, gc=False):
    """What was to be erased is gone from the database."""
