"""Held runs go on when what they wait for has come, whenever that is: no wake-up is lost."""

from collections.abc import Callable

import pytest

from domain import commands as c
from domain import events as e
from domain.engine import BATCH_MAX_EVENTS
from domain.environment import Environment
from domain.events import Queue, TaskSettings
from domain.gates import Verdict
from domain.status import Status
from tests.domain.gatestories import (
    CHECKED,
    CONNECTED,
    GUARDED,
    NOT_AN_OBJECT,
    SECOND,
    connect,
    deploy,
    judged,
    status_of,
)
from tests.domain.stories import ENVIRONMENT, OUTAGE, VERSION, Colleague, Room, new

LATE = TaskSettings("late")
REGISTRATION = {"digest": "two", "tasks": (LATE,), "day": "20270115"}


def nothing(_room: Room) -> None:
    """Nothing happens in between."""


def restart(room: Room) -> None:
    """The engine dies, and another one begins with the ledger."""
    room.restart()


def lose_a_batch(room: Room) -> None:
    """A batch in which everything that could go on did so cannot be committed."""
    room.submit(c.TriggerRuns, runs=[new("run_lost")])
    room.fail()


BETWEEN = pytest.mark.parametrize("between", [nothing, restart, lose_a_batch])


@BETWEEN
def test_a_version_that_comes_after_the_run(between: Callable[[Room], object]) -> None:
    room = Room()
    room.trigger(new("run_1", "late"))
    between(room)
    deploy(room, LATE)
    between(room)
    room.commit()

    assert [type(event) for event in room.events()] == [
        e.RunTriggered,
        e.RunHeldForVersion,
        e.VersionArrived,
        e.RunEnqueued,
    ]


@pytest.mark.parametrize("comes_first", [c.RegisterVersion, c.TriggerRuns])
def test_a_version_that_comes_in_the_batch_of_the_run(comes_first: type[c.Command]) -> None:
    room = Room()
    commands = {c.RegisterVersion: REGISTRATION, c.TriggerRuns: {"runs": [new("run_1", "late")]}}
    for kind in sorted(commands, key=lambda kind: kind is not comes_first):
        room.submit(kind, **commands[kind])  # type: ignore[arg-type]
    room.commit()
    room.commit()

    assert status_of(room) is Status.QUEUED


def test_a_version_whose_registration_failed_and_came_again() -> None:
    room = Room()
    room.trigger(new("run_1", "late"))
    ticket = room.submit(c.RegisterVersion, **REGISTRATION)
    assert room.fail()[ticket] is OUTAGE
    room.commit()
    assert status_of(room) is Status.PENDING_VERSION

    deploy(room, LATE)

    assert status_of(room) is Status.QUEUED


def test_a_release_whose_commit_failed_happens_with_the_next_batch() -> None:
    room = Room()
    room.trigger(new("run_1", "late"))
    # The registration is committed with the release; only the later batch tells whether it is tried again.
    room.submit(c.RegisterVersion, **REGISTRATION)
    room.fail()
    room.submit(c.RegisterVersion, **REGISTRATION)
    room.fail()
    room.ask(c.RegisterVersion, **REGISTRATION)

    assert status_of(room) is Status.QUEUED


def test_a_version_that_is_promoted_without_being_new_brings_its_tasks() -> None:
    room = Room()
    locked = new("run_1", "late", lock=SECOND)
    room.trigger(locked)

    assert deploy(room, LATE) == SECOND
    assert status_of(room) is Status.QUEUED


def test_runs_go_on_in_the_order_in_which_they_came_and_no_more_at_once_than_a_batch_takes() -> None:
    room = Room()
    runs = [f"run_{number:05}" for number in range(BATCH_MAX_EVENTS + 500)]
    for first in range(0, len(runs), 500):
        room.trigger(*(new(run, "late") for run in runs[first : first + 500]), batch=f"batch_{first}")
    room.news()

    deploy(room, LATE)
    first_batch = [run for run, event in room.news() if isinstance(event, e.RunEnqueued)]
    room.commit()
    second_batch = [run for run, event in room.news() if isinstance(event, e.RunEnqueued)]

    assert len(first_batch) < BATCH_MAX_EVENTS
    assert first_batch + second_batch == runs
    assert room.commit() == {}


