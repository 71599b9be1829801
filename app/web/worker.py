"""The worker protocol: register and turn (docs/reference/worker-protocol.md)."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Raw, Struct

from app.schemas import check_schema
from app.service import Service
from app.triggered import value_of
from app.web import bodies, newruns
from app.web.caller import Caller, CallerDep, ServiceDep, read_body
from app.web.docs import body_of
from app.web.triggering import json
from domain import commands
from domain.attempts import RESOLVER_REPORTS, Report
from domain.commands import Cancel, HandOut, RefusedReport, TurnAnswer
from domain.environment import Environment
from domain.errors import InvalidInput, LedgerCorrupt
from domain.events import API, NOTHING, Recorded, RunError, RunTriggered, TaskSettings

router = APIRouter(tags=["workers"])
WAIT_MS_MAX = 20_000
WANT_MAX = 1_000
TASKS_MAX = 10_000
CONNECTIONS_MAX = 50
TASK_TIME_MAX_MS = 3_650 * 86_400_000
OUTPUT_MAX_BYTES = 10_485_760
TURN_MAX_BYTES = 67_108_864
SESSION = re.compile(r"worker_[0-9A-Za-z]{1,57}")
KINDS = frozenset({"started", "succeeded", "failed", "crashed", "released", *RESOLVER_REPORTS})


class RunBody(Struct, rename="camel", omit_defaults=True):
    """A run as a worker is given it."""

    id: str
    token: int
    task: str
    attempt: int
    payload_type: str
    queue: str
    created_at: int
    environment: dict[str, str]
    is_test: bool
    tags: tuple[str, ...]
    max_attempts: int
    payload: Raw = NOTHING
    max_duration: int | None = None
    idempotency_key: str | None = None
    batch_id: str | None = None
    traceparent: str | None = None
    kind: str = "attempt"
    """Or auth: the worker is to ask the task's auth resolver."""
    auth: Raw = NOTHING
    connections: dict[str, Raw] = {}
    machine: str | None = None
    priority: int = 0
    concurrency_key: str | None = None
    metadata: Raw = NOTHING
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    source: str = API
    replay_of: str | None = None


class AnswerBody(Struct):
    """What a turn is answered."""

    sequence: int
    runs: list[RunBody]
    cancels: tuple[Cancel, ...]
    refused: tuple[RefusedReport, ...]


