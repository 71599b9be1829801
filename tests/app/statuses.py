"""One run in each status, made through the API alone."""

from typing import Any

from domain.status import Status
from tests.app.harness import LEASE_MS, RETRY, Engine, report
from tests.app.waiting import FOR_A_DAY, block

ERROR = {"name": "ValueError", "message": "not today", "stackTrace": "Traceback"}


def task_of(status: Status) -> str:
    """The task of the run that is brought into this status."""
    return f"to-{status.value.lower().replace('_', '-')}"


async def run_in(engine: Engine, status: Status, **options: Any) -> str:
    """A new run in this status. It is the only one of its task, which no other version knows."""
    task = task_of(status)
    settings: dict[str, Any] = {"id": task}
    match status:
        case Status.DELAYED:
            options = {"delay": "1h"} | options
        case Status.EXPIRED:
            options = {"ttl": 1} | options
        case Status.REATTEMPTING:
            settings["retry"] = RETRY | {"minTimeoutInMs": 60_000}
        case Status.TIMED_OUT:
            settings["maxDuration"] = 1_000
        case Status.INVALID_PAYLOAD:
            settings["payloadSchema"] = {"type": "string"}
        case Status.PENDING | Status.UNRESOLVED_AUTH:
            settings["authResolver"] = True
        case Status.WAITING_ON_CONNECTIONS:
            settings["connections"] = ["github"]
        case Status.PENDING_VERSION:
            settings["id"] = "another"
        case _:
            pass
    version = await engine.register(settings)
    run = await engine.trigger(task, {"for": status.value}, **options)
    await _bring(engine, version, run, status)
    return run


REPORTS: dict[Status, tuple[str, dict[str, Any]]] = {
    Status.REATTEMPTING: ("failed", {"error": ERROR}),
    Status.FAILED: ("failed", {"error": ERROR}),
    Status.CRASHED: ("crashed", {"error": ERROR}),
    Status.COMPLETED: ("succeeded", {"output": {"done": True}}),
}
"""The statuses that a worker's report leads to."""


async def _bring(engine: Engine, version: str, run: str, status: Status) -> None:  # noqa: C901, PLR0912 (a table)
    if status in REPORTS:
        kind, fields = REPORTS[status]
        await engine.perform(version, kind, **fields)
        return
    match status:
        case Status.DEQUEUED:
            await engine.turn(version, want=1)
        case Status.EXECUTING:
            await engine.take(version)
        case Status.WAITING:
            await block(engine, version, FOR_A_DAY)
        case Status.FROZEN:
            await engine.turn(version, report(await block(engine, version, FOR_A_DAY), "frozen"), want=0)
        case Status.CANCELED:
            await engine.post(f"/api/v2/runs/{run}/cancel")
        case Status.EXPIRED:
            await engine.advance(1_000)
        case Status.TIMED_OUT:
            await engine.take(version)
            await engine.advance(1_000)
            await engine.turn(version, want=0)
        case Status.INTERRUPTED:
            await engine.take(version)
            await engine.advance(LEASE_MS)
        case Status.UNRESOLVED_AUTH:
            (handed,) = (await engine.turn(version, want=1))["runs"]
            await engine.turn(version, report(handed, "unauthorized", error=ERROR), want=0)
        case Status.SYSTEM_FAILURE:
            while (await engine.turn(version, want=1))["runs"]:
                await engine.advance(LEASE_MS)
        case _:
            pass
