"""Tokens and their idempotency keys: given what happened, when a token is asked for, then what happens."""

import hashlib

import pytest
from msgspec import Raw

from domain import commands as c
from domain import events as e
from domain.commands import CreatedWaitpoint
from domain.errors import NotFound
from domain.events import BlobRef
from tests.domain.stories import NOW, Room

TOKEN, OTHER, KEY = "waitpoint_1", "waitpoint_2", "key_1"


def create(room: Room, token: str, *, key: str | None = KEY, until: int = NOW + 500) -> CreatedWaitpoint:
    made: CreatedWaitpoint = room.ask(
        c.CreateWaitpoint, waitpoint=token, key=key, key_until=until, idempotency_key="once", secret="5ec7e7"
    )
    return made


def test_a_token_has_its_secret_and_its_key_is_claimed_with_it() -> None:
    room = Room()
    made = create(room, TOKEN)

    assert made == CreatedWaitpoint(TOKEN)
    assert room.news() == [
        (TOKEN, e.WaitpointCreated(idempotency_key="once", key_until=NOW + 500, secret="5ec7e7")),
        (KEY, e.KeyClaimed(TOKEN, NOW + 500)),
    ]


def test_a_key_stands_for_its_token_until_its_time_is_over_whatever_became_of_the_token() -> None:
    room = Room()
    create(room, TOKEN)
    room.ask(c.CompleteWaitpoint, waitpoint=TOKEN)
    room.news()

    assert create(room, OTHER) == CreatedWaitpoint(TOKEN, cached=True)
    room.pass_time(499)
    assert create(room, OTHER) == CreatedWaitpoint(TOKEN, cached=True)
    assert room.news() == []
    room.pass_time(1)
    assert create(room, OTHER, until=NOW + 900) == CreatedWaitpoint(OTHER)


def test_of_two_who_ask_with_one_key_at_once_one_makes_the_token() -> None:
    room = Room()
    tickets = [
        room.submit(c.CreateWaitpoint, waitpoint=token, key=KEY, key_until=NOW + 500) for token in (TOKEN, OTHER)
    ]

    answers = room.commit()

    assert [answers[ticket] for ticket in tickets] == [CreatedWaitpoint(TOKEN), CreatedWaitpoint(TOKEN, cached=True)]
    assert [stream for stream, _ in room.news()] == [TOKEN, KEY]


def test_a_key_that_is_known_is_known_to_the_next_engine() -> None:
    room = Room()
    create(room, TOKEN)
    room.restart()

    assert create(room, OTHER) == CreatedWaitpoint(TOKEN, cached=True)


def test_tokens_without_a_key_are_as_many_as_are_asked_for() -> None:
    room = Room()

    assert [create(room, token, key=None) for token in (TOKEN, OTHER)] == [
        CreatedWaitpoint(TOKEN),
        CreatedWaitpoint(OTHER),
    ]
    assert room.events(TOKEN) == [e.WaitpointCreated(idempotency_key="once", secret="5ec7e7")]


def test_a_large_output_is_kept_beside_the_event_that_counts() -> None:
    room = Room()
    create(room, TOKEN)
    first, late = (BlobRef(f"{TOKEN}/output", hashlib.sha256(text).hexdigest(), 1) for text in (b"1", b"2"))
    kept = room.ask(c.CompleteWaitpoint, waitpoint=TOKEN, output_blob=first, blobs={first.key: b"1"})
    room.ask(c.CompleteWaitpoint, waitpoint=TOKEN, output_blob=late, blobs={late.key: b"2"})

    assert kept is None
    assert room.events(TOKEN)[1:] == [e.WaitpointCompleted(output_blob=first)]


def test_a_token_of_another_environment_is_none() -> None:
    room = Room()
    create(room, TOKEN)

    with pytest.raises(NotFound, match=rf"Waitpoint {TOKEN} not found\."):
        room.ask(c.CompleteWaitpoint, waitpoint=TOKEN, environment="env_other", output=Raw(b"1"))
    assert room.events(TOKEN)[1:] == []
