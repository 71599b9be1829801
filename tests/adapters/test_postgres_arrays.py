"""Arrays that we write ourselves arrive as those that psycopg writes."""

from collections.abc import Generator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from adapters.postgres.arrays import bigints, blobs, bools, texts
from tests.postgres import database_url

QUERY = "select %b::text[], %b::bytea[], %b::bigint[], %b::boolean[]"
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def connection() -> Generator[Connection[Any]]:
    with psycopg.connect(database_url(), autocommit=True) as connection:
        yield connection


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.none() | TEXT),
    st.lists(st.binary()),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.none() | st.booleans()),
)
def test_what_is_sent_comes_back(
    connection: Connection[Any],
    words: list[str | None],
    values: list[bytes],
    numbers: list[int | None],
    truths: list[bool | None],
) -> None:
    sent = [texts(words), blobs(values), bigints(numbers), bools(truths)]

    assert connection.execute(QUERY, sent, binary=True).fetchone() == (words, values, numbers, truths)
