"""A worker's turn: its reports, its wish for runs, what it must stop (docs/reference/worker-protocol.md)."""

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request
from fastapi.responses import Response
from msgspec import UNSET, Raw

from app.history.journal import page_of
from app.history.outcomes import of_those, outcomes_of
from app.names import known_machine, named
from app.service import Service
from app.turns.answer import AnswerBody, WokenBody
from app.turns.hand_outs import give_up, runs_of, with_secrets
from app.values import stored
from app.vault.connections import seal_auth
from app.web import bodies
from app.web.caller import FORWARDED, Caller, CallerDep, ServiceDep, history_of, read_body
from app.web.docs import body_of
from app.web.logs import lines_of
from app.web.routing import room
from app.web.staying import Stay
from domain import builtin, commands
from domain.attempts import REPORTS, RESOLVER_REPORTS, Report
from domain.commands import TurnAnswer, Woken
from domain.errors import InvalidInput, KeyMissing, LedgerCorrupt, NotFound
from domain.events import RunError
from domain.journal import JOURNAL_REPORTS, Journaled
from domain.logs import LOGGED

router = room("workers")
WAIT_MS_MAX = 20_000
WANT_MAX = 1_000
OUTPUT_MAX_BYTES = 10_485_760
TURN_MAX_BYTES = 67_108_864
SESSION = re.compile(r"worker_[0-9A-Za-z]{1,57}")
TARGETS_MAX = 1_000
NODE_MAX = 200
KINDS = frozenset({"started", LOGGED, *REPORTS, *JOURNAL_REPORTS, *RESOLVER_REPORTS})


