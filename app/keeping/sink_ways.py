"""How events get to a sink: by one POST for each, or as lines of a file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from app.engine.reader import Reader
from app.event_formats import cloud_events, event_items
from app.keeping.sink_files import SinkFile
from app.requests import SecretMissing, call_of
from domain.announcing import request_to
from domain.calls import MESSAGE_SHOWN_MAX, HttpCaller
from domain.errors import KeyMissing, SealBroken
from domain.events import Recorded
from domain.requests import SUCCESS_STATUSES
from domain.signing import signed
from domain.sink import CLOUDEVENTS, Sink

CLOUDEVENT_TYPE = "application/cloudevents+json"
SecretOf = Callable[[str], str]


class NotDelivered(Exception):
    """What should have arrived did not; the message says why, and another attempt may go better."""


class Way(Protocol):
    """How events get to a sink."""

    async def begin(self, position: int) -> int:
        """Where to go on, if everything up to this position has arrived, and maybe more. Raises NotDelivered."""
        ...

    async def deliver(self, records: Sequence[Recorded]) -> None:
        """Let these arrive, in their order, those that have already passed over. Raises NotDelivered."""
        ...

    def end(self) -> None:
        """Let go of it."""
        ...


class ToWebhook:
    """One POST for each event, whose id is that of the sink with the position: a receiver knows what came before."""

    def __init__(self, sink: Sink, caller: HttpCaller, secret_of: SecretOf, now: Callable[[], int]) -> None:
        self._sink = sink
        self._caller = caller
        self._secret_of = secret_of
        self._now = now
        self._position = sink.position

    async def begin(self, position: int) -> int:
        """Behind what was taken last, as far as that is known here."""
        self._position = max(position, self._position)
        return self._position

    async def deliver(self, records: Sequence[Recorded]) -> None:
        """One after the other. Raises NotDelivered with the first that is not taken."""
        for recorded in records:
            # After an attempt that failed in the middle of a portion, its first ones have arrived.
            if recorded.position > self._position:
                await self._post(recorded)
                self._position = recorded.position

    def end(self) -> None:
        """Nothing is held."""

    async def _post(self, recorded: Recorded) -> None:
        spec = self._sink.spec
        body = line_of(recorded, spec.format)
        is_cloudevent = spec.format == CLOUDEVENTS
        headers = {"Content-Type": CLOUDEVENT_TYPE if is_cloudevent else "application/json"}
        message = f"{self._sink.id}_{recorded.position}"
        try:
            secrets = [self._secret_of(spec.secret)] if spec.secret else []
            ours = signed(message, self._now(), body, secrets)
            call = call_of(request_to(spec.url, headers, None), {}, self._secret_of, ours if secrets else ours[:2])
        except (SecretMissing, KeyMissing, SealBroken) as error:
            raise NotDelivered(str(error)) from error
        found = await self._caller.call(msgspec.structs.replace(call, body=body))
        if found.error_class is not None:
            why = (found.message or "")[:MESSAGE_SHOWN_MAX]
            raise NotDelivered(f"Event {recorded.position} was not taken: {why}")
        if found.status_code not in SUCCESS_STATUSES:
            raise NotDelivered(f"Event {recorded.position} was not taken: it was answered {found.status_code}.")


class ToFile:
    """A line for each event; what is in the file says how far it is, whatever happened to the engine."""

    def __init__(self, path: Path, format_: str, reader: Reader) -> None:
        self._file = SinkFile(path)
        self._format = format_
        self._reader = reader

    async def begin(self, position: int) -> int:
        """Behind the last whole line. Raises NotDelivered when the file cannot be used, or tells of another history."""
        found: int = await self._blocking(self._file.open)
        head = await self._reader.head()
        if found > head:
            raise self._another(found, f"and the ledger with event {head}")
        if found:
            # After a restore the ledger may have come as far since, with other events.
            (last,) = await self._reader.read(lambda: self._reader.ledger.read_after(found - 1, limit=1))
            if not self._file.ended_with(last):
                raise self._another(found, "which is another one in the ledger")
        return max(position, found)

    def _another(self, found: int, how: str) -> NotDelivered:
        return NotDelivered(
            f"The file {self._file.path} ends with event {found}, {how}: it is that of another ledger, or the ledger"
            " has lost its end. Move the file away, and a new one begins where the sink is."
        )

    async def deliver(self, records: Sequence[Recorded]) -> None:
        """Write and sync them all. Raises NotDelivered."""
        lines = [(each.position, line_of(each, self._format) + b"\n") for each in records]
        await self._blocking(self._file.append, lines)

    def end(self) -> None:
        """Close the file."""
        self._file.close()

    async def _blocking(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await self._reader.read(function, *arguments)
        except OSError as error:
            raise NotDelivered(f"The file {self._file.path} cannot be written: {error.strerror}.") from error


def line_of(recorded: Recorded, format_: str) -> bytes:
    """An event as a sink is told it, without line breaks: what users sent may have some."""
    (told,) = cloud_events([recorded]) if format_ == CLOUDEVENTS else event_items([recorded])
    text = msgspec.json.encode(told)
    return msgspec.json.encode(msgspec.json.decode(text)) if b"\n" in text or b"\r" in text else text
