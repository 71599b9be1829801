"""How a worker, or whoever deploys, makes its tasks a version of the environment."""

import hashlib
from datetime import UTC, datetime

import msgspec
from fastapi import Request
from fastapi.responses import Response

from app.events import subscription_of
from app.names import machine_of, named
from app.newruns.options import ATTEMPTS_MAX
from app.schemas import check_schema
from app.turns.hand_outs import describe
from app.web import bodies
from app.web.caller import CallerDep, ServiceDep, read_body
from app.web.docs import body_of
from app.web.routing import room
from app.web.triggering import json
from domain import commands
from domain.builtin import PREFIX, is_reserved
from domain.commands import Registered
from domain.errors import InvalidInput
from domain.events import Queue, Subscription, TaskSettings
from domain.retry import Retry

router = room("workers")
WAIT_MS_MAX = 20_000
TASKS_MAX = 10_000
TASKS_MAX_BYTES = 67_108_864
CONNECTIONS_MAX = 50
TASK_TIME_MAX_MS = 3_650 * 86_400_000
RATE_MAX = 1_000_000
RATE_PERIOD_MIN_MS, RATE_PERIOD_MAX_MS = 1_000, 30 * 86_400_000


@router.post("/worker/v1/register", openapi_extra=body_of("RegisterRequest"))
async def register(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make these tasks a version of the environment: the current one, if they are new or it is for development."""
    body = bodies.decode(await read_body(request, TASKS_MAX_BYTES), bodies.RegisterBody)
    if not 1 <= len(body.tasks) <= TASKS_MAX or len({task.id for task in body.tasks}) < len(body.tasks):
        raise InvalidInput(f"A worker has 1 to {TASKS_MAX} tasks, each with an id of its own.")
    tasks = tuple(sorted((_checked(task) for task in body.tasks), key=lambda task: task.id))
    now = service.clock.now().wall
    registered: Registered = await service.loop.submit(
        commands.RegisterVersion(
            environment=caller.environment.id,
            actor=caller.actor,
            cause=caller.cause,
            at=now,
            digest=hashlib.sha256(msgspec.json.encode(tasks)).hexdigest(),
            tasks=tasks,
            day=f"{datetime.fromtimestamp(now / 1_000, UTC):%Y%m%d}",
            promote=body.promote,
        )
    )
    wait_ms = min(WAIT_MS_MAX, service.lease_ms * 2 // 3)
    answer = {"version": registered.version, "isCurrent": registered.is_current, "leaseMs": service.lease_ms}
    return json(answer | {"waitMs": wait_ms, "environment": describe(caller.environment)})


def _checked(task: TaskSettings) -> TaskSettings:
    named(task.id, "task id")
    if is_reserved(task.id):
        raise InvalidInput(f"The id of task {task.id} begins with {PREFIX}, as those of Runfold's own tasks do.")
    if task.queue:
        _check_queue(task.queue)
    if task.retry:
        _check_retry(task.retry, task.id)
    if not (task.ttl is None or 0 <= task.ttl <= TASK_TIME_MAX_MS):
        raise InvalidInput(f"The ttl of task {task.id} is 0 to {TASK_TIME_MAX_MS} milliseconds.")
    if not (task.max_duration is None or 1 <= task.max_duration <= TASK_TIME_MAX_MS):
        raise InvalidInput(f"The maxDuration of task {task.id} is 1 to {TASK_TIME_MAX_MS} milliseconds.")
    machine_of(task.machine)
    if task.payload_schema is not None:
        check_schema(task.payload_schema, task.id)
    if len(task.connections) > CONNECTIONS_MAX:
        raise InvalidInput(f"Task {task.id} needs {len(task.connections)} connections; at most {CONNECTIONS_MAX} are.")
    for name in task.connections:
        named(name, "connection name")
    if task.event is not None:
        _check_event(task.event, task.id)
    return task


def _check_retry(retry: Retry, task: str) -> None:
    if not (
        1 <= retry.max_attempts <= ATTEMPTS_MAX
        and 0 <= retry.min_timeout_in_ms <= retry.max_timeout_in_ms <= TASK_TIME_MAX_MS
        and retry.factor >= 1
    ):
        raise InvalidInput(
            f"The retry policy of task {task} needs maxAttempts from 1 to {ATTEMPTS_MAX},"
            f" 0 <= minTimeoutInMs <= maxTimeoutInMs <= {TASK_TIME_MAX_MS} and a factor of at least 1."
        )
    if retry.out_of_memory:
        machine_of(retry.out_of_memory.machine)


def _check_event(event: Subscription, task: str) -> None:
    try:
        subscription_of(event.name, event.filter)
    except InvalidInput as error:
        raise InvalidInput(f"The event of task {task}: {error}") from error


def _check_queue(queue: Queue) -> None:
    named(queue.name, "queue name")
    limit = queue.concurrency_limit
    if limit is not None and not 0 <= limit <= 100_000:
        raise InvalidInput(f"The concurrency limit of queue {queue.name} is 0 to 100000, not {limit}.")
    rate = queue.rate_limit
    if rate and not (1 <= rate.limit <= RATE_MAX and RATE_PERIOD_MIN_MS <= rate.period_ms <= RATE_PERIOD_MAX_MS):
        raise InvalidInput(
            f"The rate limit of queue {queue.name} needs a limit from 1 to {RATE_MAX}"
            f" and a periodMs from {RATE_PERIOD_MIN_MS} to {RATE_PERIOD_MAX_MS}."
        )
