"""What is said of a queue: from state to events and back, and the window of a rate limit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import events as e
from domain import queue as queues
from domain.errors import InvalidInput, LedgerCorrupt
from domain.events import Event, RateLimit
from domain.queue import BUCKETS, QueueState, stream_of
from tests.domain.stories import ENVIRONMENT, NOW, recorded

STREAM = stream_of(ENVIRONMENT, "emails")
SLOWLY = RateLimit(3, 60_000)


def told(*events: Event, at: int = NOW) -> QueueState:
    """The queue of which this history tells."""
    state: QueueState | None = None
    for each in recorded(events, stream=STREAM, at=at):
        state = queues.evolve(state, each)
    assert state is not None
    return state


def test_each_environment_and_name_has_a_stream_of_its_own() -> None:
    streams = {stream_of(environment, name) for environment in ("e", "ef") for name in ("", "fq", "q", "*", "\ud800")}

    assert len(streams) == 10
    assert all(stream.startswith("queue_") and len(stream) == 38 for stream in streams)


def test_a_queue_pauses_once_and_goes_on_once() -> None:
    paused, resumed = told(e.QueuePaused("emails")), told(e.QueuePaused("emails"), e.QueueResumed("emails"))

    assert queues.pause(None, "emails") == [e.QueuePaused("emails")]
    assert queues.pause(paused, "emails") == []
    assert queues.resume(None, "emails") == []
    assert queues.resume(paused, "emails") == [e.QueueResumed("emails")]
    assert queues.resume(resumed, "emails") == []
    assert (paused.is_paused, resumed.is_paused) == (True, False)


def test_an_override_says_since_when_and_by_whom_until_it_is_reset() -> None:
    overridden = told(e.QueueLimitOverridden("emails", 7))
    reset = told(e.QueueLimitOverridden("emails", 7), e.QueueLimitReset("emails"))

    assert overridden == QueueState(STREAM, ENVIRONMENT, "emails", 1, False, 7, NOW, "key:1")
    assert reset == QueueState(STREAM, ENVIRONMENT, "emails", 2)
    assert queues.override(overridden, "emails", 7, None) == []
    assert queues.override(overridden, "emails", 8, 8) == [e.QueueLimitOverridden("emails", 8)]
    assert queues.reset(overridden, "emails") == [e.QueueLimitReset("emails")]
    assert queues.reset(reset, "emails") == queues.reset(None, "emails") == []


@pytest.mark.parametrize(("limit", "most"), [(-1, None), (100_001, None), (4, 3), (1, 0)])
def test_a_limit_out_of_bounds_is_refused(limit: int, most: int | None) -> None:
    with pytest.raises(InvalidInput):
        queues.override(None, "emails", limit, most)


def test_what_is_no_event_of_a_queue_is_refused() -> None:
    with pytest.raises(LedgerCorrupt, match="stands in the stream of queue"):
        told(e.KeyFreed())


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 4)), max_size=150),
    st.integers(1, 6),
    st.sampled_from([1_000, 3_600, 7_001]),
)
def test_a_rate_limit_is_never_exceeded_and_the_window_stays_small(
    asked: list[tuple[int, int]], limit: int, period: int
) -> None:
    rate, state, now = RateLimit(limit, period), None, NOW
    started: list[int] = []
    for version, (later, wanted) in enumerate(asked):
        now += later
        pending = 0
        starts = state.starts if state else ()
        while pending < wanted and queues.opens_at(starts, pending, rate, now) == now:
            pending += 1
        if pending:
            counted = recorded([e.QueueStartsCounted("emails", pending, period)], at=now, behind=version)
            state = queues.evolve(state, counted[0])
            started += [now] * pending
        assert state is None or len(state.starts) <= BUCKETS + 2

    for moment in started:
        assert sum(moment - period < each <= moment for each in started) <= limit


@settings(deadline=None)
@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=60), st.integers(1, 5))
def test_who_waits_for_the_rate_waits_no_longer_than_a_bucket_more_than_needed(gaps: list[int], limit: int) -> None:
    period, state, now = 6_000, None, NOW
    started: list[int] = []
    for version, gap in enumerate(gaps):
        now += gap
        now = queues.opens_at(state.starts if state else (), 0, RateLimit(limit, period), now)
        counted = recorded([e.QueueStartsCounted("emails", 1, period)], at=now, behind=version)
        state = queues.evolve(state, counted[0])
        started.append(now)
        if len(started) > limit:
            exact = started[-1 - limit] + period
            assert now == max(now, exact)
            assert now <= max(started[-2] + gap, exact + period // BUCKETS)


def test_starts_that_are_not_recorded_yet_count() -> None:
    assert queues.opens_at((), 2, SLOWLY, NOW) == NOW
    assert queues.opens_at((), 3, SLOWLY, NOW) == NOW + 60_000
    assert queues.opens_at(((NOW - 59_000, 1),), 2, SLOWLY, NOW) == NOW + 1_000
