"""Debounce: triggers with one key are one run until it enters its queue."""

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.commands import Accepted
from domain.events import BlobRef, RunError, TaskSettings
from domain.gates import Verdict
from domain.lifecycle import Debounce, NewRun
from domain.status import Status
from tests.domain.gatestories import CHECKED, GUARDED, NOT_AN_OBJECT, authorized, deploy, judged, status_of
from tests.domain.stories import NOW, VERSION, Room, new

DELAY_MS = 5_000


def put_off(
    room: Room, run: str, task: str = "send-email", *, by: str = "key_d", delay_ms: int = DELAY_MS, **more: Any
) -> NewRun:
    """A trigger with a debounce key, as the API makes it."""
    options = {name: more.pop(name) for name in ("is_trailing", "max_delay_ms") if name in more}
    debounce = Debounce(by, delay_ms, **options)
    return new(run, task, delay_until=room.now.wall + delay_ms, debounce=debounce, **more)


def test_the_first_trigger_makes_a_delayed_run_that_the_key_stands_for() -> None:
    room = Room()

    assert room.trigger(put_off(room, "run_1")) == [Accepted("run_1")]
    assert room.events()[1:] == [e.RunDelayed(NOW + DELAY_MS)]
    assert isinstance(room.history("key_d")[0].event, e.KeyClaimed)


def test_a_further_trigger_puts_the_run_off() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1"))
    room.pass_time(3_000)

    assert room.trigger(put_off(room, "run_2")) == [Accepted("run_1", cached=True)]
    assert room.events()[2:] == [e.RunDebounced(NOW + 3_000 + DELAY_MS)]

    room.pass_time(DELAY_MS - 1)
    assert status_of(room) is Status.DELAYED
    room.pass_time(1)
    assert status_of(room) is Status.QUEUED
    assert room.history("run_2") == []


def test_a_leading_run_works_on_what_came_first() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1", tags=("first",)))
    room.trigger(put_off(room, "run_2", tags=("second",)))

    assert room.run().tags == ("first",)
    assert room.events()[-1] == e.RunDebounced(NOW + DELAY_MS)


def test_a_trailing_run_works_on_what_came_last() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1", is_trailing=True, tags=("first",), max_attempts=1))
    blob = BlobRef("run_2/payload", "0" * 64, 4)
    second = put_off(room, "run_2", is_trailing=True, tags=("second",), max_attempts=2, metadata=Raw(b'{"n":2}'))
    room.trigger(replace(second, payload_blob=blob), blobs={"run_2/payload": b"more"})

    (_, _, event) = room.events()
    assert isinstance(event, e.RunDebounced)
    assert (event.replaces, event.payload_blob, event.tags) == (True, blob, ("second",))
    run = room.run()
    assert (run.tags, run.max_attempts, bytes(run.metadata)) == (("second",), 2, b'{"n":2}')


def test_the_mode_of_the_later_trigger_counts() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1", tags=("first",)))
    room.trigger(put_off(room, "run_2", is_trailing=True, tags=("second",)))
    room.trigger(put_off(room, "run_3", tags=("third",)))

    assert room.run().tags == ("second",)


def test_no_trigger_puts_the_run_off_beyond_its_max_delay() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1", max_delay_ms=8_000))
    for run in ("run_2", "run_3", "run_4"):
        room.pass_time(2_000)
        room.trigger(put_off(room, run, max_delay_ms=8_000))
    assert room.run().due_at == NOW + 8_000

    room.pass_time(2_000)

    assert status_of(room) is Status.QUEUED


def test_a_shorter_delay_brings_the_run_no_sooner() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1", delay_ms=60_000))

    room.trigger(put_off(room, "run_2", delay_ms=1_000))
    room.trigger(put_off(room, "run_3", delay_ms=70_000, max_delay_ms=30_000))

    assert room.run().due_at == NOW + 60_000


def test_once_the_run_is_queued_the_next_trigger_makes_another_one() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1"))
    room.pass_time(DELAY_MS)

    assert room.trigger(put_off(room, "run_2")) == [Accepted("run_2")]
    assert room.trigger(put_off(room, "run_3")) == [Accepted("run_2", cached=True)]


def test_once_the_run_is_canceled_the_next_trigger_makes_another_one() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1"))
    room.ask(c.CancelRun, run="run_1")

    assert room.trigger(put_off(room, "run_2")) == [Accepted("run_2")]


def test_other_keys_are_other_runs() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1"))

    assert room.trigger(put_off(room, "run_2", by="key_e")) == [Accepted("run_2")]


