"""What `make test` begins with."""

from dataclasses import dataclass
from typing import cast

import pytest

from tests.conftest import pytest_collection_modifyitems


@dataclass
class Named:
    nodeid: str


def test_the_longest_test_is_begun_first_and_the_short_ones_last() -> None:
    longest = "tests/nodes/test_random_kills.py::test_every_accepted_run_ends_once_whoever_is_killed"
    names = ["tests/app/test_auth.py::test_a", "tests/crash/test_random_kills.py::test_b", longest]
    items = [Named(name) for name in [*names, "tests/dashboard/test_browser.py::test_c"]]

    pytest_collection_modifyitems(cast("list[pytest.Item]", items))

    assert [item.nodeid for item in items] == [longest, "tests/dashboard/test_browser.py::test_c", names[1], names[0]]
