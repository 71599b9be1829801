"""Every large value that an event names is known."""

import pytest
from msgspec import structs

from domain import events as e
from domain.events import EVENTS, BlobRef, Event
from domain.values import refs_of

REF, OTHER, SHARED = BlobRef("run_1/a", "aa", 1), BlobRef("run_1/b", "bb", 1), BlobRef("event_1/payload", "cc", 1)
TRIGGERED = e.RunTriggered("greet", "task/greet", payload_blob=REF)
PREFIX = e.Prefix("run_0", 3, 2, (e.Edit(0, result_blob=OTHER), e.Edit(1)))
ABOUT = e.EventRef("1", "made", 1, "api")


@pytest.mark.parametrize(
    ("event", "refs"),
    [
        (TRIGGERED, [REF]),
        (structs.replace(TRIGGERED, prefix=PREFIX), [REF, OTHER]),
        (structs.replace(TRIGGERED, payload_blob=SHARED, event=ABOUT), []),
        (e.EventSent("1", "made", 1, "api", payload_blob=SHARED), [SHARED]),
        (e.AttemptSucceeded(1, 2, output_blob=REF), [REF]),
        (e.AttemptSucceeded(1, 2), []),
        (e.PacketStored(REF, "text/plain"), [REF]),
        (e.RunCanceled(), []),
    ],
)
def test_an_event_names_its_values(event: Event, refs: list[BlobRef]) -> None:
    assert list(refs_of(event)) == refs


def test_no_event_has_two_fields_for_values() -> None:
    fields = {event: [each for each in structs.fields(event) if "BlobRef" in str(each.type)] for event in EVENTS}

    assert {len(each) for each in fields.values()} == {0, 1}
