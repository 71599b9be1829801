"""Make schedules, change them and look at them.

The calls are those of `runfold.aio.schedules`, for code that does not await.
"""

from runfold.aio import schedules as aio
from runfold.blocking import blocking

create = blocking(aio.create)
update = blocking(aio.update)
list = blocking(aio.list)  # noqa: A001 (the API's word)
retrieve = blocking(aio.retrieve)
run = blocking(aio.run)
activate = blocking(aio.activate)
deactivate = blocking(aio.deactivate)
delete = blocking(aio.delete)
ticks = blocking(aio.ticks)
backfill = blocking(aio.backfill)