@router.post("/worker/v1/turn", openapi_extra=body_of("TurnRequest"))
async def turn(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Report what happened, ask for runs, learn of cancels."""
    body = bodies.decode(await read_body(request, TURN_MAX_BYTES), bodies.TurnBody)
    command = _command_of(body, caller, service, _node_of(request))
    future = service.loop.ask(command)
    wait_ms = min(body.wait_ms, WAIT_MS_MAX, service.lease_ms * 2 // 3)
    if wait_ms > 0 and not await _in_time(request, future, wait_ms, service, caller):
        origin: dict[str, Any] = {"environment": command.environment, "actor": command.actor, "cause": command.cause}
        await service.loop.submit(
            commands.EndTurn(session=body.session, sequence=body.sequence, at=service.clock.now().wall, **origin)
        )
    answer: TurnAnswer = await future
    if wait_ms > 0:
        # What was handed out to a key that is revoked meanwhile goes back when the session's lease is over.
        Stay(caller, service).check()
    runs = await runs_of(answer, caller.environment, service)
    if body.version == builtin.VERSION:
        runs = with_secrets(runs, caller.environment.id, service)
    woken = await _woken_of(answer, service) if answer.woken else ()
    return Response(
        msgspec.json.encode(AnswerBody(answer.sequence, runs, answer.cancels, answer.refused, woken)),
        media_type="application/json",
    )


@router.get("/worker/v1/runs/{run}/journal")
async def journal(
    run: str,
    service: ServiceDep,
    caller: CallerDep,
    after: Annotated[int, Query(ge=-1, le=2**53, description="The index behind which to begin; all if left out.")] = -1,
) -> Response:
    """The entries of a run's journal behind an index, as many as one page takes. A run that has lost some is ended."""
    history = await history_of(run, service, caller)
    try:
        entries = await service.read(page_of, service.ledger, history, after)
    except LedgerCorrupt as error:
        # Its worker would ask for it again and again.
        await give_up(run, str(error), caller.environment.id, service)
        raise NotFound(f"Run {run} cannot go on: {error}") from error
    return Response(msgspec.json.encode({"entries": entries}), media_type="application/json")


def _node_of(request: Request) -> str:
    """The address at which the worker found a node, also if that sent the turn on."""
    found_at = (
        request.headers.get(FORWARDED) or f"{request.scope.get('scheme', 'http')}://{request.headers.get('host', '')}"
    )
    return found_at.rstrip("/")[:NODE_MAX]


async def _woken_of(answer: TurnAnswer, service: Service) -> tuple[WokenBody, ...]:
    done = [name for woken in answer.woken for name in woken.completed.done]
    told = await service.read(outcomes_of, service.ledger, done) if done else {}
    return tuple(_woken_body(woken, told) for woken in answer.woken)


def _woken_body(woken: Woken, told: Mapping[str, Raw]) -> WokenBody:
    run, token, ended = woken.run, woken.token, woken.completed
    results = of_those(ended.done, told) or UNSET
    return WokenBody(run, token, ended.wait, ended.done, ended.is_timed_out, ended.unknown, results)


async def _in_time(
    request: Request, future: "asyncio.Future[Any]", wait_ms: int, service: Service, caller: Caller
) -> bool:
    """Wait for the answer. False when the time is up, or when nobody is there any more who may hear it."""
    gone = asyncio.ensure_future(request.receive())
    try:
        with service.watching.revoked(caller.sha256) as revoked:
            ends = {future, gone, revoked}
            await asyncio.wait(ends, timeout=wait_ms / 1_000, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    return future.done()


def _command_of(body: bodies.TurnBody, caller: Caller, service: Service, node: str) -> commands.Turn:
    if not SESSION.fullmatch(body.session):
        raise InvalidInput("A session is worker_ and 1 to 57 letters and digits.")
    reports: list[Report] = []
    blobs: dict[str, bytes] = {}
    for said in body.reports:
        if said.kind not in KINDS:
            raise InvalidInput(
                f"There is no report of the kind {said.kind[:40]!r}; kinds are {', '.join(sorted(KINDS))}."
            )
        if said.kind in RESOLVER_REPORTS:
            reports.append(_answer_of(said, caller.environment.id, service))
            continue
        if said.kind == LOGGED:
            lines = lines_of(said.lines, service.clock.now().wall)
            reports.append(Report(said.run, said.token, LOGGED, said.at, lines=lines, first=said.first))
            continue
        report, more = _report_of(said, service.clock.now().wall)
        reports.append(report)
        blobs |= more
    return commands.Turn(
        environment=caller.environment.id,
        actor=f"worker:{body.session}",
        cause=f"turn:{body.sequence}",
        at=service.clock.now().wall,
        session=body.session,
        version=body.version,
        sequence=body.sequence,
        received=body.received,
        want=min(body.want, WANT_MAX),
        patient=body.wait_ms > 0,
        holds=tuple(body.holds) if body.holds is not None else None,
        reports=tuple(reports),
        machines=tuple(map(known_machine, body.machines)) if body.machines is not None else None,
        waits=body.waits,
        name=None if body.name is None else named(body.name, "worker name"),
        node=node,
        leaving=body.leaving,
        blobs=blobs,
    )


def _report_of(said: bodies.ReportBody, now: int) -> tuple[Report, dict[str, bytes]]:
    error = said.error.as_error() if said.error else None
    journaled = _journaled(said, now) if said.kind in JOURNAL_REPORTS else None
    place = f"step/{said.entry.index}" if said.entry else f"output/{said.token}"
    try:
        output, ref, blobs = stored(said.output, f"{said.run}/{place}", OUTPUT_MAX_BYTES, "output")
    except InvalidInput as refusal:
        # The run ends with that sentence; to refuse the turn would only have it sent again.
        unusable = RunError(str(refusal), "InvalidOutput")
        return Report(said.run, said.token, "failed", said.at, error=unusable, retryable=False), {}
    return (
        Report(
            said.run,
            said.token,
            said.kind,
            said.at,
            output,
            ref,
            said.output_type,
            error,
            said.retryable,
            journaled=journaled,
            retry_in_ms=said.retry_in_ms,
            began=said.began,
        ),
        blobs,
    )


def _journaled(said: bodies.ReportBody, now: int) -> Journaled:
    if len(said.targets) > TARGETS_MAX:
        raise InvalidInput(f"A wait has at most {TARGETS_MAX} targets; this one has {len(said.targets)}.")
    entry = said.entry.as_entry() if said.entry else None
    # A duration is told by the engine's clock, as the end of it will be.
    until = said.until if said.for_ms is None else now + said.for_ms
    return Journaled(entry, said.runs, said.batch, said.targets, said.is_any, until, said.waits, said.cached)


def _answer_of(said: bodies.ReportBody, environment: str, service: Service) -> Report:
    """What an auth resolver said, sealed: whoever it found is nobody else's business."""
    error = said.error.as_error() if said.error else None
    sealed = None
    if said.kind == "authorized" and bytes(said.output):
        try:
            sealed = seal_auth(service, environment, said.run, said.output)
        except (InvalidInput, KeyMissing) as refusal:
            # The run ends with that sentence; to refuse the turn would only have it sent again.
            error = RunError(str(refusal), "UnresolvedAuth")
    return Report(said.run, said.token, said.kind, said.at, error=error, sealed=sealed)
