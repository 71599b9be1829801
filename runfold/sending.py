"""What the code of a run makes in the engine by one request: once, however often the code is run again."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from runfold import transport
from runfold.codec import encode
from runfold.digests import digest_of
from runfold.errors import ApiConnectionError, ApiError, told_before
from runfold.journal import Journal
from runfold.tries import noting_cancel

T = TypeVar("T")


async def send_once(journal: Journal, name: str, asked: Any, send: Callable[[str], Awaitable[T]], made: type[T]) -> T:
    """What `send` made, which gets the idempotency key; raises what it raised when it was first called."""
    call = journal.begin(name, "step", digest_of(encode(asked)))
    if call.known is not None:
        await journal.turn(call.known)
        if call.known.kind == "failed":
            raise told_before(call.known.error.message if call.known.error else "")
        return msgspec.json.decode(call.known.result, type=made)
    with journal.working(), transport.insisting():
        try:
            with noting_cancel(journal, call):
                await journal.admit(call)
                sent = await send(call.key)
        except (ApiError, ApiConnectionError) as error:
            # The code may go on without; it does so whenever it is run again.
            await journal.record(call, "step_failed", error=journal.describe(error))
            raise
        await journal.record(call, "step_succeeded", output=msgspec.Raw(encode(sent)))
    return sent
