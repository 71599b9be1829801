"""Runs as they change: server-sent events, over any number of connections, of which each goes on where the last was."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import aclosing
from typing import Generic

from runfold import transport
from runfold.answers import Answer, answer_of
from runfold.blocking import background_loop
from runfold.codec import Types
from runfold.run import Run, read_run
from runfold.transport import ATTEMPTS_MAX, EndOfStream, Line, PassingError, backoff
from runfold.typevars import PayloadT, ResultT

PATH = "/api/v1/runs/stream"


class AsyncSubscription(Generic[PayloadT, ResultT]):
    """`async for` goes over a run, or several, as they are, and again each time that one has changed.

    It ends with the run, if it is of one. A connection that breaks is made anew, and nothing is missed.
    """

    def __init__(self, query: Mapping[str, str], types: Types[PayloadT, ResultT]) -> None:
        self._query = query
        self._types = types

    async def __aiter__(self) -> AsyncGenerator[Run[PayloadT, ResultT]]:
        async with aclosing(_data(self._query)) as told:
            async for data in told:
                run = read_run(data, self._types)
                yield run
                if run.is_completed and "run" in self._query:
                    return


class Subscription(Generic[PayloadT, ResultT]):
    """The same for code that does not await."""

    def __init__(self, subscription: AsyncSubscription[PayloadT, ResultT]) -> None:
        self._subscription = subscription

    def __iter__(self) -> Generator[Run[PayloadT, ResultT]]:
        runs, loop = self._subscription.__aiter__(), background_loop()

        async def following() -> Run[PayloadT, ResultT] | None:
            return await anext(runs, None)

        try:
            while (run := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not None:
                yield run
        finally:
            asyncio.run_coroutine_threadsafe(runs.aclose(), loop).result()


async def _data(query: Mapping[str, str]) -> AsyncGenerator[Answer]:
    """What is told, until it is all. Raises ApiError, ApiConnectionError when the attempts are used up.

    Raises ConfigurationError if something else than an engine answers.
    """
    last, failures = "", 0
    while True:
        try:
            async with aclosing(transport.default.lines(PATH, query, {"last-event-id": last} if last else {})) as lines:
                async for id_, data in _events(lines):
                    failures, last = 0, id_ or last
                    if data:
                        yield data
        except EndOfStream:
            return
        except PassingError as passing:
            failures += 1
            if failures >= ATTEMPTS_MAX:
                raise passing.error from None
        # Also where the engine ended the stream, as it does when it is stopped: another one goes on with it.
        await transport.default.sleep(backoff(max(1, failures), transport.default.chance()))


async def _events(lines: AsyncIterator[Line]) -> AsyncIterator[tuple[str, Answer]]:
    """Id and data of each event; a comment is one with neither."""
    fields: dict[str, str] = {}
    async for text, address in lines:
        if text:
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            yield fields.get("id", ""), answer_of(fields.get("data", "").encode(), 200, address)
            fields = {}
