"""Executions of an HTTP job, held against the client that makes their calls, at the same number of calls at once."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from adapters.http.addresses import AddressPolicy, parsed_networks
from adapters.http.calling import SafeHttpCaller
from bench import clients, databases, feed
from bench.figures import BenchError, Chapter, Figure
from bench.processes import COMMAND, Running, engine, started
from domain.calls import Call

EXECUTIONS, QUICK_EXECUTIONS = 10_000, 300
CONCURRENCY = 50
REPEATS = 3
HERE = "127.0.0.0/8"
IN_FLIGHT = 32
DONE_SECONDS = 300
BARE, HTTPX = "bare client of the executor", "httpx, a new connection for each call"
SERVER = (sys.executable, Path(__file__).with_name("target_server.py"))
LIMITS = {
    "RUNFOLD_HTTP_ALLOWED_NETWORKS": HERE,
    "RUNFOLD_HTTP_CONCURRENCY": str(CONCURRENCY),
    "RUNFOLD_HTTP_CONCURRENCY_PER_HOST": str(CONCURRENCY),
}


def measure(folder: Path, *, quick: bool) -> Chapter:
    """The executions wait until all are there; what is measured is from the first call to the last end."""
    executions, repeats = (QUICK_EXECUTIONS, 1) if quick else (EXECUTIONS, REPEATS)
    found: dict[str, list[float]] = {name: [] for name in (BARE, HTTPX, "engine", "executor")}
    with engine(folder, SERVER) as target:
        for number in range(repeats):
            found[BARE].append(asyncio.run(_bare(target.address, executions)))
            found[HTTPX].append(asyncio.run(_httpx(target.address, executions)))
            found["engine"].append(_in_engine(folder, number, target.address, executions))
            found["executor"].append(_in_executor(folder, number, target.address, executions))
    floors = (BARE,)
    figures = [
        Figure(BARE, "calls/s", tuple(found[BARE])),
        Figure(HTTPX, "calls/s", tuple(found[HTTPX])),
        Figure("executions, in the engine's process", "executions/s", tuple(found["engine"]), floors=floors),
        Figure("executions, by one runfold executor", "executions/s", tuple(found["executor"]), floors=floors),
        _ratio("executions in the engine's process for each call of the bare client", found["engine"], found[BARE]),
        _ratio("executions by one runfold executor for each call of the bare client", found["executor"], found[BARE]),
    ]
    about = (
        f"{executions:,} executions of one job, {CONCURRENCY} calls at once, to a server in a process of its own, which"
        " answers at once. They are queued before the first call, and over when the ledger has their ends. SQLite."
    )
    return Chapter("Executions of HTTP jobs", about, figures)


def _ratio(name: str, executions: list[float], calls: list[float]) -> Figure:
    return Figure(name, "", tuple(mine / floor for mine, floor in zip(executions, calls, strict=True)))


async def _bare(address: str, calls: int) -> float:
    caller = SafeHttpCaller(AddressPolicy(parsed_networks(HERE)))

    async def call() -> None:
        found = await caller.call(Call("GET", address))
        if found.status_code != 200:
            raise BenchError(f"The bare client found {found}.")

    return await _per_second(calls, call)


async def _httpx(address: str, calls: int) -> float:
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as http:

        async def call() -> None:
            (await http.get(address)).raise_for_status()

        return await _per_second(calls, call)


async def _per_second(calls: int, call: Callable[[], Awaitable[None]]) -> float:
    left = iter(range(calls))

    async def go_on() -> None:
        for _ in left:
            await call()

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(go_on())
    return calls / (time.perf_counter() - begun)


def _in_engine(folder: Path, number: int, target: str, executions: int) -> float:
    """Queued while nobody executes, and then executed by the next engine on the same file."""
    database = databases.file_in(_folder(folder, f"engine-{number}"))
    with engine(folder, database=database, RUNFOLD_HTTP_EXECUTOR="false") as running:
        asyncio.run(_queue(running, target, executions))
    with engine(folder, database=database, **LIMITS) as running:
        return asyncio.run(_rate(running, executions))


def _in_executor(folder: Path, number: int, target: str, executions: int) -> float:
    """Queued while nobody executes, and then executed by a process of its own."""
    database = databases.file_in(_folder(folder, f"executor-{number}"))
    with engine(folder, database=database, RUNFOLD_HTTP_EXECUTOR="false") as running:
        asyncio.run(_queue(running, target, executions))
        variables = {"RUNFOLD_API_URL": running.address} | LIMITS
        with started(folder, "executor", (COMMAND, "executor"), is_heard=False, **variables):
            return asyncio.run(_rate(running, executions))


def _folder(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


async def _queue(running: Running, target: str, executions: int) -> None:
    running.wait_ready()
    async with clients.api(running.address) as http:
        body = {"name": "bench", "kind": "webhook_trigger", "request": {"url": target}}
        job = (await http.post("/v1/jobs", json=body)).raise_for_status().json()["id"]
        left = iter(range(executions))

        async def go_on() -> None:
            for _ in left:
                (await http.post(f"/v1/jobs/{job}/run-now")).raise_for_status()

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(go_on())


async def _rate(running: Running, executions: int) -> float:
    """Executions per second, from the first start to the last end that the ledger tells of."""
    running.wait_ready()
    first, last, ended, after = 0.0, 0.0, 0, 0
    deadline = time.monotonic() + DONE_SECONDS
    async with clients.api(running.address) as http:
        while ended < executions:
            if time.monotonic() > deadline:
                raise BenchError(f"After {DONE_SECONDS} s {ended} of {executions} executions have ended.")
            await asyncio.sleep(1)
            async for event in feed.told(http, after):
                after = event["position"]
                if event["type"] == "AttemptStarted" and not first:
                    first = feed.seconds_of(event["recordedAt"])
                elif event["type"] == "AttemptSucceeded":
                    ended, last = ended + 1, feed.seconds_of(event["recordedAt"])
    return executions / (last - first)
