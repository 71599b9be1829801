"""Attempts whose process or worker is gone: out of memory on a larger machine, and interruptions in development."""

import pytest

from domain import events as e
from domain.events import RunError, TaskSettings
from domain.retry import OutOfMemory, Retry
from domain.status import Status
from tests.domain.gatestories import let_lease_pass, status_of
from tests.domain.stories import NOW, Colleague, Room, new, said

KILLED = RunError("The process was killed.", "OutOfMemory", code=e.OUT_OF_MEMORY, signal="SIGKILL")
DIED = RunError("The process died.", "ProcessDied", code=e.PROCESS_DIED)


def task(attempts: int = 3, *, machine: str | None = "large-1x", **more: object) -> TaskSettings:
    grows = OutOfMemory(machine) if machine else None
    policy = Retry(attempts, 1_000, 1_000, randomize=False, out_of_memory=grows)
    return TaskSettings("send-email", retry=policy, **more)  # type: ignore[arg-type]


def crash(room: Room, error: RunError = KILLED) -> None:
    """The next attempt ends like this."""
    worker = Colleague(room)
    worker.turn(said(worker.start(), "crashed", error=error))


def test_a_run_that_ran_out_of_memory_goes_on_on_the_larger_machine() -> None:
    room = Room(task())
    room.trigger(new(machine="small-1x"))

    crash(room)

    assert room.events()[-2:] == [e.AttemptFailed(1, 2, KILLED), e.RetryScheduled(NOW + 1_000, "large-1x")]
    room.pass_time(1_000)
    (hand,) = Colleague(room).turn(sequence=9, received=8, want=1, patient=False).runs
    assert (hand.machine, hand.attempt) == ("large-1x", 2)


@pytest.mark.parametrize(
    ("settings", "error", "machine"),
    [
        (task(machine=None), KILLED, None),
        (task(), KILLED, "large-1x"),
        (task(1), KILLED, None),
        (task(), DIED, None),
    ],
    ids=["no machine is named", "it is on that machine", "no attempt is left", "it died of something else"],
)
def test_otherwise_the_run_has_crashed(settings: TaskSettings, error: RunError, machine: str | None) -> None:
    room = Room(settings)
    room.trigger(new(machine=machine))

    crash(room, error)

    assert room.events()[-1] == e.RunCrashed(error)


def test_on_the_larger_machine_it_may_run_out_of_memory_once() -> None:
    room = Room(task(5))
    room.trigger()
    crash(room)
    room.pass_time(1_000)

    worker = Colleague(room, "worker_2")
    worker.turn(said(worker.start(), "crashed", error=KILLED))

    assert status_of(room) is Status.CRASHED


def test_who_asked_for_retries_of_crashes_gets_them_on_any_machine() -> None:
    room = Room(task(retry_on_crash=True, machine=None))
    room.trigger(new(machine="micro"))

    crash(room)

    assert room.events()[-1] == e.RetryScheduled(NOW + 1_000)
    assert room.run().machine == "micro"


def test_a_development_worker_that_is_lost_interrupts_its_runs() -> None:
    room = Room(task(), kind="DEVELOPMENT")
    room.trigger()
    Colleague(room).start()

    let_lease_pass(room)

    (interrupted,) = room.events()[-1:]
    assert isinstance(interrupted, e.RunInterrupted)
    assert interrupted.error.code == e.WORKER_LOST
    assert (room.run().closed, room.run().ended_at) == (((2, "interrupted"),), room.now.wall)


def test_a_development_worker_that_does_not_hold_its_run_interrupts_it() -> None:
    room = Room(task(), kind="DEVELOPMENT")
    room.trigger()
    worker = Colleague(room)
    worker.start()

    worker.turn(holds=())

    assert status_of(room) is Status.INTERRUPTED


def test_what_a_lost_development_worker_had_not_started_goes_back_into_its_queue() -> None:
    room = Room(task(), kind="DEVELOPMENT")
    room.trigger()
    Colleague(room).take()

    let_lease_pass(room)

    assert room.events()[-1] == e.RunEnqueued("lost")


def test_a_late_result_of_an_interrupted_run_is_refused() -> None:
    room = Room(kind="DEVELOPMENT")
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()
    let_lease_pass(room)

    told = worker.turn(said(hand, "succeeded"), patient=False)

    assert [refused.run for refused in told.refused] == ["run_1"]
    assert isinstance(room.events()[-1], e.LateResultRefused)
    assert status_of(room) is Status.INTERRUPTED


@pytest.mark.parametrize("kind", ["STAGING", "PRODUCTION", "PREVIEW"])
def test_elsewhere_a_lost_worker_is_a_failed_attempt(kind: str) -> None:
    room = Room(task(), kind=kind)
    room.trigger()
    Colleague(room).start()

    let_lease_pass(room)

    assert status_of(room) is Status.REATTEMPTING
