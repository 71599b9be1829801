"""What the code of runs logs: how workers report it, and how it is read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query
from fastapi.responses import Response
from msgspec import Raw

from app.web import bodies
from app.web.caller import CallerDep, ReaderDep
from app.web.history import AsOf, history_until
from app.web.routing import room
from app.web.triggering import json
from domain.durations import iso
from domain.events import NOTHING, AttemptStarted, LogLine, Recorded, RunLogged
from domain.nesting import is_too_deep

router = room("runs")
MESSAGE_MAX = 8_192
ATTRIBUTES_MAX_BYTES = 8_192
LEVELS = ("debug", "info", "warning", "error")

Level = Annotated[Literal["debug", "info", "warning", "error"], Query(description="Only lines of this level or above.")]
After = Annotated[int, Query(ge=-1, le=2**53, description="Only lines behind the one of this index.")]


@router.get("/api/v1/runs/{run}/logs")
async def logs(
    run: str,
    reader: ReaderDep,
    caller: CallerDep,
    after: After = -1,
    level: Level = "debug",
    as_of: AsOf = None,
) -> Response:
    """The lines that the code of a run logged, in order, or had logged by a moment."""
    history = await history_until(as_of, run, reader, caller)
    at_least = LEVELS.index(level)
    shown = [line for line in _lines(history) if line["index"] > after and LEVELS.index(line["level"]) >= at_least]
    return json({"lines": shown})


def lines_of(said: Iterable[bodies.LineBody], now: int) -> tuple[LogLine, ...]:
    """The lines of a report, cut where they are too long; attributes that are no object, or too large, are left out."""
    return tuple(
        # A worker whose clock is off must not report from the future.
        LogLine(max(0, min(each.at, now)), each.level, each.message[:MESSAGE_MAX], _attributes(each))
        for each in said
    )


def _attributes(line: bodies.LineBody) -> Raw:
    text = bytes(line.attributes)
    if not text.lstrip().startswith(b"{") or len(text) > ATTRIBUTES_MAX_BYTES or is_too_deep(text):
        return NOTHING
    try:
        # What only some can read would take the whole answer with it.
        return Raw(msgspec.json.encode(msgspec.json.decode(text)))
    except msgspec.DecodeError:
        return NOTHING


def _lines(history: Sequence[Recorded]) -> Iterator[dict[str, Any]]:
    index = attempt = 0
    for recorded in history:
        match recorded.event:
            case AttemptStarted(number=number):
                attempt = number
            case RunLogged(lines=lines):
                for line in lines:
                    shown = {"index": index, "at": iso(line.at), "level": line.level, "message": line.message}
                    more = {} if line.attributes == NOTHING else {"attributes": line.attributes}
                    yield shown | {"attempt": attempt} | more
                    index += 1
            case _:
                continue