@router.post("/worker/v1/register", openapi_extra=body_of("RegisterRequest"))
async def register(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make these tasks the current version of the environment."""
    body = bodies.decode(await read_body(request, TURN_MAX_BYTES), bodies.RegisterBody)
    if not 1 <= len(body.tasks) <= TASKS_MAX or len({task.id for task in body.tasks}) < len(body.tasks):
        raise InvalidInput(f"A worker has 1 to {TASKS_MAX} tasks, each with an id of its own.")
    tasks = tuple(sorted((_checked(task) for task in body.tasks), key=lambda task: task.id))
    now = service.clock.now().wall
    version = await service.loop.submit(
        commands.RegisterVersion(
            environment=caller.environment.id,
            actor=caller.actor,
            cause=caller.cause,
            at=now,
            digest=hashlib.sha256(msgspec.json.encode(tasks)).hexdigest(),
            tasks=tasks,
            day=f"{datetime.fromtimestamp(now / 1_000, UTC):%Y%m%d}",
        )
    )
    wait_ms = min(WAIT_MS_MAX, service.lease_ms * 2 // 3)
    described = describe(caller.environment)
    return json({"version": version, "leaseMs": service.lease_ms, "waitMs": wait_ms, "environment": described})


@router.post("/worker/v1/turn", openapi_extra=body_of("TurnRequest"))
async def turn(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Report what happened, ask for runs, learn of cancels."""
    body = bodies.decode(await read_body(request, TURN_MAX_BYTES), bodies.TurnBody)
    command = _command_of(body, caller, service.clock.now().wall)
    future = service.loop.ask(command)
    wait_ms = min(body.wait_ms, WAIT_MS_MAX, service.lease_ms * 2 // 3)
    if wait_ms > 0 and not await _in_time(request, future, wait_ms):
        origin: dict[str, Any] = {"environment": command.environment, "actor": command.actor, "cause": command.cause}
        await service.loop.submit(
            commands.EndTurn(session=body.session, sequence=body.sequence, at=service.clock.now().wall, **origin)
        )
    answer: TurnAnswer = await future
    runs = await _runs_of(answer, caller, service)
    return Response(
        msgspec.json.encode(AnswerBody(answer.sequence, runs, answer.cancels, answer.refused)),
        media_type="application/json",
    )


def describe(environment: Environment) -> dict[str, str]:
    """An environment as workers and clients see it."""
    return {"id": environment.id, "slug": environment.slug, "type": environment.type}


async def _in_time(request: Request, future: "asyncio.Future[Any]", wait_ms: int) -> bool:
    """Wait for the answer. False when the time is up, or when nobody is there any more to hear it."""
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({future, gone}, timeout=wait_ms / 1_000, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    return future.done()


def _command_of(body: bodies.TurnBody, caller: Caller, now: int) -> commands.Turn:
    if not SESSION.fullmatch(body.session):
        raise InvalidInput("A session is worker_ and 1 to 57 letters and digits.")
    reports: list[Report] = []
    blobs: dict[str, bytes] = {}
    for said in body.reports:
        if said.kind not in KINDS:
            raise InvalidInput(
                f"There is no report of the kind {said.kind[:40]!r}; kinds are {', '.join(sorted(KINDS))}."
            )
        report, more = _report_of(said)
        reports.append(report)
        blobs |= more
    return commands.Turn(
        environment=caller.environment.id,
        actor=f"worker:{body.session}",
        cause=f"turn:{body.sequence}",
        at=now,
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


async def _runs_of(answer: TurnAnswer, caller: Caller, service: Service) -> list[RunBody]:
    known = service.triggered.known(hand_out.run for hand_out in answer.runs)
    missing = [hand_out.run for hand_out in answer.runs if hand_out.run not in known]
    if missing:
        known |= await service.read(service.triggered.read, missing)
    environment = describe(caller.environment)
    runs: list[RunBody] = []
    for hand_out in answer.runs:
        recorded = known[hand_out.run]
        assert isinstance(recorded.event, RunTriggered), "a run begins with its trigger"
        payload = recorded.event.payload
        if recorded.event.payload_blob:
            try:
                payload = await service.read(value_of, service.ledger, payload, recorded.event.payload_blob)
            except LedgerCorrupt as error:
                await _give_up(hand_out.run, str(error), caller, service)
                continue
        runs.append(_run_body(hand_out, recorded, recorded.event, payload, environment))
    return runs


def _run_body(
    hand_out: HandOut, recorded: Recorded, event: RunTriggered, payload: Raw, environment: dict[str, str]
) -> RunBody:
    return RunBody(
        id=hand_out.run,
        token=hand_out.token,
        task=hand_out.task,
        attempt=hand_out.attempt,
        payload_type=event.payload_type,
        queue=hand_out.queue,
        created_at=recorded.occurred_at,
        environment=environment,
        is_test=event.is_test,
        tags=hand_out.tags,
        max_attempts=hand_out.max_attempts,
        payload=payload,
        max_duration=hand_out.max_duration_ms,
        idempotency_key=event.idempotency_key,
        batch_id=event.batch,
        traceparent=event.traceparent,
        kind="auth" if hand_out.is_for_auth else "attempt",
        machine=hand_out.machine,
        priority=event.priority,
        concurrency_key=event.concurrency_key,
        metadata=hand_out.metadata,
        parent_id=event.parent,
        root_id=event.root,
        depth=event.depth,
        source=event.source,
        replay_of=event.replay_of,
    )


async def _give_up(run: str, message: str, caller: Caller, service: Service) -> None:
    origin: dict[str, Any] = {"actor": "engine", "cause": "hand-out", "at": service.clock.now().wall}
    await service.loop.submit(commands.GiveUpRun(environment=caller.environment.id, run=run, message=message, **origin))


def _checked(task: TaskSettings) -> TaskSettings:
    newruns.named(task.id, "task id")
    if task.queue:
        newruns.named(task.queue.name, "queue name")
        limit = task.queue.concurrency_limit
        if limit is not None and not 0 <= limit <= 100_000:
            raise InvalidInput(f"The concurrency limit of queue {task.queue.name} is 0 to 100000, not {limit}.")
    retry = task.retry
    if retry and not (
        1 <= retry.max_attempts <= newruns.ATTEMPTS_MAX
        and 0 <= retry.min_timeout_in_ms <= retry.max_timeout_in_ms <= TASK_TIME_MAX_MS
        and retry.factor >= 1
    ):
        raise InvalidInput(
            f"The retry policy of task {task.id} needs maxAttempts from 1 to {newruns.ATTEMPTS_MAX},"
            f" 0 <= minTimeoutInMs <= maxTimeoutInMs <= {TASK_TIME_MAX_MS} and a factor of at least 1."
        )
    if not (task.ttl is None or 0 <= task.ttl <= TASK_TIME_MAX_MS):
        raise InvalidInput(f"The ttl of task {task.id} is 0 to {TASK_TIME_MAX_MS} milliseconds.")
    if not (task.max_duration is None or 1 <= task.max_duration <= TASK_TIME_MAX_MS):
        raise InvalidInput(f"The maxDuration of task {task.id} is 1 to {TASK_TIME_MAX_MS} milliseconds.")
    newruns.machine_of(task.machine)
    if retry and retry.out_of_memory:
        newruns.machine_of(retry.out_of_memory.machine)
    if task.payload_schema is not None:
        check_schema(task.payload_schema, task.id)
    if len(task.connections) > CONNECTIONS_MAX:
        raise InvalidInput(f"Task {task.id} needs {len(task.connections)} connections; at most {CONNECTIONS_MAX} are.")
    for name in task.connections:
        newruns.named(name, "connection name")
    return task
