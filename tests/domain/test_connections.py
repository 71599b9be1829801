"""Connections: sealed credentials that are saved, replaced and removed; the rules never see what is in them."""

import pytest

from domain import commands as c
from domain import events as e
from domain.connection import Connection, stream_of
from domain.errors import LedgerCorrupt, NotFound
from domain.states import fold
from tests.domain.stories import ENVIRONMENT, NOW, Room, recorded

STREAM = stream_of(ENVIRONMENT, "github")
SAVED = e.ConnectionSaved("github", "1.aa.sealed", "aa")


def save(room: Room, sealed: str = "1.aa.sealed", key: str = "aa", **more: object) -> object:
    return room.ask(c.SaveConnection, name="github", sealed=sealed, key_name=key, **more)


def test_a_connection_is_ready_once_it_is_saved() -> None:
    room = Room()
    before = room.engine.memory.connection(ENVIRONMENT, "github")

    answer = save(room)

    expected = Connection(STREAM, 1, ENVIRONMENT, "github", NOW, NOW, "1.aa.sealed", "aa")
    assert (before, answer, room.engine.memory.connection(ENVIRONMENT, "github")) == (None, expected, expected)
    assert expected.is_ready
    assert room.news() == [(STREAM, SAVED)]


def test_saved_again_it_has_the_new_credentials_and_was_created_when_it_was() -> None:
    room = Room()
    save(room)
    room.pass_time(5_000)

    assert save(room, "1.bb.other", "bb") == Connection(
        STREAM, 2, ENVIRONMENT, "github", NOW, NOW + 5_000, "1.bb.other", "bb"
    )


def test_credentials_are_replaced_only_where_they_are_still_the_same() -> None:
    room = Room()
    save(room)
    save(room, "1.aa.newer")
    room.news()

    assert save(room, "1.bb.sealed", "bb", replaces="1.aa.sealed") is None
    assert room.news() == []
    assert isinstance(save(room, "1.bb.newer", "bb", replaces="1.aa.newer"), Connection)


def test_nothing_replaces_the_credentials_of_a_connection_that_is_gone() -> None:
    room = Room()
    save(room)
    room.ask(c.RemoveConnection, name="github")
    room.news()

    assert save(room, "1.bb.sealed", "bb", replaces="1.aa.sealed") is None
    assert room.news() == []


def test_a_removed_connection_is_not_ready_and_may_be_saved_anew() -> None:
    room = Room()
    save(room)
    room.ask(c.RemoveConnection, name="github")
    room.pass_time(1_000)

    gone = room.engine.memory.connection(ENVIRONMENT, "github")

    assert gone == Connection(STREAM, 2, ENVIRONMENT, "github", NOW, NOW)
    assert gone is not None
    assert not gone.is_ready
    assert save(room) == Connection(STREAM, 3, ENVIRONMENT, "github", NOW + 1_000, NOW + 1_000, "1.aa.sealed", "aa")


@pytest.mark.parametrize("was_there", [False, True])
def test_a_connection_that_is_not_there_cannot_be_removed(*, was_there: bool) -> None:
    room = Room()
    if was_there:
        save(room)
        room.ask(c.RemoveConnection, name="github")
    room.news()

    with pytest.raises(NotFound, match="There is no connection github in this environment"):
        room.ask(c.RemoveConnection, name="github")

    assert room.news() == []


def test_environments_do_not_share_connections() -> None:
    room = Room()
    room.ask(c.CreateEnvironment, environment="env_2", slug="another", type="PRODUCTION")
    save(room)

    assert room.engine.memory.connection("env_2", "github") is None
    with pytest.raises(NotFound):
        room.ask(c.RemoveConnection, environment="env_2", name="github")


def test_an_engine_that_starts_anew_knows_its_connections() -> None:
    room = Room()
    save(room)
    before = room.engine.memory.connection(ENVIRONMENT, "github")

    assert room.restart().memory.connection(ENVIRONMENT, "github") == before


def test_a_batch_that_is_undone_leaves_the_connection_as_it_was() -> None:
    room = Room()
    room.submit(c.SaveConnection, name="github", sealed="1.aa.sealed", key_name="aa")

    room.fail()

    assert room.engine.memory.connection(ENVIRONMENT, "github") is None


@pytest.mark.parametrize("events", [[e.ConnectionRemoved("github")], [SAVED, e.KeyFreed()]])
def test_a_stream_that_tells_no_connection_is_corrupt(events: list[e.Event]) -> None:
    with pytest.raises(LedgerCorrupt, match="stands in the stream of connection conn_"):
        fold(recorded(events, stream=STREAM))
