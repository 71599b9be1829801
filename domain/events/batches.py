"""Batches of runs, and actions on many runs."""

from msgspec import Raw, Struct, field

from domain.events.base import NOTHING, Event


class BatchTriggered(Event, frozen=True, gc=False):
    """Several runs were accepted together; those that a key already stood for are among them.

    `cached` tells the places of these: they may belong to another batch.
    """

    runs: tuple[str, ...]
    cached: tuple[int, ...] = ()


class ItemError(Struct, frozen=True, gc=False):
    """Why an item of a batch became no run."""

    index: int
    task: str
    error: str
    code: str


class BatchCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A batch was announced: its items come in a stream, until `expires_at`; their runs are the parent's."""

    run_count: int
    expires_at: int
    idempotency_key: str | None = None
    parent: str | None = None


class BatchItemsAccepted(Event, frozen=True, gc=False, omit_defaults=True):
    """Items of the batch came: the runs that they got by their index, and those that became none.

    `cached` tells the indexes of runs that a key stood for before.
    """

    runs: dict[int, str] = field(default_factory=dict[int, str])
    cached: tuple[int, ...] = ()
    errors: tuple[ItemError, ...] = ()


class BatchSealed(Event, frozen=True, gc=False):
    """All items of the batch are known."""


class BatchExpired(Event, frozen=True, gc=False):
    """Not all items of the batch came in time, and no more are taken."""


class BatchCompleted(Event, frozen=True, gc=False):
    """All runs of the batch are finished."""


class BatchAborted(Event, frozen=True, gc=False):
    """No item of the batch became a run."""


class BulkStarted(Event, frozen=True, gc=False, omit_defaults=True):
    """Someone asked to CANCEL or REPLAY many runs: these, or those that a filter finds among the runs there were."""

    action: str
    name: str | None = None
    runs: tuple[str, ...] = ()
    filter: Raw = NOTHING


class BulkAdvanced(Event, frozen=True, gc=False, omit_defaults=True):
    """A part of a bulk action is done, up to the cursor: so many runs more, and so many with which it could not be.

    `runs` are those that it canceled, or the new ones of its replays.
    """

    cursor: str
    success: int
    failure: int
    runs: tuple[str, ...] = ()


class BulkCompleted(Event, frozen=True, gc=False):
    """The bulk action is done."""


class BulkAborted(Event, frozen=True, gc=False, omit_defaults=True):
    """The bulk action was stopped, by someone or by the `error`, a sentence; what it did remains."""

    error: str | None = None
