"""The engine core as its loop sees it: load, decide, land or fail. A failed batch leaves no trace in memory."""

from typing import Any

import pytest

from domain import commands as c
from domain import engine as core
from domain import events as e
from domain.commands import Accepted, TurnAnswer
from domain.engine import Now
from domain.errors import Busy, NotFound
from domain.events import Queue, Recorded, TaskSettings
from domain.lifecycle import NewRun
from domain.ready import Slots
from domain.retry import Retry
from domain.states import fold
from tests.domain.stories import ENVIRONMENT, NOW, OUTAGE, Colleague, Room, new, said, started, succeeded

TASKS = (
    TaskSettings("send-email", queue=Queue("emails", 2), retry=Retry(2, 1_000, 1_000, randomize=False)),
    TaskSettings("hasty", ttl=1_500),
)


def memory_of(room: Room) -> dict[str, Any]:
    """All that is read off the states, and the states."""
    memory = room.engine.memory
    return {
        "states": dict(memory.states),
        "workers": {worker: set(runs) for worker, runs in memory.worker_runs.items()},
        "taken": memory.ready.taken(Slots(ENVIRONMENT, "emails", None)),
        "depth": [memory.ready.depth(ENVIRONMENT, queue) for queue in ("emails", "task/hasty")],
        "next due": memory.next_due(),
        "head": room.engine.head,
    }


def a_busy_room() -> tuple[Room, Colleague]:
    """Runs in every status: queued, delayed, with a TTL, handed out, executing, waiting for their back-off."""
    room = Room(*TASKS)
    room.trigger(*(new(f"run_{n}") for n in range(4)), new("run_4", "hasty"), new("run_5", delay_until=NOW + 1_200))
    worker = Colleague(room)
    (first,) = worker.take()
    worker.turn(started(first), said(first, "failed"))
    worker.start()
    worker.take()
    return room, worker


def disturb(room: Room, worker: Colleague) -> None:
    """Commands and timers of many kinds, for one batch."""
    room.now = Now(NOW + 1_300, 1_300)
    room.submit(
        c.TriggerRuns, runs=[new("run_8", key="key_1", key_until=NOW + 9_000), new("run_9", delay_until=NOW * 2)]
    )
    for run in ("run_1", "run_2", "run_3", "run_4"):
        room.submit(c.CancelRun, run=run)
    room.submit(c.RegisterVersion, digest="two", tasks=(TaskSettings("send-email", queue=Queue("emails", 9)),), day="1")
    room.submit(c.AddKey, sha256="aa", hint="tr_…a")
    worker.submit(said("run_1", "succeeded"), want=5, holds=())


def test_a_failed_batch_leaves_the_memory_as_it_was() -> None:
    room, worker = a_busy_room()
    before = memory_of(room)

    disturb(room, worker)
    answers = room.fail()

    assert set(answers.values()) == {OUTAGE}
    assert memory_of(room) == before


def test_the_worker_of_a_new_run_is_answered_before_whoever_made_it() -> None:
    room = Room()
    worker = Colleague(room)
    waiting = worker.submit(want=1)
    room.commit()

    made = room.submit(c.TriggerRuns, runs=[new()])
    answers = room.commit()

    assert list(answers) == [waiting, made]


def test_after_a_failed_batch_the_same_commands_lead_to_the_same_events() -> None:
    calm, calm_worker = a_busy_room()
    shaken, shaken_worker = a_busy_room()
    disturb(shaken, shaken_worker)
    shaken.fail()

    for room, worker in ((calm, calm_worker), (shaken, shaken_worker)):
        worker.sequence = 5
        disturb(room, worker)
        room.commit()

    assert shaken.log == calm.log
    assert memory_of(shaken) == memory_of(calm)


def test_an_engine_made_from_the_ledger_has_the_same_memory() -> None:
    room, worker = a_busy_room()
    disturb(room, worker)
    room.commit()
    room.pass_time(1_000)  # The timers of runs that have moved on are nobody's any more.
    before = memory_of(room)

    room.restart()

    assert memory_of(room) == before


def test_whatever_is_asked_in_a_failed_batch_is_told_the_error_also_if_it_would_be_refused() -> None:
    room = Room()
    tickets = [room.submit(c.TriggerRuns, runs=[new()]), room.submit(c.CancelRun, run="run_9")]

    assert room.fail() == dict.fromkeys(tickets, OUTAGE)


def test_what_came_while_a_batch_was_in_flight_is_decided_when_it_has_failed() -> None:
    room = Room()
    room.submit(c.TriggerRuns, runs=[new("run_1")])
    room.load()
    batch = room.engine.take_batch(room.now)
    assert batch is not None
    later = room.submit(c.CancelRun, run="run_1")
    room.engine.failed(OUTAGE, room.now)

    answer = room.commit()[later]

    assert isinstance(answer, NotFound)


def test_nothing_is_decided_while_a_batch_is_in_flight() -> None:
    room = Room()
    room.submit(c.TriggerRuns, runs=[new("run_1")])
    room.load()
    room.engine.take_batch(room.now)

    with pytest.raises(AssertionError, match="when the previous commit has landed"):
        room.engine.take_batch(room.now)


def test_what_is_in_flight_is_known_to_be_so() -> None:
    room = Room()
    assert not room.engine.in_flight("run_1")

    room.submit(c.TriggerRuns, runs=[new("run_1")])
    room.engine.take_batch(room.now)
    assert room.engine.in_flight("run_1")
    assert not room.engine.in_flight("run_2")

    room.engine.landed()
    assert not room.engine.in_flight("run_1")


