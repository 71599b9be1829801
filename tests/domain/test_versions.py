"""Versions of an environment: which one is current, and to which one each task belongs."""

import pytest

from domain import commands as c
from domain import events as e
from domain.environment import Environment
from domain.errors import NotFound
from domain.events import Queue, TaskSettings
from tests.domain.stories import SEND_EMAIL, Room

OTHER = TaskSettings("other")
FIRST, SECOND, THIRD = "20270115.1", "20270115.2", "20270115.3"


def register(room: Room, digest: str, *tasks: TaskSettings, day: str = "20270115", **more: object) -> c.Registered:
    answer = room.ask(c.RegisterVersion, digest=digest, tasks=tasks, day=day, **more)
    assert isinstance(answer, c.Registered)
    return answer


def room_of(kind: str, *tasks: TaskSettings) -> Room:
    """A room with a second environment of this type, in which these tasks are the first version."""
    room = Room()
    room.ask(c.CreateEnvironment, environment="env_2", slug="another", type=kind)
    register(room, "one", *tasks, environment="env_2")
    room.news()
    return room


def state_of(room: Room, environment: str = "env_1") -> Environment:
    state = room.engine.memory.environment(environment)
    assert state is not None
    return state


def test_the_same_tasks_are_the_same_version() -> None:
    room = Room()

    assert register(room, "one", SEND_EMAIL, day="20270116") == c.Registered(FIRST, is_current=True)
    assert room.news() == []


def test_other_tasks_are_the_next_version_of_the_day() -> None:
    room = Room()

    assert register(room, "two", OTHER) == c.Registered(SECOND, is_current=True)
    assert register(room, "three", day="20270116") == c.Registered("20270116.1", is_current=True)
    assert [event for _, event in room.news()] == [
        e.VersionRegistered(SECOND, "two", (OTHER,)),
        e.VersionRegistered("20270116.1", "three", ()),
    ]


@pytest.mark.parametrize("promote", [None, True])
def test_in_development_a_known_version_becomes_the_current_one_again(*, promote: bool | None) -> None:
    room = room_of("DEVELOPMENT", SEND_EMAIL)
    register(room, "two", OTHER, environment="env_2")
    room.news()

    again = register(room, "one", SEND_EMAIL, environment="env_2", promote=promote)

    assert again == c.Registered(FIRST, is_current=True)
    assert room.news() == [("env_2", e.VersionPromoted(FIRST))]


def test_elsewhere_a_worker_of_old_code_that_comes_back_does_not_become_current() -> None:
    room = room_of("PRODUCTION", SEND_EMAIL)
    register(room, "two", OTHER, environment="env_2")
    room.news()

    assert register(room, "one", SEND_EMAIL, environment="env_2") == c.Registered(FIRST, is_current=False)
    assert room.news() == []

    assert register(room, "one", SEND_EMAIL, environment="env_2", promote=True).is_current
    assert room.news() == [("env_2", e.VersionPromoted(FIRST))]


def test_new_tasks_may_be_registered_without_becoming_current() -> None:
    room = room_of("PRODUCTION")

    registered = register(room, "two", SEND_EMAIL, environment="env_2", promote=False)

    assert registered == c.Registered(SECOND, is_current=False)
    assert room.news() == [("env_2", e.VersionRegistered(SECOND, "two", (SEND_EMAIL,), is_promoted=False))]
    assert state_of(room, "env_2").settings("send-email") is None
    assert state_of(room, "env_2").settings("send-email", SECOND) == SEND_EMAIL


def test_a_version_that_is_known_and_not_to_be_promoted_stays_what_it_is_in_development_too() -> None:
    room = room_of("DEVELOPMENT", SEND_EMAIL)
    register(room, "two", OTHER, environment="env_2")
    room.news()

    again = register(room, "one", SEND_EMAIL, environment="env_2", promote=False)

    assert again == c.Registered(FIRST, is_current=False)
    assert room.news() == []


def test_before_anything_is_promoted_there_is_no_current_version() -> None:
    room = Room()
    room.ask(c.CreateEnvironment, environment="env_2", slug="another", type="PRODUCTION")

    assert register(room, "one", SEND_EMAIL, environment="env_2", promote=False).is_current is False
    assert (state_of(room, "env_2").current, state_of(room, "env_2").home("send-email")) == (None, None)


def test_a_version_is_promoted_by_name() -> None:
    room = Room()
    register(room, "two", OTHER)
    room.news()

    room.ask(c.PromoteVersion, version=FIRST)
    room.ask(c.PromoteVersion, version=FIRST)

    assert room.news() == [("env_1", e.VersionPromoted(FIRST))]
    assert state_of(room).promoted == (SECOND, FIRST)


def test_a_version_that_is_not_there_cannot_be_promoted() -> None:
    room = Room()

    with pytest.raises(NotFound, match=r"There is no version 20300101\.1 in this environment"):
        room.ask(c.PromoteVersion, version="20300101.1")

    assert room.news() == []


def test_a_task_belongs_to_the_version_promoted_last_of_those_that_have_it() -> None:
    room = Room(SEND_EMAIL, OTHER)
    register(room, "two", OTHER)
    register(room, "three", TaskSettings("third"), promote=False)

    homes = {task: state_of(room).home(task) for task in ("send-email", "other", "third", "unknown")}

    assert homes == {"send-email": FIRST, "other": SECOND, "third": None, "unknown": None}
    room.ask(c.PromoteVersion, version=FIRST)
    assert state_of(room).home("other") == FIRST


def test_what_is_said_of_a_task_is_what_its_home_says() -> None:
    old, new = (TaskSettings("other", ttl=ttl) for ttl in (1_000, 2_000))
    room = Room(SEND_EMAIL, old)
    register(room, "two", new)

    said = [state_of(room).settings(*asked) for asked in (("send-email",), ("other",), ("other", FIRST), ("third",))]

    assert said == [SEND_EMAIL, new, old, None]
    assert [*state_of(room).at_home()] == [new, SEND_EMAIL]


def test_a_queue_has_the_limit_of_the_tasks_that_are_at_home() -> None:
    a, b = TaskSettings("a", queue=Queue("shared", 1)), TaskSettings("b", queue=Queue("own", 2))
    room = Room(a, b)
    register(room, "two", TaskSettings("a", queue=Queue("shared", 5)))

    limits = [room.engine.memory.limits.gate("env_1", queue).limit for queue in ("shared", "own", "other")]

    assert limits == [5, 2, None]


def test_a_limit_of_a_task_that_has_moved_to_another_queue_counts_no_more() -> None:
    room = Room(TaskSettings("a", queue=Queue("old", 1)))
    register(room, "two", TaskSettings("a", queue=Queue("new", 2)))

    assert [room.engine.memory.limits.gate("env_1", queue).limit for queue in ("old", "new")] == [None, 2]
