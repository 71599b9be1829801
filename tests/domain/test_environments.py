"""Environments: their keys, what their versions say, and that nobody reaches into another one."""

import pytest

from domain import commands as c
from domain import events as e
from domain.environment import VARIABLES_MAX, Environment, Variable
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.events import Queue, TaskSettings
from domain.retry import Retry
from tests.domain.stories import NOW, SEND_EMAIL, Colleague, Room, new, said

OTHER = TaskSettings("other")


def test_an_environment_that_is_there_stays_as_it_is() -> None:
    room = Room()

    room.ask(c.CreateEnvironment, slug="prod", type="PRODUCTION")

    assert room.news() == []


def test_a_command_for_an_unknown_environment_is_refused() -> None:
    room = Room()

    with pytest.raises(NotFound, match="There is no environment env_9"):
        room.trigger(new(), environment="env_9")


def test_a_run_of_another_environment_is_not_found() -> None:
    room = Room()
    room.trigger()
    room.ask(c.CreateEnvironment, environment="env_2", slug="another", type="PRODUCTION")

    for kind, more in ((c.CancelRun, {}), (c.GiveUpRun, {"message": "Over."}), (c.RescheduleRun, {"until": 1})):
        with pytest.raises(NotFound, match="Run run_1 not found"):
            room.ask(kind, environment="env_2", run="run_1", **more)


def test_no_two_environments_have_one_slug() -> None:
    room = Room()
    room.ask(c.CreateEnvironment, environment="env_2", slug="another", type="STAGING")
    room.news()

    with pytest.raises(NotAllowed, match="There is an environment another already"):
        room.ask(c.CreateEnvironment, environment="env_3", slug="another", type="PRODUCTION")

    assert room.news() == []


def test_an_environment_begins_with_all_that_is_said_of_it_at_once() -> None:
    room = Room()
    key = e.ApiKeyCreated("aa", "tr_prod_…a")
    more = {"slug": "live", "type": "PRODUCTION", "project": "shop", "organization": "acme"}

    room.ask(c.CreateEnvironment, environment="env_2", concurrency_limit=5, first_key=key, **more)

    assert [event for _, event in room.news()] == [
        e.EnvironmentCreated("live", "PRODUCTION", "shop", "acme"),
        e.EnvironmentLimited(5),
        key,
    ]
    state = room.engine.memory.environment("env_2")
    assert state == Environment(
        "env_2", "live", "PRODUCTION", 3, "shop", "acme", keys=frozenset({"aa"}), concurrency_limit=5
    )


def test_a_key_is_kept_from_when_it_is_sealed_until_it_is_revoked() -> None:
    room = Room()
    room.ask(c.AddKey, sha256="aa", hint="tr_…a")
    room.ask(c.AddKey, sha256="bb", hint="tr_…b", sealed="1.x.1")
    room.news()

    room.ask(c.AddKey, sha256="aa", hint="tr_…a", sealed="1.x.2")
    room.ask(c.AddKey, sha256="aa", hint="tr_…a", sealed="1.x.3")
    room.ask(c.SealKey, sha256="bb", sealed="1.y.4")
    room.ask(c.SealKey, sha256="cc", sealed="1.y.5")

    assert [event for _, event in room.news()] == [e.ApiKeySealed("aa", "1.x.2"), e.ApiKeySealed("bb", "1.y.4")]
    assert _environment(room).sealed_keys == {"aa": "1.x.2", "bb": "1.y.4"}
    room.ask(c.RevokeKey, sha256="bb")
    assert _environment(room).sealed_keys == {"aa": "1.x.2"}


def test_a_request_that_is_sent_again_adds_no_second_key_and_is_told_of_the_first() -> None:
    room = Room()
    tickets = [room.submit(c.AddKey, sha256=each, hint="tr_…", request="key_1") for each in ("aa", "bb")]
    answers = room.commit()
    tickets.append(room.submit(c.AddKey, sha256="cc", hint="tr_…", request="key_1"))
    answers |= room.commit()

    assert [answers[ticket] for ticket in tickets] == ["aa", "aa", "aa"]
    assert _environment(room).keys == {"aa"}


