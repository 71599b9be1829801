"""Make batches and look at them. The calls are those of `runfold.aio.batches`, for code that does not await."""

from runfold.aio import batches as aio
from runfold.blocking import blocking

trigger = blocking(aio.trigger)
retrieve = blocking(aio.retrieve)
list = blocking(aio.list)  # noqa: A001 (batches.list)
results = blocking(aio.results)
