"""What is said of a run that somebody asks about."""

from typing import Any

from msgspec import Struct

NAMED_MAX = 10
"""How many runs or workers a sentence names; the data has as many."""


class Explanation(Struct, frozen=True):
    """`reason` is one word for programs, `data` what the sentence says, with moments in ISO 8601."""

    reason: str
    sentence: str
    data: dict[str, Any]


def named(names: list[str], last: str = "and") -> str:
    """Names in a sentence, as many as it bears."""
    more = len(names) - NAMED_MAX
    shown = [*names[:NAMED_MAX], f"{more} more"] if more > 0 else names
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}" if len(shown) > 1 else "".join(shown)
