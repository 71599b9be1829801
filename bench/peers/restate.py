"""Restate: a server of its own that keeps journals and calls the worker over HTTP/2; many runs are many calls to it."""

import asyncio
import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bench.peers import program
from bench.peers.names import NOTE, NOTHING, STEPS, STEPS_PER_RUN, TWICE

aiohttp = program.library("aiohttp")
hypercorn = program.library("hypercorn")
serving = program.library("hypercorn.asyncio")
restate = program.library("restate")
retrying = program.library("restate.retry_policy")
uvloop = program.library("uvloop")

INGRESS, ADMIN = program.URL.split(" ")
IN_FLIGHT = 64
WORKER_SECONDS = 10
AT_ONCE = timedelta(milliseconds=1)
SERVICE = "bench"
DONE = "select count(*) as done from sys_invocation where status = 'completed' and completion_result = 'success'"
ENDED = "select id, completed_at from sys_invocation where status = 'completed' and completion_result = 'success'"


class Restate:
    def __init__(self) -> None:
        self._http: Any = None
        self._services: Iterator[str] = iter(())

    async def install(self) -> None:
        """The server makes its own tables."""

    async def open(self) -> None:
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT))

    async def work(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        config = hypercorn.Config()
        config.bind = [f"fd://{listening.fileno()}"]
        config.errorlog = None
        config.h2_max_concurrent_streams = 2**31 - 1
        config.keep_alive_timeout = 600
        config.keep_alive_max_requests = 10**9
        # Each worker has a service of its own: of several that offer one, Restate calls the newest.
        application = restate.app(services=[_service(f"{SERVICE}{os.getpid()}")])
        server = asyncio.create_task(serving.serve(application, config, shutdown_trigger=asyncio.Event().wait))
        await self._admin("deployments", {"uri": f"http://127.0.0.1:{port}"})
        # Hypercorn would wait for a connection that Restate never closes.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        await server

    async def enqueue(self, task: str, numbers: range) -> None:
        # It has no call that makes many.
        await self._look_for_workers()
        left = iter(numbers)

        async def go_on() -> None:
            for number in left:
                await self.enqueue_one(task, number)

        await asyncio.gather(*(go_on() for _ in range(IN_FLIGHT)))

    async def enqueue_one(self, task: str, number: int) -> Any:
        url = f"{INGRESS}/{next(self._services)}/{task}/send"
        async with self._http.post(url, json=number, raise_for_status=True) as response:
            return (await response.json())["invocationId"]

    async def done(self) -> int:
        return int((await self._rows(DONE))[0]["done"])

    async def ended(self) -> dict[Any, float]:
        return {row["id"]: datetime.fromisoformat(row["completed_at"]).timestamp() for row in await self._rows(ENDED)}

    async def _look_for_workers(self) -> None:
        """The services of those that are there; it takes no runs for what nobody has offered yet."""
        deadline = time.perf_counter() + WORKER_SECONDS
        while not (found := (await self._admin("services"))["services"]):
            if time.perf_counter() > deadline:
                sys.exit("Restate takes no runs before there is a worker.")
            await asyncio.sleep(program.LOOK_AGAIN_SECONDS)
        self._services = itertools.cycle([each["name"] for each in found])

    async def _rows(self, statement: str) -> Any:
        return (await self._admin("query", {"query": statement}))["rows"]

    async def _admin(self, call: str, body: Any = None) -> Any:
        headers = {"accept": "application/json"}
        method = "GET" if body is None else "POST"
        async with self._http.request(
            method, f"{ADMIN}/{call}", json=body, headers=headers, raise_for_status=True
        ) as response:
            return await response.json()


def _service(name: str) -> Any:
    policy = retrying.InvocationRetryPolicy(initial_interval=AT_ONCE, max_interval=AT_ONCE, max_attempts=5)
    service = restate.Service(name, invocation_retry_policy=policy)
    for task, body in ((NOTHING, nothing), (NOTE, note), (TWICE, twice), (STEPS, steps)):
        service.handler(task)(body)
    return service


async def nothing(_context: Any, number: int) -> int:
    return number


async def note(_context: Any, number: int) -> None:
    program.note(number)


async def twice(_context: Any, number: int) -> None:
    if program.is_early(number):
        raise program.NotYetError


async def steps(context: Any, number: int) -> int:
    for step in range(STEPS_PER_RUN):
        await context.run_typed(f"step {step}", one)
    return number


async def one() -> int:
    return 1


if __name__ == "__main__":
    uvloop.install()
    program.main(Restate())
