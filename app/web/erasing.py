"""Routes that erase what runs hold, tell the receipts of that, and say how long runs are kept."""

from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import Response

from app.engine.reader import Reader
from app.history.past import environment_then
from app.history.receipts import receipt_of
from app.keeping.tagged import Tagged, tagged_in_segments
from app.service import Service
from app.web import bodies
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, origin_of, read_body
from app.web.docs import body_of
from app.web.history import AsOf, moment_asked
from app.web.paging import lag_of
from app.web.routing import room
from app.web.triggering import json
from domain.commands import SetRetention
from domain.erasure import ERASURE
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.status import FINAL
from projections.filters import RunFilter

router = room("erasures")


class Found(NamedTuple):
    """Runs with a tag, as many as one request erases; `unreadable` says which segments could not be searched."""

    ended: list[str]
    open: list[str]
    unreadable: list[str]
    next: str | None


BEFORE_SEGMENTS = f"{ERASURE}_"
"""The `after` of all segments, which are named as the erasures by which runs went there."""
RUNS_MAX = 100
"""How many runs one request erases at most; of a tag that has more, `next` says where to go on."""
BODY_MAX_BYTES = 65_536


@router.post("/api/v1/runs/{run}/erase", openapi_extra=body_of("EraseRequest"))
async def erase_run(run: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Erase what a finished run holds: payload, output, results, errors, metadata and logs. Answers the receipt."""
    content = await read_body(request, BODY_MAX_BYTES)
    body = bodies.decode(content, bodies.EraseBody) if content else bodies.EraseBody()
    return json(await _erased(service, caller, [run], with_names=body.with_names))


@router.post("/api/v1/erasures", openapi_extra=body_of("EraseManyRequest"))
async def erase_runs(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Erase these finished runs, or those with a tag, the newest first, then archived ones.

    `open` are those that have not ended yet; `unreadable`, if there is any, says which segments could not be searched.
    """
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.EraseManyBody)
    if (body.run_ids is None) == (body.tag is None):
        raise InvalidInput("What is to be erased is named either by runIds or by a tag.")
    if body.run_ids is not None:
        if not 1 <= len(body.run_ids) <= RUNS_MAX:
            raise InvalidInput(f"An erasure names 1 to {RUNS_MAX} runs; this one names {len(body.run_ids)}.")
        return json({"receipt": await _erased(service, caller, body.run_ids, with_names=body.with_names), "open": []})
    found = await _with_tag(service, caller, body.tag or "", body.after or "")
    answer: dict[str, Any] = {"open": found.open}
    answer["receipt"] = await _erased(service, caller, found.ended, with_names=body.with_names) if found.ended else None
    answer |= {"unreadable": found.unreadable} if found.unreadable else {}
    answer |= {"next": found.next} if found.next is not None else {}
    return json(answer)


@router.get("/api/v1/erasures/{erasure}")
async def retrieve(erasure: str, reader: ReaderDep, caller: CallerDep) -> Response:
    """The receipt of an erasure, for whoever is to sign it."""
    return json(await _receipt(reader, caller, erasure))


@router.get("/api/v1/retention")
async def retrieve_retention(service: ServiceDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """After how many days runs that have ended leave, or left, the database for segments; null: they stay.

    The folder is a setting of the engine, as it is now.
    """
    then = await moment_asked(as_of, service)
    if then is not None:
        past = await service.read(environment_then, service.ledger, caller.environment.id, then)
        return _told(service, past.retention_days)
    return await _retention(service, caller)


@router.put("/api/v1/retention", openapi_extra=body_of("RetentionRequest"))
async def set_retention(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Let runs leave the database so many days after their end, or never."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.RetentionBody)
    if body.days is not None and service.retention.folder is None:
        raise NotAllowed("There is no folder for segments: set RUNFOLD_SEGMENTS_FOLDER, and start the engine again.")
    await service.loop.submit(SetRetention(days=body.days, **origin_of(service, caller)))
    return await _retention(service, caller)


async def _with_tag(service: Service, caller: Caller, tag: str, after: str) -> Found:
    """A page of the runs with a tag: those in the database first, then the archived ones, one segment a page."""
    if after.startswith(BEFORE_SEGMENTS):
        tagged = await _archived(service, caller, tag, after)
        return Found(tagged.runs, [], tagged.unreadable, tagged.next)
    await lag_of(service)
    wanted = RunFilter(tags=(tag,))
    rows, has_more = await service.read(
        lambda: service.read_models.list_runs(caller.environment.id, wanted, RUNS_MAX, after=after or None)
    )
    ended = [row.id for row in rows if row.status in FINAL]
    is_open = [row.id for row in rows if row.status not in FINAL]
    if has_more:
        return Found(ended, is_open, [], rows[-1].id)
    tagged = await _archived(service, caller, tag, BEFORE_SEGMENTS)
    together = list(dict.fromkeys((*ended, *tagged.runs)))
    if len(together) > RUNS_MAX:
        return Found(ended, is_open, [], BEFORE_SEGMENTS)
    return Found(together, is_open, tagged.unreadable, tagged.next)


async def _archived(service: Service, caller: Caller, tag: str, after: str) -> Tagged:
    return await service.read(tagged_in_segments, service.ledger, service.segments, caller.environment.id, tag, after)


async def _retention(service: Service, caller: Caller) -> Response:
    await service.loop.settled(caller.environment.id)
    environment = service.loop.engine.memory.environment(caller.environment.id)
    return _told(service, environment.retention_days if environment else None)


def _told(service: Service, days: int | None) -> Response:
    folder = service.retention.folder
    return json({"days": days, "folder": None if folder is None else str(folder)})


async def _erased(service: Service, caller: Caller, runs: list[str], *, with_names: bool) -> Any:
    erasure = await service.erasures.erase(runs, origin_of(service, caller), with_names=with_names)
    # What was erased before stays so, and has its receipt.
    return None if erasure is None else await _receipt(service, caller, erasure)


async def _receipt(reader: Reader, caller: Caller, erasure: str) -> Any:
    history = await reader.history(erasure) if erasure.startswith(f"{ERASURE}_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Erasure {erasure[:60]} not found.")
    return await reader.read(receipt_of, history, reader.ledger)
