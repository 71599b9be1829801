"""Columns of a batch as PostgreSQL's binary arrays, made in one go: psycopg looks at each element on its own.

The format is that of `array_send` in PostgreSQL's arrayfuncs.c: dimensions, whether there are nulls, the oid of the
elements, length, lower bound; then each element behind its length, or -1 for null.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import TypeAlias, TypeVar, cast

import psycopg
from psycopg import pq
from psycopg.abc import Buffer
from psycopg.adapt import Dumper

_HEADER = Struct(">iiIii")
_LENGTH = Struct(">i").pack
_BIGINT = Struct(">iq").pack
_NULL = _LENGTH(-1)
_BOOLS = {None: _NULL, True: _LENGTH(1) + b"\1", False: _LENGTH(1) + b"\0"}
_SHORT_MAX = 1_024
_SHORT = [_LENGTH(length) for length in range(_SHORT_MAX)]
_BOOL, _BYTEA, _INT8, _TEXT = 16, 17, 20, 25
T = TypeVar("T")


class Texts(bytes):
    """A `text[]`."""


class Blobs(bytes):
    """A `bytea[]`."""


class Bigints(bytes):
    """A `bigint[]`."""


class Bools(bytes):
    """A `boolean[]`."""


Array: TypeAlias = Texts | Blobs | Bigints | Bools


def texts(column: Sequence[str | None]) -> Texts:
    """A column of text."""
    return Texts(_array(_TEXT, column, _parts_of_texts))


def blobs(column: Sequence[bytes | None]) -> Blobs:
    """A column of bytes."""
    return Blobs(_array(_BYTEA, column, _parts))


def bigints(column: Sequence[int | None]) -> Bigints:
    """A column of whole numbers."""
    return Bigints(_array(_INT8, column, lambda part: [_NULL if item is None else _BIGINT(8, item) for item in part]))


def bools(column: Sequence[bool | None]) -> Bools:
    """A column of truths."""
    return Bools(_array(_BOOL, column, lambda part: [_BOOLS[item] for item in part]))


def _array(element: int, column: Sequence[T], parts_of: Callable[[Sequence[T]], list[bytes]]) -> bytes:
    length = len(column)
    if not length:
        return _HEADER.pack(0, 1, element, 0, 1)[:12]
    header = _HEADER.pack(1, 1, element, length, 1)
    if length > 1 and column[0] == column[-1] and column.count(column[0]) == length:
        # What all runs of a batch have in common is encoded once.
        return header + b"".join(parts_of(column[:1])) * length
    return b"".join([header, *parts_of(column)])


def _parts_of_texts(column: Sequence[str | None]) -> list[bytes]:
    try:
        items = list(map(str.encode, cast("Sequence[str]", column)))
    except TypeError:
        return _parts([item if item is None else item.encode() for item in column])
    return _parts(items)


def _parts(items: Sequence[bytes | None]) -> list[bytes]:
    try:
        lengths = list(map(len, cast("Sequence[bytes]", items)))
    except TypeError:
        return [_NULL if item is None else _LENGTH(len(item)) + item for item in items]
    parts = [b""] * (2 * len(items))
    parts[::2] = [_SHORT[length] if length < _SHORT_MAX else _LENGTH(length) for length in lengths]
    parts[1::2] = cast("Sequence[bytes]", items)
    return parts


class _Dumper(Dumper):
    """What is bytes already is sent as it is."""

    format = pq.Format.BINARY

    def dump(self, obj: bytes) -> Buffer | None:
        return obj


class _TextsDumper(_Dumper):
    oid = 1009


class _BlobsDumper(_Dumper):
    oid = 1001


class _BigintsDumper(_Dumper):
    oid = 1016


class _BoolsDumper(_Dumper):
    oid = 1000


for _array_type, _dumper in (
    (Texts, _TextsDumper),
    (Blobs, _BlobsDumper),
    (Bigints, _BigintsDumper),
    (Bools, _BoolsDumper),
):
    psycopg.adapters.register_dumper(_array_type, _dumper)
