"""Queues that are paused, overridden or limited in rate, and the limit of an environment, told as stories of a room."""

import pytest

from domain import commands as c
from domain import events as e
from domain.errors import InvalidInput, NotFound, QueueNotFound
from domain.events import Queue, RateLimit, TaskSettings
from domain.status import Status
from tests.domain.stories import ENVIRONMENT, NOW, VERSION, Colleague, Room, new, said, succeeded

EMAILS = TaskSettings("send-email", queue=Queue("emails", 2))


def rated(limit: int = 2, period: int = 60_000) -> TaskSettings:
    return TaskSettings("send-email", queue=Queue("emails", rate_limit=RateLimit(limit, period)))


def handed(room: Room, want: int = 99, version: str = VERSION) -> list[str]:
    """What a worker of a version gets that has just come."""
    return [hand.run for hand in room.hire().turn(version=version, want=want, patient=False).runs]


def test_the_starts_of_a_batch_are_counted_in_one_event() -> None:
    room = Room(rated(), TaskSettings("other"))
    room.trigger(*(new(f"run_{n}") for n in range(3)), new("run_9", "other"))
    room.news()

    assert sorted(handed(room)) == ["run_0", "run_1", "run_9"]
    counted = [event for stream, event in room.news() if stream.startswith("queue_")]
    assert counted == [e.QueueStartsCounted("emails", 2, 60_000)]


def test_a_run_that_waits_for_the_rate_is_handed_out_when_the_window_allows() -> None:
    room = Room(rated())
    room.trigger(*(new(f"run_{n}") for n in range(3)))
    worker = Colleague(room)
    worker.take(2)
    ticket = worker.submit(want=1)
    room.commit()

    assert room.engine.memory.next_due() == NOW + 60_000
    assert room.pass_time(14_000) == room.pass_time(14_000) == {}
    for _ in range(2):
        worker_answers = room.pass_time(14_000)
        assert worker_answers == {}
    answers = room.pass_time(4_000)
    assert [hand.run for hand in answers[ticket].runs] == ["run_2"]


def test_the_rate_counts_on_after_a_restart_and_after_a_batch_that_failed() -> None:
    room = Room(rated())
    room.trigger(*(new(f"run_{n}") for n in range(3)))
    handed(room, 1)
    room.restart()
    room.hire().submit(want=99, patient=False)
    room.fail()

    assert handed(room) == ["run_1"]
    assert handed(room) == []


def test_a_queue_without_a_rate_limit_writes_nothing_of_its_own() -> None:
    room = Room(EMAILS)
    room.trigger(new("run_1"))
    handed(room)

    assert [stream for stream, _ in room.news() if stream.startswith("queue_")] == []
    assert room.engine.memory.queue(ENVIRONMENT, "emails") is None


def test_a_new_version_without_the_rate_limit_lets_everything_go() -> None:
    room = Room(rated(1))
    room.trigger(*(new(f"run_{n}") for n in range(4)))
    handed(room)

    room.ask(c.RegisterVersion, digest="two", tasks=(TaskSettings("send-email"), TaskSettings("x")), day="20270115")

    assert handed(room, version="20270115.2") == ["run_1", "run_2", "run_3"]


def test_a_paused_queue_takes_triggers_and_starts_nothing() -> None:
    room = Room(EMAILS, TaskSettings("other"))
    room.ask(c.PauseQueue, queue="emails")
    room.trigger(new("run_1"), new("run_2", "other"))

    assert handed(room) == ["run_2"]
    room.ask(c.ResumeQueue, queue="emails")
    assert handed(room) == ["run_1"]


def test_a_run_expires_while_its_queue_is_full_or_paused() -> None:
    room = Room(EMAILS)
    room.ask(c.PauseQueue, queue="emails")
    room.trigger(new("run_1", ttl_ms=5_000))

    room.pass_time(5_000)

    assert room.run().status is Status.EXPIRED


def test_an_override_counts_in_place_of_the_limit_of_the_tasks_also_after_a_restart() -> None:
    room = Room(EMAILS)
    room.trigger(*(new(f"run_{n}") for n in range(9)))
    room.ask(c.OverrideQueueLimit, queue="emails", concurrency_limit=5)
    room.restart()

    assert len(handed(room)) == 5
    room.ask(c.ResetQueueLimit, queue="emails")
    assert handed(room) == []


def test_what_could_not_be_committed_does_not_count() -> None:
    room = Room(EMAILS)
    room.trigger(*(new(f"run_{n}") for n in range(4)))
    room.submit(c.PauseQueue, queue="emails")
    room.fail()

    assert len(handed(room)) == 2


def test_the_limit_of_the_environment_counts_over_all_queues() -> None:
    room = Room(EMAILS, TaskSettings("other"))
    room.ask(c.LimitEnvironment, concurrency_limit=3)
    room.trigger(*(new(f"run_{n}", "other" if n % 2 else "send-email") for n in range(8)))
    worker = Colleague(room)
    hands = worker.take(99)

    assert len(hands) == 3
    assert handed(room) == []
    answer = worker.turn(said(hands[0], "started"), succeeded(hands[0]), want=9)
    assert len(answer.runs) == 1


@pytest.mark.parametrize("limit", [-1, 100_001])
def test_a_limit_of_the_environment_out_of_bounds_is_refused(limit: int) -> None:
    room = Room(EMAILS)

    with pytest.raises(InvalidInput):
        room.ask(c.LimitEnvironment, concurrency_limit=limit)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (c.PauseQueue, {}),
        (c.ResumeQueue, {}),
        (c.OverrideQueueLimit, {"concurrency_limit": 1}),
        (c.ResetQueueLimit, {}),
    ],
)
def test_a_queue_of_which_there_is_nothing_is_not_found(kind: type[c.Command], more: dict[str, int]) -> None:
    room = Room(EMAILS)

    with pytest.raises(QueueNotFound):
        room.ask(kind, queue="nothing", **more)
    with pytest.raises(NotFound, match="no environment"):
        room.ask(kind, environment="env_2", queue="emails", **more)


def test_a_queue_is_known_by_its_tasks_its_runs_and_what_was_said_of_it() -> None:
    room = Room(EMAILS, TaskSettings("other"))
    memory = room.engine.memory
    room.trigger(new("run_1", queue="by-run", delay_until=NOW + 5))
    room.ask(c.PauseQueue, queue="by-run")
    room.trigger(new("run_2", queue="gone"))

    assert memory.queues(ENVIRONMENT) == {"emails", "task/other", "by-run", "gone"}
    for run in ("run_1", "run_2"):
        room.ask(c.CancelRun, run=run)
    assert memory.queues(ENVIRONMENT) == {"emails", "task/other", "by-run"}
