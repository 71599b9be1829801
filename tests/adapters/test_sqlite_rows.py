"""Many rows by few statements: each row is there, whatever their number is divided into."""

import sqlite3
from collections.abc import Generator
from contextlib import closing

import pytest

from adapters.sqlite.rows import CHUNKS, insert


@pytest.fixture
def connection() -> Generator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as opened:
        yield opened


@pytest.mark.parametrize("count", [0, 1, *(size + more for size in CHUNKS for more in (-1, 0, 1)), 2 * CHUNKS[0] + 13])
def test_each_row_is_inserted_once_and_in_order(count: int, connection: sqlite3.Connection) -> None:
    connection.execute("create table numbers (at integer primary key autoincrement, number integer, twice integer)")
    rows = [(number, 2 * number) for number in range(count)]

    insert(connection.cursor(), "insert into numbers (number, twice) values {rows}", iter(rows))

    assert connection.execute("select number, twice from numbers order by at").fetchall() == rows


def test_what_is_refused_is_told(connection: sqlite3.Connection) -> None:
    connection.execute("create table numbers (number integer primary key)")

    with pytest.raises(sqlite3.IntegrityError):
        insert(connection.cursor(), "insert into numbers (number) values {rows}", [(1,), (2,), (1,)])
