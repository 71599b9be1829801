"""The runs that the code of a run triggers: by its journal each is made once, however often the code is run again."""

import asyncio
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from runfold import current, transport
from runfold.codec import encode
from runfold.digests import digest_of
from runfold.entries import Call, Entry
from runfold.errors import ApiConnectionError, ApiError, told_before
from runfold.journal import Journal
from runfold.tries import note_cancel, noting_cancel


class Children:
    """One trigger. Outside of the code of a run it changes nothing; within a step, it is a part of the step."""

    def __init__(self, name: str, asked: Any) -> None:
        self._step, self._journal = current.current_writing()
        self._call: Call | None = None
        self._is_recorded = False
        self._within = ExitStack()
        if self._journal is not None:
            self._call = self._journal.begin(name, "triggered", digest_of(encode(asked)))

    @property
    def known(self) -> Entry | None:
        """The runs that this trigger made before; raises what it raised then, if it made none."""
        known = self._call.known if self._call else None
        if known is not None and known.kind == "failed":
            raise told_before(known.error.message if known.error else "")
        return known

    def keyed(self, options: dict[str, Any], place: int = 0) -> dict[str, Any]:
        """The options with an idempotency key, unless they have one: should the answer be lost, it finds the run."""
        if "idempotencyKey" in options or "debounce" in options:
            return options
        if self._step is not None:
            key = self._step.of_trigger()
        elif self._call is not None:
            key = f"{self._call.key}:{place}"
        else:
            return options
        return {**options, "idempotencyKey": key, "idempotencyKeyOptions": {"onFailure": "return"}}

    async def record(self, runs: list[str], batch: str | None = None, cached: tuple[int, ...] | None = None) -> None:
        """These were made, but for those at the places `cached`, which were there already; None: nobody knows."""
        if self._journal is not None and self._call is not None:
            self._is_recorded = True
            await self._journal.record(self._call, "triggered", runs=runs, batch=batch, cached=cached)

    async def __aenter__(self) -> Self:
        if self._journal is not None:
            if self._call is not None and self._call.known is not None:
                await self._journal.turn(self._call.known)
                self._within.enter_context(self._journal.reading())
            else:
                if self._call is not None:
                    with noting_cancel(self._journal, self._call):
                        await self._journal.admit(self._call)
                self._within.enter_context(self._journal.working())
            self._within.enter_context(transport.insisting())
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if self._journal and self._call and self._call.known is None and not self._is_recorded:
                await self._note(self._journal, self._call, error)
        finally:
            self._within.close()

    async def _note(self, journal: Journal, call: Call, error: BaseException | None) -> None:
        if isinstance(error, ApiError | ApiConnectionError):
            # The code may go on without; it does so whenever it is run again.
            await journal.record(call, "step_failed", error=journal.describe(error))
        elif isinstance(error, asyncio.CancelledError):
            note_cancel(journal, call)
