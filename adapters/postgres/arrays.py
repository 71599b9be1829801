"""Columns of a batch as PostgreSQL's binary arrays, made in one go: psycopg looks at each element on its own.

The format is that of `array_send` in PostgreSQL's arrayfuncs.c: dimensions, whether there are nulls, the oid of the
elements, length, lower bound; then each element behind its length, or -1 for null.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import TypeAlias

import psycopg
from psycopg import pq
from psycopg.abc import Buffer
from psycopg.adapt import Dumper

_HEADER = Struct(">iiIii")
_LENGTH = Struct(">i").pack
_BIGINT = Struct(">iq").pack
_NULL = _LENGTH(-1)
_BOOLS = {None: _NULL, True: _LENGTH(1) + b"\1", False: _LENGTH(1) + b"\0"}
_BOOL, _BYTEA, _INT8, _TEXT = 16, 17, 20, 25


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
    return Texts(_array(_TEXT, len(column), _parts(item if item is None else item.encode() for item in column)))


def blobs(column: Sequence[bytes | None]) -> Blobs:
    """A column of bytes."""
    return Blobs(_array(_BYTEA, len(column), _parts(column)))


def bigints(column: Sequence[int | None]) -> Bigints:
    """A column of whole numbers."""
    return Bigints(_array(_INT8, len(column), [_NULL if item is None else _BIGINT(8, item) for item in column]))


def bools(column: Sequence[bool | None]) -> Bools:
    """A column of truths."""
    return Bools(_array(_BOOL, len(column), [_BOOLS[item] for item in column]))


def _parts(items: Iterable[bytes | None]) -> list[bytes]:
    parts: list[bytes] = []
    for item in items:
        if item is None:
            parts.append(_NULL)
        else:
            parts.append(_LENGTH(len(item)))
            parts.append(item)
    return parts


def _array(element: int, length: int, parts: list[bytes]) -> bytes:
    dimensions = 1 if length else 0
    header = _HEADER.pack(dimensions, 1, element, length, 1)
    return b"".join([header, *parts]) if length else header[:12]


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
