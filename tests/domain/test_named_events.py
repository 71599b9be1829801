"""Named events: what they start, when, and that they do it once."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from domain import commands as c
from domain import delivering
from domain import events as e
from domain.errors import NotAllowed, NotFound
from domain.events import BlobRef, TaskSettings
from domain.named_event import stream_of
from domain.states import is_kept
from domain.status import Status
from tests.domain.eventstories import NAME, PAYLOAD, after, deliver, job_spec, send, sent, started, subscribed
from tests.domain.stories import ENVIRONMENT, NOW, SEND_EMAIL, Room

STREAM = stream_of(ENVIRONMENT, "1")
HOUR = 3_600_000


def test_an_event_starts_what_is_subscribed_to_its_name_and_whose_filter_fits_in_its_commit() -> None:
    room = Room(
        subscribed("greet"),
        subscribed("bill", plan=["pro"]),
        subscribed("nudge", plan=["free"]),
        subscribed("part", "user.deleted"),
        SEND_EMAIL,
    )
    assert send(room)

    (first, bill, greet, last) = [event for _, event in room.news()]
    assert isinstance(bill, e.RunTriggered)
    assert isinstance(greet, e.RunTriggered)
    assert (first, last) == (sent(), e.EventDelivered(tuple(_runs(room))))
    assert (bill.task, greet.task) == ("bill", "greet")
    assert (greet.source, bytes(greet.payload), greet.queue) == ("event", b'{"name":"Ada","plan":"pro"}', "task/greet")
    assert greet.event == e.EventRef("1", NAME, NOW - 5, "shop", Raw(b'{"tenant":7}'))
    assert [(each.actor, each.cause) for each in room.log[-3:-1]] == [("event", STREAM)] * 2
    assert room.run(_runs(room)[0]).status is Status.QUEUED


def test_an_event_to_which_nobody_listens_is_delivered_to_nobody() -> None:
    room = Room()
    send(room)

    assert [event for _, event in room.news()] == [sent(), e.EventDelivered(())]
    assert room.engine.memory.states.get(STREAM) is None, "what is over is not kept"


def test_the_same_id_again_starts_nothing() -> None:
    room = Room(subscribed("greet"))
    assert send(room)
    before = list(room.log)

    assert not send(room)
    assert not send(room, payload={"name": "Eve"})
    room.restart()
    assert not send(room)
    assert room.log == before
    assert send(room, "2")
    assert started(room) == [("greet", "1"), ("greet", "2")]


def test_the_same_id_twice_in_one_commit_is_one_event() -> None:
    room = Room(subscribed("greet"))
    tickets = [room.submit(c.SendEvent, event=STREAM, sent=sent(), payload=sent().payload) for _ in range(3)]
    answers = room.commit()

    assert [answers[ticket] for ticket in tickets] == [True, False, False]
    assert started(room) == [("greet", "1")]


def test_a_task_is_subscribed_as_its_promoted_version_says() -> None:
    room = Room(subscribed("greet"), subscribed("bill"))
    room.ask(c.RegisterVersion, digest="two", tasks=(TaskSettings("greet"),), day="20270116", promote=False)
    send(room, "1")
    room.ask(c.PromoteVersion, version="20270116.1")
    send(room, "2")

    assert started(room) == [("bill", "1"), ("greet", "1"), ("bill", "2")]


def test_a_job_is_subscribed_while_it_is_active() -> None:
    room = Room()
    for job in ("job_1", "job_2"):
        room.ask(c.CreateJob, job=job, spec=job_spec(plan=["pro"]), state="active", runs=[])
    send(room, "1")
    room.ask(c.PauseJob, job="job_1")
    send(room, "2")
    room.ask(c.ChangeJob, job="job_2", spec=job_spec(plan=["free"]))
    room.ask(c.ResumeJob, job="job_1", runs=[])
    send(room, "3")
    room.ask(c.DeleteJob, job="job_1")
    room.restart()
    send(room, "4")
    send(room, "5", {"plan": "free"})

    assert started(room) == [("job_1", "1"), ("job_2", "1"), ("job_2", "2"), ("job_1", "3"), ("job_2", "5")]


def test_an_execution_that_an_event_starts_is_given_the_request_of_its_job() -> None:
    room = Room()
    room.ask(c.CreateJob, job="job_1", spec=job_spec(), state="active", runs=[])
    send(room)

    (triggered,) = [each.event for each in room.log if isinstance(each.event, e.RunTriggered)]
    assert (triggered.task, bytes(triggered.payload)) == ("runfold/http", b'{"request":{}}')
    assert (triggered.job, triggered.max_attempts) == (e.JobRef("job_1", "Notify", NOW), 3)


def test_a_large_payload_is_kept_once_and_shared() -> None:
    room = Room(subscribed("greet"), subscribed("bill", name=["Ada"]))
    payload, blob = Raw(b'{"name":"Ada"}'), BlobRef(f"{STREAM}/payload", "00", 14)
    room.news()
    what = e.EventSent("1", NAME, NOW, "shop", payload_blob=blob)
    room.submit(c.SendEvent, event=STREAM, sent=what, payload=payload, blobs={blob.key: bytes(payload)})
    room.load()
    batch = room.engine.take_batch(room.now)
    assert batch is not None

    runs = [each.event for each in batch.records if isinstance(each.event, e.RunTriggered)]
    assert batch.blobs == {blob.key: bytes(payload)}
    assert [(each.payload_blob, each.payload_size, bytes(each.payload)) for each in runs] == [(blob, 14, b"")] * 2


def test_an_event_for_later_waits_for_its_time_and_starts_what_is_subscribed_then() -> None:
    room = Room(subscribed("greet"))
    send(room, deliver_at=NOW + HOUR)
    assert deliver(room) == 0
    room.ask(c.RegisterVersion, digest="two", tasks=(TaskSettings("greet"), subscribed("bill")), day="20270116")
    room.pass_time(HOUR - 1)
    assert deliver(room) == 0
    assert room.engine.wait_ms(room.now) == 1
    room.pass_time(1)

    assert deliver(room) == 1
    assert started(room) == [("bill", "1")]
    assert room.run(_runs(room)[0]).created_at == NOW + HOUR
    assert not room.engine.memory.deliveries


def test_a_delivery_survives_the_engine_and_a_ledger_that_fails() -> None:
    room = Room(subscribed("greet"))
    send(room, deliver_at=NOW + HOUR)
    room.restart()
    room.pass_time(2 * HOUR)
    assert list(room.engine.memory.deliveries) == [STREAM]
    room.restart()
    room.commit()
    asked: dict[str, Any] = {"event": STREAM, "sent": sent(deliver_at=NOW + HOUR), "payload": sent().payload}
    room.submit(c.DeliverEvent, after="", **asked)
    room.fail()
    assert started(room) == []
    room.pass_time(1)

    assert deliver(room) == 1
    assert started(room) == [("greet", "1")]
    assert not room.ask(c.DeliverEvent, after="", **asked), "what is over is not delivered again"


def test_an_event_is_not_delivered_before_its_time() -> None:
    room = Room(subscribed("greet"))
    send(room, deliver_at=NOW + HOUR)

    what = sent(deliver_at=NOW + HOUR)
    assert not room.ask(c.DeliverEvent, event=STREAM, sent=what, payload=what.payload, after="")
    assert started(room) == []


def test_many_subscribers_are_served_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "RUNS_MAX", 3)
    tasks = [f"task-{number}" for number in range(8)]
    room = Room(*map(subscribed, tasks))
    send(room)
    assert (len(started(room)), after(room, STREAM)) == (3, "task/task-2")
    assert not send(room)
    room.commit()
    assert deliver(room) == 1
    assert not room.ask(c.DeliverEvent, event=STREAM, sent=sent(), payload=sent().payload, after="")
    room.restart()
    room.commit()

    assert deliver(room) == 1
    assert started(room) == [(task, "1") for task in tasks]
    told = [type(each.event) for each in room.history(STREAM)]
    assert told == [e.EventSent, e.EventPartlyDelivered, e.EventPartlyDelivered, e.EventDelivered]
    assert not room.engine.memory.deliveries


def test_a_canceled_event_starts_nothing() -> None:
    room = Room(subscribed("greet"))
    send(room, deliver_at=NOW + HOUR)
    room.ask(c.CancelEvent, event=STREAM)
    room.ask(c.CancelEvent, event=STREAM)
    room.pass_time(HOUR)

    assert deliver(room) == 0
    assert not send(room)
    assert started(room) == []
    assert [each.event for each in room.history(STREAM)][1:] == [e.EventCanceled()]


def test_what_was_delivered_cannot_be_canceled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "RUNS_MAX", 1)
    room = Room(subscribed("bill"), subscribed("greet"))
    send(room)
    with pytest.raises(NotAllowed, match="cancel the runs that it has started"):
        room.ask(c.CancelEvent, event=STREAM)
    room.commit()
    deliver(room)

    with pytest.raises(NotAllowed, match="cancel the runs that it has started"):
        room.ask(c.CancelEvent, event=STREAM)
    with pytest.raises(NotFound):
        room.ask(c.CancelEvent, event=stream_of(ENVIRONMENT, "2"))


def test_ids_are_those_of_their_environment() -> None:
    streams = {stream_of(*each) for each in (("env_1", "1"), ("env_2", "1"), ("env_1", "2"), ("env_11", ""))}

    assert len(streams) == 4


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send later", "fail", "restart", "pass time", "deliver", "cancel"]),
        st.sampled_from("123"),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(ACTS)
def test_whatever_happens_an_event_starts_each_subscriber_once_or_is_canceled(acts: list[tuple[str, str]]) -> None:
    room = Room(subscribed("greet"), subscribed("bill", plan=["pro"]), subscribed("nudge", plan=["free"]))
    known: set[str] = set()
    for act, event in acts:
        _do(room, act, event)
        known |= {event} if act.startswith("send") else set()
    room.restart()
    room.pass_time(HOUR)
    deliver(room)

    counts = Counter(started(room))
    assert set(counts.values()) <= {1}
    for event in known:
        told = [each.event for each in room.history(stream_of(ENVIRONMENT, event))]
        runs = {task for task, of in counts if of == event}
        assert [type(each) for each in told[:1]] == [e.EventSent]
        assert [type(each) for each in told[1:]] == [e.EventDelivered if runs else e.EventCanceled]
        assert runs in ({"bill", "greet"}, set())
    assert not [state for state in room.engine.memory.states.values() if not is_kept(state)]


def _do(room: Room, act: str, event: str) -> None:
    stream = stream_of(ENVIRONMENT, event)
    match act:
        case "send":
            send(room, event)
        case "send later":
            send(room, event, deliver_at=NOW + HOUR // 2)
        case "fail":
            # A send that the ledger does not take, and that its sender repeats.
            room.submit(c.SendEvent, event=stream, sent=sent(event, PAYLOAD), payload=sent(event).payload)
            room.fail()
            send(room, event)
        case "restart":
            room.restart()
        case "pass time":
            room.pass_time(HOUR // 4)
        case "deliver":
            deliver(room)
        case _:
            try:
                room.ask(c.CancelEvent, event=stream)
            except (NotAllowed, NotFound):
                assert not [each for each in room.history(stream) if isinstance(each.event, e.EventCanceled)]


def _runs(room: Room) -> list[str]:
    return [each.stream for each in room.log if isinstance(each.event, e.RunTriggered)]
