"""The large values that events name, which are kept beside the ledger."""

from collections.abc import Sequence
from operator import attrgetter

from msgspec import structs

from domain.events import EVENTS, BlobRef, Event, RunTriggered
from domain.named_event import EVENT
from domain.states import kind_of

_REFS = {
    event: attrgetter(field.name)
    for event in EVENTS
    for field in structs.fields(event)
    if field.type in {BlobRef, BlobRef | None}
}
"""The field of each event that may have one: of each event it is one field."""
NAMING = frozenset(_REFS)
"""The events that may name any."""


def refs_of(event: Event) -> Sequence[BlobRef]:
    """The large values of an event. The payload of a named event is that of all its runs, and only its own."""
    ref_of = _REFS.get(type(event))
    if ref_of is None:
        return ()
    ref: BlobRef | None = ref_of(event)
    if not isinstance(event, RunTriggered):
        return (ref,) if ref else ()
    found = [ref] if ref else []
    if event.prefix:
        found += [edit.result_blob for edit in event.prefix.edits if edit.result_blob]
    return [each for each in found if kind_of(each.key) != EVENT] if event.event else found
