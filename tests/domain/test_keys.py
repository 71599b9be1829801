"""Idempotency keys: one key, one run, until its time is over, its run fails, or someone resets it."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.commands import Accepted
from domain.errors import InvalidInput, NotFound
from domain.keys import stream_of
from domain.lifecycle import NewRun
from tests.domain.stories import NOW, Colleague, Room, new, said, succeeded

DAY_MS = 86_400_000


def keyed(run: str, key: str = "key_1", *, until: int = NOW + DAY_MS, ttl_ms: int | None = None) -> NewRun:
    return new(run, key=key, key_until=until, ttl_ms=ttl_ms)


def complete(room: Room) -> None:
    worker = Colleague(room)
    worker.turn(succeeded(worker.start()))


def cancel(room: Room) -> None:
    room.ask(c.CancelRun, run="run_1")


def fail(room: Room) -> None:
    worker = Colleague(room)
    worker.turn(said(worker.start(), "failed"))


def crash(room: Room) -> None:
    worker = Colleague(room)
    worker.turn(said(worker.start(), "crashed"))


def give_up(room: Room) -> None:
    room.ask(c.GiveUpRun, run="run_1", message="It cannot go on.")


def expire(room: Room) -> None:
    room.pass_time(5_000)


def test_a_key_that_is_used_again_brings_the_same_run_and_writes_nothing() -> None:
    room = Room()

    assert room.trigger(keyed("run_1")) == [Accepted("run_1")]
    assert [event for _, event in room.news()] == [room.events()[0], e.KeyClaimed("run_1", NOW + DAY_MS)]
    assert room.trigger(keyed("run_2")) == [Accepted("run_1", cached=True)]
    assert room.news() == []


def test_a_key_that_is_used_again_in_the_same_commit_brings_the_same_run() -> None:
    room = Room()

    tickets = [room.submit(c.TriggerRuns, runs=[keyed(run)]) for run in ("run_1", "run_2")]
    answers = room.commit()

    assert [answers[ticket] for ticket in tickets] == [[Accepted("run_1")], [Accepted("run_1", cached=True)]]


def test_another_key_brings_another_run() -> None:
    room = Room()
    room.trigger(keyed("run_1"))

    assert room.trigger(keyed("run_2", "key_2")) == [Accepted("run_2")]


@pytest.mark.parametrize("end", [complete, cancel])
def test_a_run_that_completed_or_was_canceled_keeps_its_key(end: Callable[[Room], None]) -> None:
    room = Room()
    room.trigger(keyed("run_1"))

    end(room)

    assert room.run().is_final
    assert room.trigger(keyed("run_2")) == [Accepted("run_1", cached=True)]


@pytest.mark.parametrize("end", [fail, crash, give_up, expire])
def test_a_run_that_failed_in_any_way_frees_its_key(end: Callable[[Room], None]) -> None:
    room = Room()
    room.trigger(keyed("run_1", ttl_ms=5_000))

    end(room)

    assert room.run().is_final
    assert room.trigger(keyed("run_2")) == [Accepted("run_2")]


def test_a_key_stands_for_its_run_until_its_time_is_over() -> None:
    room = Room()
    room.trigger(keyed("run_1", until=NOW + 1_000))

    room.pass_time(999)
    assert room.trigger(keyed("run_2")) == [Accepted("run_1", cached=True)]

    room.pass_time(1)
    assert room.trigger(keyed("run_3")) == [Accepted("run_3")]


def test_a_key_that_was_reset_is_free() -> None:
    room = Room()
    room.trigger(keyed("run_1"))
    room.news()

    room.ask(c.ResetKey, key="key_1")

    assert room.news() == [("key_1", e.KeyFreed())]
    assert room.trigger(keyed("run_2")) == [Accepted("run_2")]


def test_a_key_that_stands_for_nothing_cannot_be_reset() -> None:
    room = Room()
    room.trigger(keyed("run_1"))
    room.ask(c.ResetKey, key="key_1")

    for key in ("key_1", "key_2"):
        with pytest.raises(NotFound, match="No run has this idempotency key"):
            room.ask(c.ResetKey, key=key)


def test_a_key_still_stands_for_its_run_after_a_restart() -> None:
    room = Room()
    room.trigger(keyed("run_1"))
    complete(room)

    room.restart()

    assert room.trigger(keyed("run_2")) == [Accepted("run_1", cached=True)]


def test_the_same_request_again_gets_the_same_run() -> None:
    room = Room()
    request = {"request": "key_request"}
    room.trigger(new("run_1"), **request)
    give_up(room)
    room.news()

    assert room.trigger(new("run_2"), **request) == [Accepted("run_1")]
    assert room.news() == []


def test_the_same_request_for_a_batch_again_gets_the_same_runs() -> None:
    room = Room()
    room.trigger(keyed("run_1"))
    request = {"request": "key_request"}

    first = room.trigger(new("run_2"), keyed("run_3"), new("run_4"), batch="batch_1", **request)
    again = room.trigger(new("run_5"), keyed("run_6"), new("run_7"), batch="batch_2", **request)

    assert first == [Accepted("run_2"), Accepted("run_1", cached=True), Accepted("run_4")]
    assert [each.run for each in again] == ["run_2", "run_1", "run_4"]
    assert room.history("batch_1")[0].event == e.BatchTriggered(("run_2", "run_1", "run_4"), cached=(1,))
    assert room.history("batch_2") == []


def test_the_same_key_twice_in_a_batch_brings_one_run() -> None:
    room = Room()

    accepted = room.trigger(keyed("run_1"), keyed("run_2"), batch="batch_1")

    assert accepted == [Accepted("run_1"), Accepted("run_1", cached=True)]


def test_a_batch_is_recorded_with_its_runs_in_their_order() -> None:
    room = Room()
    room.trigger(new("run_2"), new("run_1"), batch="batch_1")

    assert [stream for stream, _ in room.news()] == ["run_2", "run_1", "batch_1"]


@pytest.mark.parametrize(
    "other",
    [
        ("env_2", "idempotency", "global", "a"),
        ("env_1", "request", "global", "a"),
        ("env_1", "idempotency", "run", "a"),
        ("env_1", "idempotency", "global", "b"),
        ("env_1", "idempotency", "global\0a", ""),
        ("env_1", "idempotency", "global", "\0a"),
    ],
)
def test_different_keys_never_meet(other: tuple[str, str, str, str]) -> None:
    assert stream_of(*other) != stream_of("env_1", "idempotency", "global", "a")


@pytest.mark.parametrize("runs", [[], [new("run_1"), new("run_2")]])
def test_a_request_that_cannot_be_answered_again_is_refused(runs: list[NewRun]) -> None:
    with pytest.raises(InvalidInput):
        Room().ask(c.TriggerRuns, runs=runs, request="key_request")


@pytest.mark.parametrize("end", [complete, cancel, fail, crash, give_up, expire])
def test_a_key_that_keeps_failed_runs_stands_for_any(end: Callable[[Room], None]) -> None:
    room = Room()
    kept = replace(keyed("run_1", ttl_ms=5_000), keeps_failed=True)
    room.trigger(kept)

    end(room)

    assert room.run().is_final
    assert room.trigger(keyed("run_2")) == [Accepted("run_1", cached=True)]


def test_whether_failed_runs_are_kept_is_said_by_the_trigger_that_made_the_run() -> None:
    room = Room()
    room.trigger(keyed("run_1"))
    fail(room)

    assert room.trigger(replace(keyed("run_2"), keeps_failed=True)) == [Accepted("run_2")]
    room.ask(c.CancelRun, run="run_2")
    assert room.trigger(keyed("run_3")) == [Accepted("run_2", cached=True)]


@pytest.mark.parametrize(
    ("first", "second", "differs"),
    [("a", "a", False), ("a", "b", True), (None, "b", False), ("a", None, False), (None, None, False)],
)
def test_a_key_that_comes_with_another_payload_says_so(first: str | None, second: str | None, *, differs: bool) -> None:
    room = Room()
    room.trigger(replace(keyed("run_1"), payload_digest=first))
    room.news()

    again = room.trigger(replace(keyed("run_2"), payload_digest=second))

    assert again == [Accepted("run_1", cached=True, differs=differs)]
    assert room.news() == []


def test_a_freed_key_knows_nothing_of_the_payload_before() -> None:
    room = Room()
    room.trigger(replace(keyed("run_1"), payload_digest="a"))
    room.ask(c.ResetKey, key="key_1")

    assert room.trigger(replace(keyed("run_2"), payload_digest="b")) == [Accepted("run_2")]
    assert room.trigger(replace(keyed("run_3"), payload_digest="b")) == [Accepted("run_2", cached=True)]
