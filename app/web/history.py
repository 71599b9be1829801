"""The history of a run, or as much of it as there was at a moment."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query

from app.engine.reader import Reader
from app.history.moments import Moment, moment_of
from app.keeping.archived import told_of
from app.web.caller import Caller
from app.web.errors import Malformed
from domain.errors import InvalidInput, NotFound
from domain.events import Recorded

AS_OF = "asOf"
WHAT_IT_IS = "A position of the ledger, milliseconds since 1970 or an ISO 8601 date: everything as it was then."
AsOf = Annotated[str | None, Query(alias=AS_OF, description=WHAT_IT_IS)]


async def moment_asked(as_of: str | None, reader: Reader, name: str = AS_OF) -> Moment | None:
    """The moment that a request asks about, None for now. Raises Malformed."""
    if as_of is None:
        return None
    try:
        return await moment_of(as_of, reader)
    except InvalidInput as error:
        raise Malformed(f"{name} is a position of the ledger or an ISO 8601 date, not {as_of[:40]!r}.") from error


async def position_asked(as_of: str | None, reader: Reader) -> int | None:
    """Where the ledger ended at that moment, None for now. Raises Malformed."""
    moment = await moment_asked(as_of, reader)
    return None if moment is None else moment.position


async def history_until(as_of: str | None, run: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    """The events that a run had then, None: now, or when it was archived. Raises NotFound."""
    return await history_at(await moment_asked(as_of, reader), run, reader, caller)


async def history_at(moment: Moment | None, run: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    """The events that a run had at a moment, None: now, or when it was archived. Raises NotFound."""
    return up_to(moment, (await told_of(run, caller.environment.id, reader)).history, f"Run {run}")


def up_to(moment: Moment | None, history: Sequence[Recorded], what: str) -> Sequence[Recorded]:
    """As much of a history as there was at a moment, None: now. Raises NotFound where there was nothing of it yet."""
    if moment is None:
        return history
    then = [each for each in history if each.position <= moment.position]
    if not then:
        raise NotFound(f"{what} did not exist yet.")
    return then
