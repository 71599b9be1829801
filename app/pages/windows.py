"""Parts of what a run has too much of for one page, and the addresses of the parts before and behind."""

from typing import NamedTuple
from urllib.parse import urlencode

from app.pages.visits import Visit
from app.pages.words import segment

STEPS, LINES = "steps", "lines"
KEPT = ("moment", "event", STEPS, LINES)
"""What the address of a run says of how it is shown."""
DIGITS_MAX = 9


class Window(NamedTuple):
    """What is shown: from the `first` to the `last`, counted from 1. An address is nothing where there is no more."""

    first: int
    last: int
    total: int
    earlier: str
    later: str

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return not (self.earlier or self.later)


def window(visit: Visit, name: str, total: int, size: int) -> Window:
    """The last `size` up to the one that the address names; the last of all if it names none."""
    last = max(min(number_of(visit.query(name)) or total, total), min(size, total))
    first = max(1, last - size + 1)
    return Window(
        first,
        last,
        total,
        address(visit, **{name: str(first - 1)}) if first > 1 else "",
        address(visit, **{name: str(last + size) if last + size < total else ""}) if last < total else "",
    )


def address(visit: Visit, **changes: str) -> str:
    """The address of the same run with some parts of the query changed, or taken away."""
    query = query_of(visit, **changes)
    return f"/runs/{segment(visit.request.path_params['run'])}" + (f"?{query}" if query else "")


def query_of(visit: Visit, **changes: str) -> str:
    """What is kept of the query of a run."""
    kept = {name: changes.get(name, visit.query(name)) for name in KEPT}
    return urlencode({name: value for name, value in kept.items() if value})


def number_of(text: str) -> int | None:
    """A number that an address names; None if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else None
