"""Look at runs and steer them. The calls are those of `runfold.aio.runs`, for code that does not await."""

from collections.abc import Sequence
from typing import Any, Unpack

from runfold.aio import runs as aio
from runfold.blocking import blocking
from runfold.bulk import BulkHandle
from runfold.filters import RunFilters
from runfold.following import Subscription
from runfold.handles import BatchHandle, Ref, RunHandle
from runfold.moments import Moment
from runfold.pages import RunList
from runfold.typevars import PayloadT, ResultT

retrieve = blocking(aio.retrieve)
poll = blocking(aio.poll)
result = blocking(aio.result)
events = blocking(aio.events)
journal = blocking(aio.journal)
logs = blocking(aio.logs)
cancel = blocking(aio.cancel)
replay = blocking(aio.replay)
reschedule = blocking(aio.reschedule)
explain = blocking(aio.explain)
add_tags = blocking(aio.add_tags)
update_metadata = blocking(aio.update_metadata)


def bulk_cancel(
    *, ids: Sequence[Ref] | None = None, filters: RunFilters | None = None, name: str | None = None
) -> BulkHandle:
    """Cancel many runs, which the handle then tells of."""
    return BulkHandle(blocking(aio.bulk_cancel)(ids=ids, filters=filters, name=name))


def bulk_replay(
    *, ids: Sequence[Ref] | None = None, filters: RunFilters | None = None, name: str | None = None
) -> BulkHandle:
    """Replay many runs, which the handle then tells of."""
    return BulkHandle(blocking(aio.bulk_replay)(ids=ids, filters=filters, name=name))


def subscribe_to_run(run: str | RunHandle[PayloadT, ResultT]) -> Subscription[PayloadT, ResultT]:
    """The run as it is, and again each time that it has changed, until it is over."""
    return Subscription(aio.subscribe_to_run(run))


def subscribe_to_runs_with_tag(*tags: str) -> Subscription[Any, Any]:
    """The runs that have all of these tags as they are, and again each time that one has changed or come."""
    return Subscription(aio.subscribe_to_runs_with_tag(*tags))


def subscribe_to_batch(batch: str | BatchHandle[Any, Any]) -> Subscription[Any, Any]:
    """The runs of the batch as they are, and again each time that one has changed."""
    return Subscription(aio.subscribe_to_batch(batch))


def list(  # noqa: A001 (the API's word)
    *, as_of: Moment | None = None, **filters: Unpack[RunFilters]
) -> RunList:
    """Runs, newest first, as they are or were, as far as the filters let them through."""
    return RunList(aio.list(as_of=as_of, **filters))
