"""The history of a run, or as much of it as there was at a moment."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query

from app.reader import Reader
from app.web.caller import Caller, history_of
from app.web.errors import Malformed
from domain import durations
from domain.errors import InvalidInput, NotFound
from domain.events import Recorded

AsOf = Annotated[
    str | None, Query(alias="asOf", description="A position of the ledger, or an ISO 8601 date: the run as it was.")
]


async def history_until(as_of: str | None, run: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    """The events that a run had then, None: now. Raises NotFound."""
    history = await history_of(run, reader, caller)
    if as_of is None:
        return history
    history = _until(history, as_of)
    if not history:
        raise NotFound(f"Run {run} did not exist yet.")
    return history


def _until(history: Sequence[Recorded], as_of: str) -> Sequence[Recorded]:
    if as_of.isascii() and as_of.isdigit() and len(as_of) <= 18:
        return [each for each in history if each.position <= int(as_of)]
    try:
        moment = durations.parse_date(as_of)
    except InvalidInput as error:
        raise Malformed(f"asOf is a position of the ledger or an ISO 8601 date, not {as_of[:40]!r}.") from error
    return [each for each in history if each.recorded_at <= moment]
