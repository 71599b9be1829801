"""The order of the tests, and what holds for all of them."""

import gc
import signal

import pytest

LONG = (
    "tests/nodes/test_random_kills",  # the longest, so nothing may be begun before it
    *("tests/dashboard/test_browser", "tests/examples/", "tests/nodes/", "tests/cli/test_dev", "tests/crash/"),
    *("tests/official_sdk/", "tests/simulation/"),
)
"""Tests that wait for processes, or are long in themselves."""


# Where the tests run in the background it may be ignored, and would be in each process that they start, and send one.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones, so that at the end nobody waits for a few of them that have only just begun."""
    items.sort(key=lambda item: next((place for place, name in enumerate(LONG) if name in item.nodeid), len(LONG)))


def pytest_collection_finish() -> None:
    """What has been imported and collected by now stays until the end, so no collection of garbage need look at it."""
    gc.freeze()