@BETWEEN
def test_a_verdict_that_comes_after_the_run(between: Callable[[Room], object]) -> None:
    room = Room(CHECKED)
    room.trigger(new("run_1", "checked"))
    between(room)
    room.commit()
    judged(room)
    between(room)
    room.commit()

    assert status_of(room) is Status.QUEUED
    assert room.engine.unjudged() == {}


def test_a_verdict_whose_commit_failed_is_asked_for_again() -> None:
    room = Room(CHECKED)
    room.trigger(new("run_1", "checked"))
    room.commit()
    room.submit(c.JudgePayloads, verdicts={"run_1": Verdict(VERSION, seen=2)})
    room.fail()

    room.commit()
    assert (status_of(room), room.engine.unjudged()) == (Status.PENDING_VERSION, {"run_1": VERSION})

    judged(room)
    assert status_of(room) is Status.QUEUED


def test_a_verdict_of_an_older_version_is_passed_over_and_the_newer_one_asked() -> None:
    room = Room(CHECKED)
    room.trigger(new("run_1", "checked"))
    room.commit()
    stricter = TaskSettings("checked", payload_schema={"type": "object", "required": ["id"]})
    room.submit(c.RegisterVersion, digest="two", tasks=(stricter,), day="20270115")
    room.submit(c.JudgePayloads, verdicts={"run_1": Verdict(VERSION, seen=2)})
    room.commit()

    assert (status_of(room), room.engine.unjudged()) == (Status.PENDING_VERSION, {"run_1": SECOND})

    judged(room, NOT_AN_OBJECT)
    assert status_of(room) is Status.INVALID_PAYLOAD


def test_a_version_without_a_schema_lets_the_run_go_on_and_a_late_verdict_changes_nothing() -> None:
    room = Room(CHECKED)
    room.trigger(new("run_1", "checked"))
    room.commit()
    deploy(room, TaskSettings("checked"))
    assert status_of(room) is Status.QUEUED

    room.ask(c.JudgePayloads, verdicts={"run_1": Verdict(VERSION, NOT_AN_OBJECT, 2)})

    assert status_of(room) is Status.QUEUED
    assert room.engine.unjudged() == {}


def test_a_verdict_of_a_run_that_was_annotated_meanwhile_is_asked_for_again() -> None:
    room = Room(CHECKED)
    room.trigger(new("run_1", "checked"))
    room.commit()
    room.ask(c.AddTags, run="run_1", tags=("a",))

    room.ask(c.JudgePayloads, verdicts={"run_1": Verdict(VERSION, seen=2)})
    assert room.engine.unjudged() == {"run_1": VERSION}

    judged(room)
    assert status_of(room) is Status.QUEUED


def test_a_verdict_of_a_run_that_ended_or_never_was_changes_nothing() -> None:
    room = Room(CHECKED)
    room.trigger(new("run_1", "checked"))
    room.ask(c.CancelRun, run="run_1")
    room.news()

    room.ask(c.JudgePayloads, verdicts={"run_1": Verdict(VERSION, seen=2), "run_0": Verdict(VERSION)})

    assert room.news() == []
    assert room.engine.unjudged() == {}


def test_a_verdict_from_another_environment_changes_nothing() -> None:
    room = Room(CHECKED)
    room.trigger(new("run_1", "checked"))
    room.commit()

    room.ask(c.JudgePayloads, environment="env_2", verdicts={"run_1": Verdict(VERSION, NOT_AN_OBJECT, 2)})

    assert status_of(room) is Status.PENDING_VERSION


@BETWEEN
def test_a_connection_that_comes_after_the_run(between: Callable[[Room], object]) -> None:
    room = Room(CONNECTED)
    room.trigger(new("run_1", "connected"))
    between(room)
    connect(room)
    between(room)
    room.commit()

    assert room.events()[1:] == [e.RunHeldForConnections(("github",)), e.RunEnqueued("connections")]


