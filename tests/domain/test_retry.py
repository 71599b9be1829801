"""Back-off arithmetic: the formula, its bounds, and no overflow however often an attempt failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retry import ONCE, Retry

POLICIES = st.builds(
    Retry,
    min_timeout_in_ms=st.integers(0, 100_000),
    max_timeout_in_ms=st.integers(0, 10_000_000),
    factor=st.floats(1, 1_000),
    randomize=st.booleans(),
)
CHANCES = st.floats(0, 1, exclude_max=True)
FAILURES = st.integers(1, 10**6)


@pytest.mark.parametrize(("failures", "wait"), [(1, 1_000), (2, 2_000), (3, 4_000), (6, 32_000), (7, 60_000)])
def test_each_failure_doubles_the_wait_up_to_its_maximum(failures: int, wait: int) -> None:
    assert Retry(randomize=False).delay_after(failures, 0.99) == wait


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 2_000), (0.5, 3_000), (0.75, 3_500)])
def test_chance_stretches_the_wait_to_less_than_the_double(chance: float, wait: int) -> None:
    assert Retry().delay_after(2, chance) == wait


@given(policy=POLICIES, failures=st.integers(1, 50), chance=CHANCES)
def test_the_wait_follows_the_formula(policy: Retry, failures: int, chance: float) -> None:
    stretched = (1 + chance if policy.randomize else 1) * policy.min_timeout_in_ms * policy.factor ** (failures - 1)

    assert policy.delay_after(failures, chance) == round(min(policy.max_timeout_in_ms, stretched))


@given(policy=POLICIES, failures=FAILURES, chance=CHANCES)
def test_the_wait_stays_within_its_bounds(policy: Retry, failures: int, chance: float) -> None:
    wait = policy.delay_after(failures, chance)

    assert min(policy.min_timeout_in_ms, policy.max_timeout_in_ms) <= wait <= policy.max_timeout_in_ms


@given(policy=POLICIES, failures=FAILURES, chance=CHANCES)
def test_one_more_failure_never_shortens_the_wait(policy: Retry, failures: int, chance: float) -> None:
    assert policy.delay_after(failures, chance) <= policy.delay_after(failures + 1, chance)


def test_a_million_failures_wait_for_the_maximum() -> None:
    assert Retry().delay_after(10**6, 0.5) == 60_000


def test_a_policy_without_a_wait_never_waits() -> None:
    assert Retry(min_timeout_in_ms=0).delay_after(10**6, 0.5) == 0


def test_a_shrinking_wait_ends_at_nothing() -> None:
    assert Retry(factor=0.5).delay_after(10**6, 0.5) == 0


def test_a_task_that_asks_for_no_retry_has_one_attempt() -> None:
    assert ONCE.max_attempts == 1