def test_variables_are_replaced_or_left_alone_and_taken_away() -> None:
    room = Room()
    room.ask(c.SaveVariables, variables=(("A", "1", False), ("B", "2", True)))
    room.ask(c.SaveVariables, variables=(("A", "3", True), ("C", "4", False)), replaces=False)
    room.ask(c.SaveVariables, variables=(("B", "5", True),))

    assert _environment(room).variables == {"A": Variable("1"), "B": Variable("5", True), "C": Variable("4")}
    room.ask(c.RemoveVariable, name="A")
    assert _environment(room).variables.keys() == {"B", "C"}
    with pytest.raises(NotFound, match="This environment has no variable A"):
        room.ask(c.RemoveVariable, name="A")


def test_there_are_so_many_variables_and_no_more() -> None:
    room = Room()
    room.ask(c.SaveVariables, variables=tuple((f"V{number}", "1", False) for number in range(VARIABLES_MAX)))
    room.news()

    room.ask(c.SaveVariables, variables=(("V0", "2", False),))
    with pytest.raises(InvalidInput, match=r"An environment has at most 500 variables; these would be 501\."):
        room.ask(c.SaveVariables, variables=(("V0", "3", False), ("another", "1", False)))

    assert [event for _, event in room.news()] == [e.VariableSaved("V0", "2")]


def _environment(room: Room) -> Environment:
    return next(room.engine.memory.environments())


def test_a_key_opens_its_environment_until_it_is_revoked() -> None:
    room = Room()

    room.ask(c.AddKey, sha256="aa", hint="tr_…a")
    room.ask(c.AddKey, sha256="aa", hint="tr_…a")
    room.ask(c.AddKey, sha256="bb", hint="tr_…b")
    room.ask(c.RevokeKey, sha256="aa")
    room.ask(c.RevokeKey, sha256="aa")

    assert [event for _, event in room.news()] == [
        e.ApiKeyCreated("aa", "tr_…a"),
        e.ApiKeyCreated("bb", "tr_…b"),
        e.ApiKeyRevoked("aa"),
    ]
    assert [environment.keys for environment in room.engine.memory.environments()] == [{"bb"}]


def test_the_last_key_cannot_be_revoked() -> None:
    room = Room()
    room.ask(c.AddKey, sha256="aa", hint="tr_…a")

    with pytest.raises(NotAllowed, match="create another one first"):
        room.ask(c.RevokeKey, sha256="aa")


def test_a_run_gets_its_queue_and_its_ttl_from_the_version_that_is_current_when_it_is_triggered() -> None:
    room = Room()
    room.trigger(new("run_1"))
    tasks = (TaskSettings("send-email", queue=Queue("slow"), ttl=5_000),)
    room.ask(c.RegisterVersion, digest="two", tasks=tasks, day="20270115")
    room.trigger(new("run_2"))

    assert (room.run("run_1").queue, room.run("run_1").ttl_ms) == ("task/send-email", None)
    assert (room.run("run_2").queue, room.run("run_2").ttl_ms) == ("slow", 5_000)


def test_a_failed_attempt_is_tried_again_by_the_rules_of_the_version_that_started_it() -> None:
    room = Room(TaskSettings("send-email", retry=Retry(2, 1_000, 1_000, randomize=False)))
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()
    room.ask(c.RegisterVersion, digest="two", tasks=(SEND_EMAIL,), day="20270115")

    worker.turn(said(hand, "failed"))

    assert room.events()[-1] == e.RetryScheduled(NOW + 1_000)


def test_a_worker_gets_only_runs_of_tasks_that_its_version_knows() -> None:
    room = Room()
    room.ask(c.RegisterVersion, digest="two", tasks=(OTHER,), day="20270115")
    room.trigger(new("run_1", "other"), new("run_2", "send-email"))

    old, fresh = Colleague(room), Colleague(room, "worker_2")

    assert [hand.run for hand in old.take(9)] == ["run_2"]
    assert [hand.run for hand in fresh.turn(version="20270115.2", want=9, patient=False).runs] == ["run_1"]
