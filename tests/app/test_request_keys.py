"""A request that is sent again is known whenever it comes, and nobody looks for one that was never sent."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.start import remember
from domain import commands as c
from domain.engine import Now
from domain.events import KeyClaimed
from domain.request_keys import HOUR_MS, RequestKeys, request_in, stream_in
from tests.domain.stories import NOW, Room, new

MINUTE_MS = 60_000
HOUR = NOW // HOUR_MS
WAITS = (1, 31 * MINUTE_MS, HOUR_MS - 1, HOUR_MS, 3 * HOUR_MS)
SETS = (-2 * HOUR_MS, -MINUTE_MS, MINUTE_MS)
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.lists(st.sampled_from("ab"), min_size=1, max_size=4)),
    st.tuples(st.just("lose"), st.lists(st.sampled_from("ab"), min_size=1, max_size=4)),
    st.tuples(st.just("wait"), st.sampled_from(WAITS)),
    st.tuples(st.just("set the clock"), st.sampled_from(SETS)),
    st.tuples(st.just("start again"), st.integers(1, 9)),
)


class Requests:
    """Two requests that are sent again and again, and what each has to be answered."""

    def __init__(self) -> None:
        self.room = Room()
        self.room.now = Now(NOW + HOUR_MS // 2, 0)
        self._known: dict[str, tuple[str, int]] = {}
        """The run that each request made last, and when."""
        self._runs = 0
        self._latest = NOW
        """The engine never records anything as earlier than this."""

    def take(self, what: str, value: Any) -> None:
        """Do what is drawn, and compare what can be compared."""
        now = self.room.now
        match what:
            case "ask":
                self._ask([f"key_{each}" for each in value])
            case "lose":
                self._lose([f"key_{each}" for each in value])
            case "wait":
                self.room.now = Now(now.wall + value, now.mono + value)
            case "set the clock":
                self.room.now = Now(now.wall + value, now.mono)
            case _:
                self.room.restart()
                remember(self.room.engine.memory.requests, self.room.log[-value:])
                self._latest = self.room.log[-1].recorded_at

    def _ask(self, requests: list[str]) -> None:
        """All at once, so that one batch decides them."""
        expected, runs = dict(self._known), [self._new() for _ in requests]
        tickets = [self._submit(request, run) for request, run in zip(requests, runs, strict=True)]
        self._latest = max(self._latest, self.room.now.wall)
        answers = self.room.commit()
        for request, run, ticket in zip(requests, runs, tickets, strict=True):
            before = expected.get(request)
            if before is None or self._latest >= before[1] + HOUR_MS:
                expected[request] = run, self._latest

            assert answers[ticket] == [c.Accepted(expected[request][0])]
        self._known = expected

    def _lose(self, requests: list[str]) -> None:
        """The ledger does not take what they lead to."""
        for request in requests:
            self._submit(request, self._new())
        self._latest = max(self._latest, self.room.now.wall)
        self.room.fail()

    def _new(self) -> str:
        self._runs += 1
        return f"run_{self._runs}"

    def _submit(self, request: str, run: str) -> int:
        return self.room.submit(c.TriggerRuns, runs=[new(run)], request=request)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_a_request_is_answered_as_the_first_was_for_an_hour_whatever_happens(steps: list[tuple[str, Any]]) -> None:
    requests = Requests()
    for what, value in steps:
        requests.take(what, value)

    places = [(each.stream, each.version) for each in requests.room.log]
    assert len(set(places)) == len(places), "no two events of a stream have the same number"
    made = [each for each in requests.room.log if isinstance(each.event, KeyClaimed)]
    assert {each.version for each in made} <= {1}, "no stream is claimed twice"


def test_a_request_that_was_never_sent_is_not_looked_for() -> None:
    room = Room()
    room.submit(c.TriggerRuns, runs=[new("run_1")], request="key_a")

    assert room.engine.missing() == set()


def test_a_request_that_was_sent_is_looked_for() -> None:
    room = Room()
    room.trigger(new("run_1"), request="key_a")
    room.submit(c.TriggerRuns, runs=[new("run_2")], request="key_a")

    assert room.engine.missing() == {stream_in(HOUR, "key_a")}


def test_an_engine_that_has_not_seen_all_of_two_hours_looks_for_what_it_may_have_missed() -> None:
    room = Room()
    room.now = Now(NOW + HOUR_MS - 1, 0)
    room.trigger(new("run_1"), request="key_a")
    room.restart()
    found: list[set[str]] = []
    for number in range(3):
        room.now = Now(NOW + HOUR_MS * (number + 1) - 1, 0)
        room.commit()
        room.submit(c.TriggerRuns, runs=[new(f"run_of_{number}")], request=f"key_{number}")
        found.append(room.engine.missing())

    assert found == [{stream_in(HOUR, "key_0"), stream_in(HOUR - 1, "key_0")}, {stream_in(HOUR, "key_1")}, set()]


def test_a_start_remembers_the_claims_of_the_last_events() -> None:
    room = Room()
    for each in "abc":
        room.now = Now(room.now.wall + MINUTE_MS, 0)
        room.trigger(new(f"run_{each}"), request=f"key_{each}")
    whole, part = RequestKeys(), RequestKeys()
    remember(whole, room.log)
    remember(part, room.log[-3:])

    def possible(keys: RequestKeys, request: str) -> list[str]:
        return list(keys.possible(request, room.now.wall))

    assert (whole.since, part.since) == (0, NOW + 2 * MINUTE_MS + 1)
    assert [possible(whole, f"key_{each}") for each in "abcd"] == [
        [stream_in(HOUR, f"key_{each}")] for each in "abc"
    ] + [[]]
    assert possible(part, "key_d") == [stream_in(HOUR, "key_d"), stream_in(HOUR - 1, "key_d")]


def test_the_name_of_a_stream_tells_the_name_of_the_key() -> None:
    assert [request_in(stream_in(HOUR, each)) for each in ("key_a", "key_a_b")] == ["key_a", "key_a_b"]


def test_few_of_those_that_are_not_known_are_taken_for_known() -> None:
    keys = RequestKeys()
    for number in range(20_000):
        keys.note(f"key_{number}", NOW)

    assert all([*keys.possible(f"key_{number}", NOW)] for number in range(20_000))
    assert sum(bool([*keys.possible(f"key_{number}", NOW)]) for number in range(20_000, 40_000)) < 20


def test_what_was_seen_is_forgotten_when_it_counts_no_longer() -> None:
    keys = RequestKeys()
    for number in range(5):
        keys.note("key_a", NOW + number * HOUR_MS)

    assert list(keys.possible("key_a", NOW + HOUR_MS)) == []
    assert list(keys.possible("key_a", NOW + 4 * HOUR_MS)) == [
        stream_in(hour, "key_a") for hour in (HOUR + 4, HOUR + 3)
    ]
