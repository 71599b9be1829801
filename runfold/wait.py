"""Wait inside a task that is not async; async ones await the same names of `runfold.aio.wait`."""

from runfold import waits
from runfold.blocking import blocking

for_ = blocking(waits.for_)
until = blocking(waits.until)
for_token = blocking(waits.for_token)
for_run = blocking(waits.for_run)
for_batch = blocking(waits.for_batch)
all = blocking(waits.all)  # noqa: A001 (the field's word)
any = blocking(waits.any)  # noqa: A001 (the field's word)
