"""What is kept of a body that is compressed, also by those who mean no good."""

import gzip
import zlib
from collections.abc import Callable

import pytest

from adapters.http.capture import PREVIEW_MAX_BYTES, Capture

PART = 16_384
ENOUGH = 1_000
"""So many parts are more than is read of any body."""


def raw_deflate(body: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(body) + packing.flush()


def captured(body: bytes, encoding: str = "gzip", size: int = PART) -> Capture:
    capture = Capture("text/plain", encoding)
    for start in range(0, len(body), size):
        capture.feed(body[start : start + size])
    return capture


def fed_until_full(first: bytes, part: bytes, encoding: str = "gzip") -> Capture:
    capture = captured(first, encoding)
    for _ in range(ENOUGH):
        if capture.is_full:
            break
        capture.feed(part)
    return capture


@pytest.mark.parametrize(
    "part",
    [bytes(PART), b"no member" * 1_000, gzip.compress(b"") * 500, b"\0\0\0\xff\xff" * 3_000],
    ids=["zeros", "text", "empty members", "zeros and ones"],
)
def test_what_follows_without_end_behind_a_compressed_body_is_read_as_far_as_a_body_is(part: bytes) -> None:
    capture = fed_until_full(gzip.compress(b"hi"), part)

    assert capture.is_full
    assert capture.received < 5 * PREVIEW_MAX_BYTES
    assert capture.text == "hi"


def test_compressed_blocks_that_say_nothing_are_not_read_without_end() -> None:
    packing = zlib.compressobj(wbits=31)
    first = packing.compress(b"hi") + packing.flush(zlib.Z_SYNC_FLUSH)

    capture = fed_until_full(first, b"\0\0\0\xff\xff" * 3_000)

    assert (capture.is_full, capture.text) == (True, "hi")


@pytest.mark.parametrize("size", [1, 7, PART])
def test_a_body_of_several_members_is_all_of_them(size: int) -> None:
    capture = captured(gzip.compress(b"first ") + gzip.compress(b"second ") + gzip.compress(b"third"), size=size)

    assert (capture.text, capture.is_full) == ("first second third", False)


@pytest.mark.parametrize("size", [1, 7, PART])
def test_what_is_no_member_ends_the_body(size: int) -> None:
    capture = captured(gzip.compress(b"whole") + b"\0\0padding" + gzip.compress(b"never"), size=size)

    assert (capture.text, capture.is_full) == ("whole", False)


def test_members_are_kept_no_further_than_one_body_is() -> None:
    capture = captured(gzip.compress(b"x" * PREVIEW_MAX_BYTES) + gzip.compress(bytes(10_000_000)))

    assert (capture.text, capture.is_full) == ("x" * PREVIEW_MAX_BYTES, True)


@pytest.mark.parametrize("size", [1, 7, PART])
@pytest.mark.parametrize("packed", [raw_deflate, zlib.compress, gzip.compress])
def test_deflate_is_read_with_and_without_its_header(packed: Callable[[bytes], bytes], size: int) -> None:
    body = ("as it is " * 20).encode()

    assert captured(packed(body), "deflate", size).text == body.decode()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_cannot_be_unpacked_is_none(encoding: str) -> None:
    capture = captured(b"\x07 is nothing of the kind", encoding)

    assert (capture.text, capture.is_full) == (None, False)