def test_without_news_there_is_no_batch() -> None:
    room = Room()

    assert room.engine.take_batch(room.now) is None
    assert room.engine.is_idle


def test_a_refusal_alone_is_a_batch_without_events() -> None:
    room = Room()
    ticket = room.submit(c.CancelRun, run="run_9")

    answers = room.commit()

    assert str(answers[ticket]) == "Run run_9 not found."
    assert room.news() == []


def test_what_is_not_in_memory_is_asked_for_once() -> None:
    room = Room()
    room.trigger(new("run_1", key="key_1", key_until=NOW + 9_000), request="key_r")
    room.ask(c.CancelRun, run="run_1")
    engine = room.engine

    ticket = room.submit(c.TriggerRuns, runs=[new("run_2", key="key_1")], request="key_s")
    assert engine.missing() == {"key_1"}, "nobody has claimed the key of the second request"
    engine.provide({"key_1": fold(room.history("key_1"))})
    assert engine.missing() == {"run_1"}
    engine.provide({"run_1": fold(room.history("run_1"))})
    assert engine.missing() == set()

    assert room.commit() == {ticket: [Accepted("run_1", cached=True)]}
    assert "run_1" not in engine.memory.states


def test_a_command_waits_in_the_inbox_until_what_it_asks_about_is_there() -> None:
    room = Room()
    ticket = room.submit(c.CancelRun, run="run_1")

    assert room.engine.take_batch(room.now) is None
    assert not room.engine.is_idle
    assert list(room.commit()) == [ticket]


def test_a_final_run_leaves_the_memory_when_its_end_is_committed() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.turn(succeeded(worker.start()))

    assert set(room.engine.memory.states) == {ENVIRONMENT}


def test_a_full_inbox_is_busy_until_it_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "INBOX_MAX", 2)
    room = Room()
    room.submit(c.CancelRun, run="run_1")
    room.submit(c.TriggerRuns, runs=[new()])

    with pytest.raises(Busy, match="ask again in a moment"):
        room.submit(c.CancelRun, run="run_2")
    assert len(room.commit()) == 2
    assert len([room.submit(c.CancelRun, run="run_1"), room.submit(c.CancelRun, run="run_1")]) == 2


def test_an_inbox_with_too_many_bytes_is_busy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "INBOX_MAX_BYTES", 10_000)
    room = Room()
    large = NewRun("run_1", "send-email", payload_size=9_000)
    room.submit(c.TriggerRuns, runs=[large])

    with pytest.raises(Busy):
        room.submit(c.TriggerRuns, runs=[large])
    room.commit()
    assert room.submit(c.TriggerRuns, runs=[large]) > 0


def test_reports_and_cancels_go_before_triggers() -> None:
    room = Room()
    room.trigger(new("run_1"))
    room.news()
    room.submit(c.TriggerRuns, runs=[new("run_2")])
    room.submit(c.CancelRun, run="run_1")

    room.commit()

    assert [stream for stream, _ in room.news()] == ["run_1", "run_2"]


def test_a_batch_is_bounded_and_the_rest_goes_into_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "BATCH_MAX_EVENTS", 3)
    room = Room()
    tickets = [room.submit(c.TriggerRuns, runs=[new(f"run_{n}")]) for n in range(5)]

    assert list(room.commit()) == tickets[:3]
    assert not room.engine.is_idle
    assert list(room.commit()) == tickets[3:]


def test_overdue_timers_fire_in_their_order_and_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "BATCH_MAX_EVENTS", 2)
    room = Room()
    for n, delay in enumerate((30, 10, 20)):
        room.trigger(new(f"run_{n}", delay_until=NOW + delay))
    room.news()

    room.pass_time(1_000)
    assert [stream for stream, _ in room.news()] == ["run_1", "run_2"]
    assert room.engine.wait_ms(room.now) == 0

    room.commit()
    assert room.news() == [("run_0", e.RunEnqueued("delay"))]


def test_nothing_is_recorded_as_earlier_than_what_stands_before_it() -> None:
    room = Room()
    room.pass_time(5_000)
    room.trigger(new("run_1"))
    room.ask(c.CancelRun, run="run_1")
    room.now = Now(NOW - 60_000, room.now.mono)
    room.trigger(new("run_2"))
    room.restart()
    room.trigger(new("run_3"))

    assert [each.recorded_at for each in room.log[-3:]] == [NOW + 5_000] * 3


def test_a_claimed_head_stands_behind_what_was_committed() -> None:
    room = Room()

    room.engine.note(Recorded(3, "writer", 1, "", NOW, NOW + 7_000, "engine", "claim", e.WriterStarted(2)))

    assert room.engine.head == 3
    batch_ticket = room.submit(c.TriggerRuns, runs=[new()])
    room.load()
    batch = room.engine.take_batch(room.now)
    assert batch is not None
    assert [(each.position, each.recorded_at) for each in batch.records] == [(4, NOW + 7_000)]
    assert room.engine.landed() == [(batch_ticket, [Accepted("run_1")])]


def test_a_turn_is_answered_with_the_next_batch_also_when_nothing_is_committed() -> None:
    assert Colleague(Room()).turn(patient=False) == TurnAnswer(1)
