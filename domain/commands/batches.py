"""Commands about batches of runs and actions on many runs."""

from msgspec import Raw, Struct

from domain.commands.base import Command
from domain.commands.runs import TriggerRuns
from domain.events import NOTHING, ItemError


class CreateBatch(Command, frozen=True, kw_only=True):
    """Announce a batch, whose items come next. Answer: CreatedBatch.

    `key` is the stream of its idempotency key, `request` the name of the request's own, `once` the stream of a
    token for one use, which is good until `once_until`.
    """

    batch: str
    run_count: int
    expires_at: int
    parent: str | None = None
    idempotency_key: str | None = None
    key: str | None = None
    key_until: int = 0
    request: str | None = None
    once: str | None = None
    once_until: int = 0


class CreatedBatch(Struct, frozen=True, gc=False):
    """The batch that there is now; `cached` if its key stood for it already."""

    batch: str
    run_count: int
    cached: bool = False


class AddItems(TriggerRuns, frozen=True, kw_only=True):
    """Give a batch items: the run of each index, and those that can become none. Answer: TakenItems.

    An index that is known already is passed over. `batch` is never None here.
    """

    indexes: tuple[int, ...] = ()
    """Of the runs, in their order."""
    errors: tuple[ItemError, ...] = ()


class TakenItems(Struct, frozen=True, gc=False):
    """What became of the items, and how many of those that are expected are known now."""

    accepted: int
    known: int
    expected: int
    sealed: bool


class StartBulk(Command, frozen=True, kw_only=True):
    """Begin a bulk action. Answer: the id of the one that the request began, now or when it was sent before."""

    bulk: str
    action: str
    name: str | None = None
    runs: tuple[str, ...] = ()
    filter: Raw = NOTHING
    request: str | None = None


class AdvanceBulk(TriggerRuns, frozen=True, kw_only=True):
    """Do the next chunk of a bulk action: cancel some runs, or make `runs`. Answer: whether it was done.

    It is not when the action has ended, or is no longer at the cursor `after`. `success` and `failure` count the
    runs with which there is nothing to do.
    """

    bulk: str
    after: str | None
    cursor: str | None
    is_last: bool
    cancels: tuple[str, ...] = ()
    success: int = 0
    failure: int = 0


class AbortBulk(Command, frozen=True, kw_only=True):
    """Leave a bulk action at what it has done, because of the `error` if there is one. Answer: None."""

    bulk: str
    error: str | None = None
