"""An engine of a few lines: it speaks the worker protocol, hands out what tests give it and keeps what it hears."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

PATIENCE_SECONDS = 20.0
"""How long a test waits for something that must happen."""

ENVIRONMENT = {"id": "env_1", "slug": "dev", "type": "DEVELOPMENT", "project": "shop", "organization": "acme"}

Json = dict[str, Any]


def lost() -> Response:
    """The turn is done, but its answer never arrives."""
    raise httpx.ReadError("the connection broke")


def unavailable() -> Response:
    return JSONResponse({"error": "Starting."}, 503, {"retry-after": "7"})


async def until(condition: Callable[[], bool]) -> None:
    """For what happens in another process, which nothing in this one hears of."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 (no event crosses from one process to another)
            await asyncio.sleep(0.01)


def is_alive(process_id: int) -> bool:
    """A process that nobody has reaped yet is dead all the same."""
    stat = Path(f"/proc/{process_id}/stat")
    if Path("/proc/self/stat").exists():
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


class FakeEngine:
    """An ASGI application, for a transport within the process or a real server."""

    def __init__(self, key: str = "secret") -> None:
        self.registrations: list[Json] = []
        self.turns: list[Json] = []
        self.reports: list[Json] = []
        self.before: deque[Callable[[], Response] | None] = deque()
        """For each coming turn: what to answer instead of doing it, or None."""
        self.after: deque[Callable[[], Response] | None] = deque()
        """For each coming turn: what to answer instead of its answer once it is done, or None."""
        self.refused: set[tuple[str, str]] = set()
        """Runs and kinds of reports to refuse."""
        self.version = "20261122.1"
        self.variables: dict[str, str] = {}
        self.lets_turns_wait = False
        """Whether a turn that waits is not ended by a later one, as if its answer were late."""
        self.distance = 0
        """How many turns of the event loop a call is under way, which no network takes otherwise."""
        self._key = key
        self._ready: deque[Json] = deque()
        self._cancels: list[Json] = []
        self._woken: list[Json] = []
        self.journals: dict[str, list[Json]] = {}
        """What is there of the journals of runs, for workers that ask; a page has two entries."""
        self._answers: dict[tuple[str, int], Json] = {}
        self._handed_out = 0
        self._changed = asyncio.Condition()

    async def give(self, task: str, payload: Any = None, **facts: Any) -> str:
        """A run to be handed out; its id."""
        self._handed_out += 1
        run: Json = {
            "id": f"run_{self._handed_out}",
            "token": self._handed_out,
            "task": task,
            "attempt": 1,
            "payload": payload,
            "payloadType": "application/json",
            "queue": f"task/{task}",
            "tags": [],
            "createdAt": 1795323832000,
            "isTest": False,
            "environment": ENVIRONMENT,
        }
        self._ready.append({**run, **facts})
        await self._wake()
        return str(run["id"])

    async def cancel(self, run: str, reason: str = "CANCELED") -> None:
        self._cancels.append({"run": run, "token": int(run.removeprefix("run_")), "reason": reason})
        await self._wake()

    async def wake(self, run: str, wait: int = 0, **facts: Any) -> None:
        """Tell that a wait of the run is over."""
        self._woken.append({"run": run, "token": int(run.removeprefix("run_")), "wait": wait, **facts})
        await self._wake()

    async def report(self, run: str, *kinds: str) -> Json:
        """The first report of the run that is of one of these kinds, once it is there."""
        return await self._first(self.reports, lambda each: each["run"] == run and each["kind"] in kinds)

    async def end(self, run: str) -> Json:
        """How the run ended."""
        ends = ("succeeded", "failed", "crashed", "released", "frozen", "authorized", "unauthorized")
        return await self.report(run, *ends)

    def journal(self, run: str) -> list[Json]:
        """What was reported of the run, as another worker is handed it."""
        return [_entry(each) for each in self.reports if each["run"] == run and "entry" in each]

    async def turn(self, wanted: Callable[[Json], bool]) -> Json:
        """The first turn of this kind, once it has arrived."""
        return await self._first(self.turns, wanted)

    def kinds(self, run: str) -> list[str]:
        """What was reported of the run, in order."""
        return [each["kind"] for each in self.reports if each["run"] == run]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.headers["authorization"] != f"Bearer {self._key}":
            return JSONResponse({"error": "This key opens no environment."}, 401)
        if request.url.path == "/worker/v1/variables":
            return JSONResponse({"variables": self.variables})
        if request.method == "GET":
            run, start = request.url.path.split("/")[4], int(request.query_params["after"]) + 1
            return JSONResponse({"entries": self.journals[run][start : start + 2]})
        body = await request.json()
        if request.url.path == "/worker/v1/register":
            self.registrations.append(body)
            return JSONResponse(
                {
                    "version": self.version,
                    "leaseMs": 30000,
                    "waitMs": 20000,
                    "environment": ENVIRONMENT,
                    "isCurrent": body.get("promote") is not False,
                }
            )
        before = self.before.popleft() if self.before else None
        if before is not None:
            return before()
        after = self.after.popleft() if self.after else None
        if body["version"] != self.version:
            return JSONResponse({"error": "Register again.", "code": "unknown_version"}, 404)
        for _ in range(self.distance):
            await asyncio.sleep(0)
        answer = await self._take(body)
        return JSONResponse(answer) if after is None else after()

    async def _take(self, turn: Json) -> Json:
        self.turns.append(turn)
        key = (turn["session"], turn["sequence"])
        if key in self._answers:
            return self._answers[key]
        reports = [each for told in turn.get("reports", []) for each in _apart(told)]
        refused = [each for each in reports if (each["run"], each["kind"]) in self.refused]
        self.reports += [each for each in reports if each not in refused]
        await self._wake()
        if turn["waitMs"] and not reports:
            async with self._changed:
                await self._changed.wait_for(lambda: self._has_news(turn))
        self._answers[key] = {
            "sequence": turn["sequence"],
            "runs": self._hand_out(turn),
            "cancels": self._cancels,
            "woken": self._woken,
            "refused": [{"run": each["run"], "token": each["token"], "error": "Closed."} for each in refused],
        }
        self._cancels, self._woken = [], []
        return self._answers[key]

    def _has_news(self, turn: Json) -> bool:
        is_last = turn["sequence"] == self.turns[-1]["sequence"]
        return (
            (not is_last and not self.lets_turns_wait)
            or bool(self._cancels or self._woken)
            or bool(self._ready and turn["want"])
        )

    def _hand_out(self, turn: Json) -> Sequence[Json]:
        if turn["sequence"] != self.turns[-1]["sequence"]:
            return []
        return [self._ready.popleft() for _ in range(min(turn["want"], len(self._ready)))]

    async def _first(self, among: list[Json], wanted: Callable[[Json], bool]) -> Json:
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: any(map(wanted, among)))
        return next(filter(wanted, among))

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _apart(told: Json) -> list[Json]:
    """A report, and before it that of the start of which it tells along."""
    if "began" not in told:
        return [told]
    end = dict(told)
    return [{"run": told["run"], "token": told["token"], "kind": "started", "at": end.pop("began")}, end]


def _entry(report: Json) -> Json:
    kinds = {"step_succeeded": "succeeded", "step_failed": "failed"}
    known = {"kind": kinds.get(report["kind"], report["kind"]), "attempt": 1, "result": report.get("output")}
    return {**report["entry"], **known, "error": report.get("error"), "runs": report.get("runs", [])}
