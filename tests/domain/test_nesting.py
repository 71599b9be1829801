"""How deep JSON is nested, told by its brackets outside of strings."""

import pytest
from msgspec import json

from domain.nesting import NESTING_MAX, is_too_deep

DEEPEST = b"[" * NESTING_MAX + b"]" * NESTING_MAX


@pytest.mark.parametrize(
    ("text", "is_deep"),
    [
        (DEEPEST, False),
        (b"[" + DEEPEST + b"]", True),
        (b'{"a":' * (NESTING_MAX + 1) + b"1" + b"}" * (NESTING_MAX + 1), True),
        (b"[" + b"[]," * 1_000 + b"1]", False),
        (json.encode("[" * 1_000), False),
        (json.encode('\\"[' * 1_000), False),
        (json.encode(["\\", "[" * 1_000]), False),
        (b"1", False),
    ],
)
def test_only_brackets_outside_of_strings_count(text: bytes, *, is_deep: bool) -> None:
    assert is_too_deep(text) is is_deep
