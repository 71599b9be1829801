"""Send named events, look at them and cancel those that are to come.

The calls are those of `runfold.aio.events`, for code that does not await.
"""

from runfold.aio import events as aio
from runfold.blocking import blocking

send = blocking(aio.send)
retrieve = blocking(aio.retrieve)
list = blocking(aio.list)  # noqa: A001 (events.list)
cancel = blocking(aio.cancel)
