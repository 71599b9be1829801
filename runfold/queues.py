"""Look at queues and steer them. The calls are those of `runfold.aio.queues`, for code that does not await."""

from runfold.aio import queues as aio
from runfold.blocking import blocking

list = blocking(aio.list)  # noqa: A001 (the API's word)
retrieve = blocking(aio.retrieve)
pause = blocking(aio.pause)
resume = blocking(aio.resume)
override = blocking(aio.override)
reset_override = blocking(aio.reset_override)