def test_a_connection_that_was_removed_holds_runs_until_it_comes_again() -> None:
    room = Room(CONNECTED)
    connect(room)
    room.trigger(new("run_1", "connected"))
    connect(room, ready=False)
    room.trigger(new("run_2", "connected"))
    assert [status_of(room, run) for run in ("run_1", "run_2")] == [Status.QUEUED, Status.WAITING_ON_CONNECTIONS]

    connect(room)

    assert status_of(room, "run_2") is Status.QUEUED


def test_one_connection_of_two_is_not_enough() -> None:
    room = Room(TaskSettings("connected", connections=("github", "mail")))
    room.trigger(new("run_1", "connected"))

    connect(room, "mail")
    assert status_of(room) is Status.WAITING_ON_CONNECTIONS

    connect(room, "github")
    assert status_of(room) is Status.QUEUED


def test_a_version_that_needs_no_connection_any_more_lets_runs_go_on() -> None:
    room = Room(CONNECTED)
    room.trigger(new("run_1", "connected"))

    deploy(room, TaskSettings("connected"))

    assert status_of(room) is Status.QUEUED


def test_a_version_that_has_no_resolver_any_more_lets_runs_go_on() -> None:
    room = Room(GUARDED)
    room.trigger(new("run_1", "guarded"), new("run_2", "guarded", lock=VERSION), batch="batch_1")

    deploy(room, TaskSettings("guarded", connections=("github",)))

    assert [status_of(room, run) for run in ("run_1", "run_2")] == [Status.WAITING_ON_CONNECTIONS, Status.PENDING]
    assert room.run("run_1").auth is None


def test_runs_of_another_environment_are_left_alone() -> None:
    room = Room()
    room.ask(c.CreateEnvironment, environment="env_2", slug="stg", type="STAGING")
    room.trigger(new("run_1", "late"), environment="env_2")

    deploy(room, LATE)

    assert status_of(room) is Status.PENDING_VERSION
    assert list(room.engine.memory.held.groups("env_2", Status.PENDING_VERSION)) == [("late", None)]
    assert room.engine.memory.held.groups(ENVIRONMENT, Status.PENDING_VERSION) == {}


def test_a_run_that_goes_on_is_handed_to_a_worker_that_waits_for_it() -> None:
    room = Room(CONNECTED)
    room.trigger(new("run_1", "connected"))
    worker = Colleague(room)
    worker.submit(want=1)
    room.commit()

    connect(room)

    assert isinstance(room.events()[-1], e.RunDequeued)
    assert worker.turn(sequence=1, received=0).runs[0].run == "run_1"


def test_environments_go_on_in_the_order_in_which_something_came_to_them() -> None:
    room = Room()
    names = [f"env_{number}" for number in (7, 3, 9, 4, 8)]
    for name in names:
        room.ask(c.CreateEnvironment, environment=name, slug=name, type="PRODUCTION")
        room.ask(c.RegisterVersion, environment=name, **(REGISTRATION | {"tasks": (CONNECTED,)}))
        room.ask(c.TriggerRuns, environment=name, runs=[new(f"run_{name}", CONNECTED.id)])
    room.news()

    for name in names:
        room.submit(c.SaveConnection, environment=name, name="github", sealed="1.aa.x", key_name="aa")
    room.commit()

    went_on = [stream for stream, event in room.news() if isinstance(event, e.RunEnqueued)]
    assert went_on == [f"run_{name}" for name in names]


def test_a_change_of_an_environment_is_read_once_however_many_queues_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(*(TaskSettings(f"task-{number}") for number in range(30)))
    room.trigger(*(new(f"run_{number:02}", f"task-{number}") for number in range(30)), batch="batch_1")
    declared, read = Environment.declared, list[Environment]()

    def count(environment: Environment) -> dict[str, Queue]:
        read.append(environment)
        return declared(environment)

    monkeypatch.setattr(Environment, "declared", count)
    room.ask(c.AddKey, sha256="ab", hint="tr_…")

    assert len(read) == 1
