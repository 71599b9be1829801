"""A worker's turn: its reports, its wish for runs, what it must stop (docs/reference/worker-protocol.md)."""

import asyncio
import re
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from app.connections import seal_auth
from app.service import Service
from app.web import bodies, newruns
from app.web.caller import Caller, CallerDep, ServiceDep, read_body
from app.web.docs import body_of
from app.web.hand_outs import RunBody, runs_of
from domain import commands
from domain.attempts import RESOLVER_REPORTS, Report
from domain.commands import Cancel, RefusedReport, TurnAnswer
from domain.errors import InvalidInput, KeyMissing
from domain.events import RunError

router = APIRouter(tags=["workers"])
WAIT_MS_MAX = 20_000
WANT_MAX = 1_000
OUTPUT_MAX_BYTES = 10_485_760
TURN_MAX_BYTES = 67_108_864
SESSION = re.compile(r"worker_[0-9A-Za-z]{1,57}")
KINDS = frozenset({"started", "succeeded", "failed", "crashed", "released", *RESOLVER_REPORTS})


class AnswerBody(Struct):
    """What a turn is answered."""

    sequence: int
    runs: list[RunBody]
    cancels: tuple[Cancel, ...]
    refused: tuple[RefusedReport, ...]


@router.post("/worker/v1/turn", openapi_extra=body_of("TurnRequest"))
async def turn(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Report what happened, ask for runs, learn of cancels."""
    body = bodies.decode(await read_body(request, TURN_MAX_BYTES), bodies.TurnBody)
    command = _command_of(body, caller, service)
    future = service.loop.ask(command)
    wait_ms = min(body.wait_ms, WAIT_MS_MAX, service.lease_ms * 2 // 3)
    if wait_ms > 0 and not await _in_time(request, future, wait_ms):
        origin: dict[str, Any] = {"environment": command.environment, "actor": command.actor, "cause": command.cause}
        await service.loop.submit(
            commands.EndTurn(session=body.session, sequence=body.sequence, at=service.clock.now().wall, **origin)
        )
    answer: TurnAnswer = await future
    runs = await runs_of(answer, caller, service)
    return Response(
        msgspec.json.encode(AnswerBody(answer.sequence, runs, answer.cancels, answer.refused)),
        media_type="application/json",
    )


async def _in_time(request: Request, future: "asyncio.Future[Any]", wait_ms: int) -> bool:
    """Wait for the answer. False when the time is up, or when nobody is there any more to hear it."""
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({future, gone}, timeout=wait_ms / 1_000, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    return future.done()


def _command_of(body: bodies.TurnBody, caller: Caller, service: Service) -> commands.Turn:
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
        report, more = _report_of(said)
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
        machines=tuple(map(newruns.known_machine, body.machines)) if body.machines is not None else None,
        blobs=blobs,
    )


def _report_of(said: bodies.ReportBody) -> tuple[Report, dict[str, bytes]]:
    error = said.error.as_error() if said.error else None
    try:
        output, ref, blobs = newruns.stored(said.output, f"{said.run}/output/{said.token}", OUTPUT_MAX_BYTES, "output")
    except InvalidInput as refusal:
        # The run ends with that sentence; to refuse the turn would only have it sent again.
        unusable = RunError(str(refusal), "InvalidOutput")
        return Report(said.run, said.token, "failed", said.at, error=unusable, retryable=False), {}
    return (
        Report(said.run, said.token, said.kind, said.at, output, ref, said.output_type, error, said.retryable),
        blobs,
    )


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
