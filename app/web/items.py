"""Items of a batch as they come in a stream: lines of bounded length, and what each asks for."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from app.newruns import making
from app.service import Service
from app.values import PAYLOAD_MAX_BYTES
from app.web import bodies
from app.web.caller import Caller
from app.web.errors import Malformed
from app.web.grants import must
from app.web.unpacking import unpacked
from domain.batching import REFUSED
from domain.errors import Refused, TooLarge
from domain.events import ItemError
from domain.lifecycle import NewRun

LINE_MAX_BYTES = PAYLOAD_MAX_BYTES + 524_288
"""A payload, and the options beside it."""
TOO_LARGE = "PAYLOAD_TOO_LARGE"
_BEGINNING_BYTES = 1_024
_BEGINNING = re.compile(rb'\s*\{\s*"index"\s*:\s*(\d{1,15})\s*,\s*"task"\s*:\s*("(?:[^"\\]|\\.)*")')
"""How the official client begins a line."""


class Line(NamedTuple):
    """A line, or the beginning of one that is too long to be taken."""

    number: int
    text: bytes
    is_whole: bool = True


class Lines:
    """Cuts a stream into lines, and keeps no more of one than it may have."""

    def __init__(self, max_bytes: int = LINE_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._number = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that end in this chunk; blank ones are none."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._keep(end)
            yield from self.finish()
        self._keep(rest)

    def finish(self) -> Iterator[Line]:
        """What is left is a line too."""
        self._number += 1
        text, is_whole = b"".join(self._parts), self._size <= self._max_bytes
        self._parts, self._size = [], 0
        if text.strip():
            yield Line(self._number, text, is_whole)

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._max_bytes:
            self._parts.append(part)
        else:
            self._parts = [b"".join((*self._parts, part))[:_BEGINNING_BYTES]]


class Item(NamedTuple):
    """The run that an item asks for, with the large values to keep beside it; or why it can become none."""

    place: int
    asked: NewRun | ItemError
    blobs: dict[str, bytes]


async def item_of(line: Line, batch: str, service: Service, caller: Caller, traceparent: str | None) -> Item:
    """What a line asks for. Raises Malformed, TooLarge for one of which it cannot be told which item it is."""
    if not line.is_whole:
        sentence = f"An item has at most {LINE_MAX_BYTES} bytes; this one has more."
        beginning = _BEGINNING.match(line.text)
        if beginning is None:
            raise TooLarge(f"Line {line.number}: {sentence}")
        index, task = int(beginning[1]), msgspec.json.decode(beginning[2], type=str)
        must(caller, "batchTrigger", ("tasks", task))
        return Item(index, ItemError(index, task, sentence, TOO_LARGE), {})
    try:
        item = bodies.decode(line.text, bodies.BatchItem)
    except Malformed as error:
        raise Malformed(f"Line {line.number}: {error}") from error
    must(caller, "batchTrigger", ("tasks", item.task))
    try:
        new, blobs = await new_run(item, batch, service, caller, traceparent)
    except Refused as refusal:
        code = TOO_LARGE if len(bytes(item.payload)) > PAYLOAD_MAX_BYTES else REFUSED
        return Item(item.index, ItemError(item.index, item.task, str(refusal), code), {})
    return Item(item.index, new, blobs)


async def new_run(
    item: bodies.TaskItem, batch: str, service: Service, caller: Caller, traceparent: str | None
) -> tuple[NewRun, dict[str, bytes]]:
    """The run that an item asks for. Raises InvalidInput, Malformed."""
    text = bytes(item.options)
    options = None if text in {b"", b"null"} else bodies.decode(text, bodies.TriggerOptions)
    body = await unpacked(bodies.TriggerBody(item.payload, options), service, caller)
    now = service.clock.now().wall
    run = service.ids.new("run", now)
    return making.new_run(run, item.task, body, caller.environment.id, now, traceparent, batch)
