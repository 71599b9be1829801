"""What runs were triggered with, for the workers that they are handed to: a bounded cache."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from msgspec import Raw
from msgspec.structs import replace

from domain.errors import LedgerCorrupt
from domain.events import BlobRef, Recorded, RunDebounced, RunTriggered
from domain.ports import Ledger

CACHE_MAX_BYTES = 64_000_000
_OVERHEAD_BYTES = 1_000


class TriggeredCache:
    """The RunTriggered events of recent runs."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Recorded] = OrderedDict()
        self._size = 0

    def note(self, records: Sequence[Recorded]) -> None:
        """Remember what was just committed."""
        for recorded in records:
            if type(recorded.event) is RunDebounced:
                # What is remembered of the run is outdated; the whole is read when it is handed out.
                self.known([recorded.stream])
            elif type(recorded.event) is RunTriggered:
                self._known[recorded.stream] = recorded
                self._size += _size_of(recorded)
        while self._size > CACHE_MAX_BYTES:
            _, oldest = self._known.popitem(last=False)
            self._size -= _size_of(oldest)

    def known(self, runs: Iterable[str]) -> dict[str, Recorded]:
        """Those that are remembered. A run is handed out once as a rule, so it is forgotten here."""
        found: dict[str, Recorded] = {}
        for run in runs:
            recorded = self._known.pop(run, None)
            if recorded is not None:
                self._size -= _size_of(recorded)
                found[run] = recorded
        return found


def as_asked(history: Sequence[Recorded]) -> Recorded:
    """The beginning of a run, with what it is to do."""
    return replace(history[0], event=asked_of(history))


def asked_of(history: Sequence[Recorded]) -> RunTriggered:
    """What a run is to do: as it was triggered, with what later triggers by its debounce key replaced."""
    triggered = history[0].event
    assert isinstance(triggered, RunTriggered), "a run begins with its trigger"
    for recorded in reversed(history):
        event = recorded.event
        if isinstance(event, RunDebounced) and event.replaces:
            return replace(
                triggered,
                payload=event.payload,
                payload_blob=event.payload_blob,
                payload_type=event.payload_type,
                payload_size=event.payload_size,
                tags=event.tags,
                metadata=event.metadata,
                max_attempts=event.max_attempts,
                max_duration_ms=event.max_duration_ms,
                machine=event.machine,
            )
    return triggered


def value_of(ledger: Ledger, inline: Raw, ref: BlobRef | None) -> Raw:
    """A value that stands in the event or beside the ledger. Raises LedgerCorrupt if it is gone or another (blocks)."""
    if ref is None:
        return inline
    blob = ledger.blob(ref.key)
    if blob is None:
        raise LedgerCorrupt(f"The value {ref.key} is no longer there.")
    if hashlib.sha256(blob).hexdigest() != ref.sha256:
        raise LedgerCorrupt(f"The value {ref.key} is not the one that was stored.")
    return Raw(blob)


def _size_of(recorded: Recorded) -> int:
    assert isinstance(recorded.event, RunTriggered)
    return len(recorded.event.payload) + _OVERHEAD_BYTES
