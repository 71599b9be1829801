"""The moment that pages look at: now, or one of the past, at which nothing can be done any more."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from app.engine.reader import Reader
from app.history.moments import moment_of
from domain.durations import iso
from domain.errors import InvalidInput

FIELD = "moment"


class Look(NamedTuple):
    """What was asked for, nothing for now; where that is among the events of the ledger, and when that was."""

    text: str
    position: int
    wall: int
    head: int

    @property
    def is_past(self) -> bool:
        """Whether a moment was asked for: nothing on such a page changes anything, and nothing follows what happens."""
        return bool(self.text)

    @property
    def as_of(self) -> dict[str, str]:
        """The part of a query of the API."""
        return {"asOf": self.text} if self.text else {}

    @property
    def time(self) -> str:
        """When that was."""
        return iso(self.wall)

    def to(self, path: str, parameters: Mapping[str, Any] | None = None) -> str:
        """The address of another page, or of another part of this one, at the same moment."""
        query = self.query(parameters or {})
        return f"{path}?{query}" if query else path

    def query(self, parameters: Mapping[str, Any]) -> str:
        """The query of such an address."""
        return urlencode({**parameters, **({FIELD: self.text} if self.text else {})})


NOW = Look("", 0, 0, 0)
"""What pages look at that nobody may turn to another moment."""


async def look_at(text: str, reader: Reader) -> Look:
    """The moment that an address names. Raises InvalidInput."""
    head = await reader.head()
    if not text:
        return Look("", head, reader.clock.now().wall, head)
    try:
        moment = await moment_of(text, reader)
    except InvalidInput as error:
        raise InvalidInput(f"A moment is a position of the ledger or an ISO 8601 date, not {text[:40]!r}.") from error
    return Look(text, moment.position, moment.wall, head)
