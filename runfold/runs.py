"""Look at runs and steer them. The calls are those of `runfold.aio.runs`, for code that does not await."""

from typing import Unpack

from runfold.aio import runs as aio
from runfold.blocking import blocking
from runfold.filters import RunFilters
from runfold.pages import RunList

retrieve = blocking(aio.retrieve)
poll = blocking(aio.poll)
result = blocking(aio.result)
events = blocking(aio.events)
cancel = blocking(aio.cancel)
replay = blocking(aio.replay)
reschedule = blocking(aio.reschedule)


def list(**filters: Unpack[RunFilters]) -> RunList:  # noqa: A001 (the API's word)
    """Runs, newest first, as far as the filters let them through."""
    return RunList(aio.list(**filters))
