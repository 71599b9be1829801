"""The gates before the queue: their order, what each holds, lets pass and refuses, and what the TTL makes of it."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain import lifecycle
from domain.environment import Environment
from domain.events import Queue, RunError, RunEvent, TaskSettings
from domain.gates import TTL_DEVELOPMENT_MS, TTL_MAX_MS, Verdict, ttl_of
from domain.lifecycle import Deadline, deadline_of
from domain.run import Run
from domain.status import Status
from tests.domain.gatestories import CHECKED, NOT_AN_OBJECT, connect, deploy, judged, status_of
from tests.domain.stories import ENVIRONMENT, NOW, VERSION, Colleague, Room, gates, happened, new, said, told

ALL = TaskSettings("all", payload_schema={}, auth_resolver=True, connections=("github", "mail"))
FITS = Verdict(VERSION)
LATER = NOW + 60_000


def knowing(*tasks: TaskSettings, kind: str = "PRODUCTION", version: str = VERSION) -> Environment:
    versions = {version: {task.id: task for task in tasks}}
    return Environment(ENVIRONMENT, "prod", kind, 2, versions=versions, promoted=(version,))


def passing(environment: Environment, ready: tuple[str, ...] = (), **asked: Any) -> list[RunEvent]:
    """What a trigger of the task with every gate leads to, but for the trigger itself."""
    return lifecycle.trigger(new(task="all", **asked), gates(environment, *ready), environment)[1:]


@pytest.mark.parametrize(
    ("tasks", "ready", "asked", "held"),
    [
        ((), (), {}, [e.RunHeldForVersion()]),
        ((ALL,), (), {"lock": "20270115.9"}, [e.RunHeldForVersion("20270115.9")]),
        ((ALL,), (), {}, [e.RunHeldForVersion(VERSION)]),
        ((ALL,), (), {"verdict": Verdict("20270115.9")}, [e.RunHeldForVersion(VERSION)]),
        ((ALL,), (), {"verdict": Verdict(VERSION, NOT_AN_OBJECT)}, [e.PayloadRejected(NOT_AN_OBJECT)]),
        ((ALL,), ("github", "mail"), {"verdict": FITS}, [e.RunHeldForAuth()]),
        ((replace(ALL, auth_resolver=False),), (), {"verdict": FITS}, [e.RunHeldForConnections(("github", "mail"))]),
        (
            (replace(ALL, auth_resolver=False),),
            ("github",),
            {"verdict": FITS, "delay_until": LATER},
            [e.RunHeldForConnections(("mail",))],
        ),
        (
            (replace(ALL, auth_resolver=False),),
            ("github", "mail"),
            {"verdict": FITS, "delay_until": LATER},
            [e.RunDelayed(LATER)],
        ),
        ((replace(ALL, auth_resolver=False),), ("github", "mail"), {"verdict": FITS, "delay_until": NOW}, []),
        ((TaskSettings("all"),), (), {}, []),
    ],
)
def test_a_new_run_is_held_by_the_first_gate_that_is_not_open(
    tasks: tuple[TaskSettings, ...], ready: tuple[str, ...], asked: dict[str, Any], held: list[RunEvent]
) -> None:
    assert passing(knowing(*tasks), ready, **asked) == held


def test_a_run_passes_one_gate_after_the_other_and_waits_at_each() -> None:
    environment = knowing(ALL)
    run = told(*lifecycle.trigger(new(task="all", delay_until=LATER), gates(environment), environment))
    seen = [run.status]
    passages: tuple[Callable[[Run], list[RunEvent]], ...] = (
        lambda held: gates(environment).after_version(held, Verdict(VERSION, seen=held.version)),
        lambda held: gates(environment).after_auth(held, "sealed"),
        lambda held: gates(environment, "github", "mail").after_connections(held),
        lambda held: lifecycle.fire(held, Deadline(LATER, "delay")),
    )

    for passage in passages:
        run = happened(run, *passage(run))
        seen.append(run.status)

    assert seen == [
        Status.PENDING_VERSION,
        Status.PENDING,
        Status.WAITING_ON_CONNECTIONS,
        Status.DELAYED,
        Status.QUEUED,
    ]
    assert (run.auth, run.due_at) == ("sealed", None)


def held_for_version(**more: Any) -> Run:
    return told(e.RunTriggered("all", "task/all", **more), e.RunHeldForVersion(more.get("version")))


@pytest.mark.parametrize(
    "verdict",
    [None, Verdict("20270115.9", seen=2), Verdict(VERSION), Verdict(VERSION, seen=1), Verdict(VERSION, seen=3)],
)
def test_a_verdict_of_another_version_or_of_what_was_replaced_since_lets_nothing_pass(verdict: Verdict | None) -> None:
    assert gates(knowing(ALL)).after_version(held_for_version(), verdict) == []


def test_a_payload_that_does_not_fit_ends_the_run_that_waited_for_its_version() -> None:
    run = held_for_version()

    events = gates(knowing(ALL)).after_version(run, Verdict(VERSION, NOT_AN_OBJECT, run.version))

    assert events == [e.PayloadRejected(NOT_AN_OBJECT)]
    assert happened(run, *events).status is Status.INVALID_PAYLOAD


def test_a_locked_run_waits_for_its_version_and_for_no_other() -> None:
    run = held_for_version(version="20270115.7")
    task = TaskSettings("all")

    assert gates(knowing(task)).after_version(run, None) == []
    assert gates(knowing(task, version="20270115.7")).after_version(run, None) == [
        e.VersionArrived("20270115.7"),
        e.RunEnqueued("version"),
    ]


def test_a_delay_that_passed_while_the_run_was_held_is_over() -> None:
    run = held_for_version(delay_until=NOW + 5)
    environment = knowing(TaskSettings("all"))

    assert gates(environment, now=NOW + 4).after_version(run, None)[1] == e.RunDelayed(NOW + 5)
    assert gates(environment, now=NOW + 5).after_version(run, None)[1] == e.RunEnqueued("version")


def test_a_run_of_an_unknown_task_gets_what_the_trigger_left_open_from_the_version_that_brings_it() -> None:
    room = Room()
    room.trigger(
        new("run_1", "late"), new("run_2", "late", queue="mine", ttl_ms=1_000, machine="micro"), batch="batch_1"
    )

    version = deploy(room, TaskSettings("late", queue=Queue("lates"), ttl=60_000, machine="large-1x"))

    assert room.events("run_1")[2:] == [
        e.VersionArrived(version, "lates", 60_000, "large-1x"),
        e.RunEnqueued("version"),
    ]
    runs = [room.run("run_1"), room.run("run_2")]
    assert [(run.queue, run.ttl_ms, run.machine) for run in runs] == [
        ("lates", 60_000, "large-1x"),
        ("mine", 1_000, "micro"),
    ]
    assert room.engine.memory.ready.depth(ENVIRONMENT, "lates") == 1


@pytest.mark.parametrize(
    ("kind", "asked", "of_the_task", "ttl"),
    [
        ("PRODUCTION", None, None, None),
        ("PRODUCTION", None, 5, 5),
        ("PRODUCTION", 7, 5, 7),
        ("PRODUCTION", 0, 5, 0),
        ("PRODUCTION", None, 0, 0),
        ("PRODUCTION", None, 10**12, TTL_MAX_MS),
        ("PRODUCTION", 10**12, None, TTL_MAX_MS),
        ("STAGING", None, None, None),
        ("DEVELOPMENT", None, None, TTL_DEVELOPMENT_MS),
        ("DEVELOPMENT", None, 5, 5),
        ("DEVELOPMENT", 7, 5, 7),
        ("DEVELOPMENT", 0, None, 0),
        ("DEVELOPMENT", None, 0, 0),
    ],
)
def test_the_ttl_is_the_triggers_else_the_tasks_else_the_environments(
    kind: str, asked: int | None, of_the_task: int | None, ttl: int | None
) -> None:
    task = TaskSettings("all", ttl=of_the_task)

    assert ttl_of(asked, task, knowing(task, kind=kind)) == ttl


def test_the_limits_of_the_ttl_are_ten_minutes_and_fourteen_days() -> None:
    assert (TTL_DEVELOPMENT_MS, TTL_MAX_MS) == (10 * 60_000, 14 * 86_400_000)


@pytest.mark.parametrize(("asked", "expires_at"), [(5_000, NOW + 5_000), (0, None), (None, NOW + 60_000)])
def test_the_clock_of_the_ttl_starts_when_the_run_is_queued(asked: int | None, expires_at: int | None) -> None:
    run = told(e.RunTriggered("all", "q", ttl_ms=60_000 if asked is None else asked))

    assert run.expires_at == expires_at


@pytest.mark.parametrize(
    "hold", [e.RunHeldForVersion(), e.RunHeldForAuth(), e.RunHeldForConnections(("github",)), e.RunDelayed(LATER)]
)
def test_the_time_that_a_run_is_held_does_not_count(hold: RunEvent) -> None:
    run = told(e.RunTriggered("all", "q", ttl_ms=5_000), hold)
    queued = happened(run, e.RunEnqueued("gate"), at=NOW + 100_000)

    assert deadline_of(run) == (Deadline(LATER, "delay") if isinstance(hold, e.RunDelayed) else None)
    assert deadline_of(queued) == Deadline(NOW + 105_000, "ttl")


def test_a_run_that_was_parked_expires_only_after_its_time_in_the_queue() -> None:
    room = Room()
    room.trigger(new("run_1", "late", ttl_ms=5_000))
    room.pass_time(100_000)
    deploy(room, TaskSettings("late"))

    room.pass_time(4_999)
    assert status_of(room) is Status.QUEUED

    room.pass_time(1)
    assert room.events()[-1] == e.RunExpired(5_000)


def test_a_run_that_started_once_never_expires() -> None:
    room = Room(TaskSettings("send-email", ttl=5_000))
    room.trigger(new())
    worker = Colleague(room)
    worker.turn(said(worker.start(), "released"))

    room.pass_time(29_000)

    assert (status_of(room), room.run().expires_at) == (Status.QUEUED, None)


def test_a_run_that_is_handed_back_before_its_start_still_expires_in_its_time() -> None:
    room = Room(TaskSettings("send-email", ttl=5_000))
    room.trigger(new())
    worker = Colleague(room)
    (hand,) = worker.take()
    room.pass_time(6_000)
    assert status_of(room) is Status.DEQUEUED

    worker.turn(said(hand, "released"))
    room.commit()

    assert room.events()[-2:] == [e.RunEnqueued("released"), e.RunExpired(5_000)]


def test_a_payload_that_does_not_fit_is_refused_at_once_and_takes_no_place() -> None:
    room = Room(CHECKED)

    room.trigger(new("run_1", "checked", verdict=Verdict(VERSION, NOT_AN_OBJECT)))

    assert [type(event) for event in room.events()] == [e.RunTriggered, e.PayloadRejected]
    assert room.run().ended_at == NOW
    assert room.engine.memory.run("run_1") is None


def test_a_run_whose_payload_nobody_judged_waits_for_that() -> None:
    room = Room(CHECKED)
    room.trigger(new("run_1", "checked"))
    room.commit()
    assert room.engine.unjudged() == {"run_1": VERSION}

    judged(room)

    assert status_of(room) is Status.QUEUED
    assert room.engine.unjudged() == {}


def test_a_held_run_can_be_canceled_and_given_up_and_not_rescheduled() -> None:
    room = Room(TaskSettings("connected", connections=("github",)))
    room.trigger(new("run_1", "late"), new("run_2", "connected"), batch="batch_1")
    for run in ("run_1", "run_2"):
        with pytest.raises(Exception, match="not delayed"):
            room.ask(c.RescheduleRun, run=run, until=LATER)

    room.ask(c.CancelRun, run="run_1")
    room.ask(c.GiveUpRun, run="run_2", message="It cannot go on.")
    deploy(room, TaskSettings("late"))
    connect(room)

    assert [status_of(room, run) for run in ("run_1", "run_2")] == [Status.CANCELED, Status.SYSTEM_FAILURE]


def test_an_error_of_the_schema_is_what_the_run_ends_with() -> None:
    run = told(e.RunTriggered("all", "q"), e.PayloadRejected(RunError("$.a: no", "InvalidPayload")))

    assert run.is_final
    assert deadline_of(run) is None
