"""Wait inside a task that is not async; async ones await the same names of `runfold.aio.wait`."""

from runfold import waits
from runfold.blocking import blocking
from runfold.tokens import complete_token, create_token, list_tokens, retrieve_token

__all__ = [
    "all",
    "any",
    "complete_token",
    "create_token",
    "for_",
    "for_batch",
    "for_run",
    "for_token",
    "list_tokens",
    "retrieve_token",
    "until",
]

for_ = blocking(waits.for_)
until = blocking(waits.until)
for_token = blocking(waits.for_token)
for_run = blocking(waits.for_run)
for_batch = blocking(waits.for_batch)
all = blocking(waits.all)  # noqa: A001 (the field's word)
any = blocking(waits.any)  # noqa: A001 (the field's word)