def test_triggers_of_one_batch_are_one_run() -> None:
    room = Room()

    accepted = room.trigger(*(put_off(room, f"run_{number}") for number in range(3)), batch="batch_1")

    assert accepted == [Accepted("run_0"), Accepted("run_0", cached=True), Accepted("run_0", cached=True)]


def test_a_restart_and_a_failed_commit_change_nothing() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1"))
    room.submit(c.TriggerRuns, runs=[put_off(room, "run_2", delay_ms=60_000)])
    room.fail()
    assert room.run().due_at == NOW + DELAY_MS
    room.restart()

    assert room.trigger(put_off(room, "run_3")) == [Accepted("run_1", cached=True)]


def test_the_same_request_again_does_not_put_the_run_off_again() -> None:
    room = Room()
    request = {"request": "key_request"}
    room.trigger(put_off(room, "run_1"), **request)
    room.pass_time(1_000)

    assert room.trigger(put_off(room, "run_2"), **request) == [Accepted("run_1")]
    assert room.run().due_at == NOW + DELAY_MS


def test_an_idempotency_key_beats_the_debounce_key() -> None:
    room = Room()
    keyed: dict[str, Any] = {"key": "key_i", "key_until": NOW + 3_600_000}
    room.trigger(put_off(room, "run_1", **keyed))
    room.pass_time(1_000)

    assert room.trigger(put_off(room, "run_2", **keyed)) == [Accepted("run_1", cached=True)]
    assert room.run().due_at == NOW + DELAY_MS


def test_an_idempotency_key_stands_for_the_run_that_its_trigger_put_off() -> None:
    room = Room()
    keyed: dict[str, Any] = {"key": "key_i", "key_until": NOW + 3_600_000}
    room.trigger(put_off(room, "run_1"))
    room.trigger(put_off(room, "run_2", **keyed))
    room.pass_time(DELAY_MS)
    assert status_of(room) is Status.QUEUED

    assert room.trigger(put_off(room, "run_3", **keyed)) == [Accepted("run_1", cached=True)]


def test_a_payload_that_does_not_fit_takes_the_place_of_no_other() -> None:
    room = Room(CHECKED)
    fits, wrong = Verdict(VERSION), Verdict(VERSION, NOT_AN_OBJECT)
    room.trigger(put_off(room, "run_1", "checked", is_trailing=True, verdict=fits))

    assert room.trigger(put_off(room, "run_2", "checked", is_trailing=True, verdict=wrong)) == [Accepted("run_2")]
    assert status_of(room, "run_2") is Status.INVALID_PAYLOAD
    assert room.trigger(put_off(room, "run_3", "checked", is_trailing=True, verdict=fits)) == [
        Accepted("run_1", cached=True)
    ]


def test_a_run_that_waits_for_its_version_is_put_off_too() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1", "late"))
    room.pass_time(3_000)

    assert room.trigger(put_off(room, "run_2", "late")) == [Accepted("run_1", cached=True)]
    deploy(room, TaskSettings("late"))

    assert room.events()[-1] == e.RunDelayed(NOW + 3_000 + DELAY_MS)


def test_a_run_that_waits_for_its_resolver_is_put_off_too() -> None:
    room = Room(GUARDED)
    room.trigger(put_off(room, "run_1", "guarded"))
    worker = room.hire()
    (hand,) = worker.take()
    room.pass_time(3_000)
    room.trigger(put_off(room, "run_2", "guarded"))

    worker.turn(authorized(hand))

    assert room.events()[-1] == e.RunDelayed(NOW + 3_000 + DELAY_MS)


def test_a_verdict_of_a_payload_that_was_replaced_since_does_not_count() -> None:
    room = Room()
    room.trigger(put_off(room, "run_1", "checked", is_trailing=True))
    version = deploy(room, CHECKED)
    room.commit()
    looked_at = room.run().version
    room.trigger(put_off(room, "run_2", "checked", is_trailing=True))

    room.ask(c.JudgePayloads, verdicts={"run_1": Verdict(version, None, looked_at)})
    assert status_of(room) is Status.PENDING_VERSION

    judged(room, RunError("$: it is no object", "InvalidPayload"))
    assert status_of(room) is Status.INVALID_PAYLOAD


@pytest.mark.parametrize("reschedule_ms", [60_000, 1_000])
def test_a_reschedule_and_a_debounce_agree(reschedule_ms: int) -> None:
    room = Room()
    room.trigger(put_off(room, "run_1"))
    room.ask(c.RescheduleRun, run="run_1", until=NOW + reschedule_ms)

    room.trigger(put_off(room, "run_2"))

    assert room.run().due_at == NOW + max(reschedule_ms, DELAY_MS)
