"""Packets, and tokens for one use: what happens once."""

import pytest

from domain import commands as c
from domain import events as e
from domain.commands import Accepted, CreatedBatch
from domain.errors import InvalidInput, NotAllowed, NotFound, UsedUp
from domain.events import BlobRef
from tests.domain.stories import NOW, Room, new

PACKET = "packet_1"
BLOB = BlobRef("packet_1/payload", "aa", 1)
ONCE, DAY_MS = "key_once", 86_400_000


def store(room: Room, blob: BlobRef = BLOB, content_type: str = "text/plain", **more: str) -> None:
    room.ask(c.StorePacket, packet=PACKET, blob=blob, content_type=content_type, blobs={blob.key: b"1"}, **more)


def test_a_packet_is_stored_once_and_stays_what_it_is() -> None:
    room = Room()
    store(room)
    store(room)

    for blob, content_type in ((BlobRef(BLOB.key, "bb", 1), "text/plain"), (BLOB, "text/html")):
        with pytest.raises(NotAllowed, match=r"Packet packet_1 was uploaded already, with other content\."):
            store(room, blob, content_type)

    assert room.events(PACKET) == [e.PacketStored(BLOB, "text/plain")]


def test_a_packet_belongs_to_one_environment() -> None:
    room = Room()
    room.ask(c.CreateEnvironment, environment="env_2", slug="another", type="PRODUCTION")
    store(room)

    with pytest.raises(NotFound, match="Packet packet_1 not found"):
        store(room, environment="env_2")


def _trigger(room: Room, run: str, request: str | None = None) -> list[Accepted]:
    more = {"request": request} if request else {}
    accepted: list[Accepted] = room.ask(c.TriggerRuns, runs=[new(run)], once=ONCE, once_until=NOW + DAY_MS, **more)
    return accepted


def test_what_is_for_one_use_is_used_once() -> None:
    room = Room()

    assert _trigger(room, "run_1") == [Accepted("run_1")]
    room.news()
    with pytest.raises(UsedUp):
        _trigger(room, "run_2")
    with pytest.raises(UsedUp):
        room.ask(c.CreateBatch, batch="batch_1", run_count=1, expires_at=NOW + 1, once=ONCE, once_until=NOW + DAY_MS)
    assert room.news() == []


def test_the_same_request_is_answered_again() -> None:
    room = Room()

    assert _trigger(room, "run_1", "key_request") == _trigger(room, "run_2", "key_request") == [Accepted("run_1")]


def test_a_batch_uses_it_up_as_well() -> None:
    room = Room()
    batch = {"run_count": 1, "expires_at": NOW + 1, "once": ONCE, "once_until": NOW + DAY_MS}

    assert room.ask(c.CreateBatch, batch="batch_1", **batch) == CreatedBatch("batch_1", 1)
    with pytest.raises(UsedUp):
        _trigger(room, "run_1")


def test_what_is_refused_uses_up_nothing() -> None:
    room = Room()

    with pytest.raises(InvalidInput):
        room.ask(c.TriggerRuns, runs=[new("run_1", parent="run_0")], once=ONCE, once_until=NOW + DAY_MS)

    assert _trigger(room, "run_1") == [Accepted("run_1")]
