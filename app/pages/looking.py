"""Pages of runs: what no index finds is looked for as far back as can be done at once, and further if one asks."""

import asyncio
from typing import NamedTuple

from app.pages.api import Answer
from app.pages.filters import FIELDS, Asked
from app.pages.visits import Visit

INDEXED = (frozenset({"task", "status"}), frozenset({"queue"}), frozenset({"tag"}))
"""What an index finds together; for anything else runs may have to be looked at one by one."""
NARROWED = frozenset({"batch", "schedule", "bulk", "period", "from", "to"})
"""What leaves few to look at, or says how far back one wants to look."""
STEP = 4
HOURS = (1, 4, 16, 64, 256, 1_024)
SECONDS = 0.1


class Looked(NamedTuple):
    """A page of runs; `since` says how far back was looked for them, and is nothing if that is all the way."""

    answer: Answer
    since: str


async def look(visit: Visit, asked: Asked) -> Looked:
    """The page that is asked for. Raises ApiError."""
    wanted = asked.filter.keys()
    if any(wanted <= indexed for indexed in INDEXED) or wanted & NARROWED or asked.cursor:
        return Looked(await visit.api.ask("/api/v1/runs", asked.parameters), "")
    clock = asyncio.get_running_loop().time
    for hours in HOURS:
        began = clock()
        answer = await visit.api.ask("/api/v1/runs", asked.parameters | {FIELDS["period"]: f"{hours}h"})
        if "next" in answer.data["pagination"]:
            return Looked(answer, "")
        # The next look is as many times as far, and takes as many times as long where runs come steadily.
        if (clock() - began) * STEP > SECONDS:
            return Looked(answer, f"{hours}h")
    return Looked(await visit.api.ask("/api/v1/runs", asked.parameters), "")
