"""absurd: tasks and the checkpoints of their steps by functions in the database; the queue is looked at every 10 ms."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from bench.peers import program
from bench.peers.names import CONCURRENCY, NOTE, NOTHING, STEPS, STEPS_PER_RUN, TWICE

absurd = program.library("absurd_sdk")
psycopg = program.library("psycopg")

QUEUE = "bench"
POLL_SECONDS = 0.01
COMMIT = 500
AT_ONCE = {"retry_strategy": {"kind": "none"}, "max_attempts": 5}
DONE = f"select count(*) from absurd.t_{QUEUE} where state = 'completed'"
ENDED = f"select task_id, extract(epoch from completed_at)::float8 from absurd.r_{QUEUE} where state = 'completed'"


class Absurd:
    def __init__(self) -> None:
        self._connection: Any = None
        self._app: Any = None

    async def install(self) -> None:
        # Its script has the path of an interpreter that was moved.
        script = Path(sys.executable).with_name("absurdctl")
        for command, *words in (("init",), ("create-queue", QUEUE)):
            asked = await asyncio.create_subprocess_exec(sys.executable, script, command, "-d", program.URL, *words)
            if await asked.wait() != 0:
                sys.exit(f"absurdctl {command} failed.")

    async def open(self) -> None:
        self._connection = await psycopg.AsyncConnection.connect(program.URL, autocommit=True)
        self._app = absurd.AsyncAbsurd(self._connection, queue_name=QUEUE)
        for name, body in ((NOTHING, nothing), (NOTE, note), (TWICE, twice), (STEPS, steps)):
            self._app.register_task(name)(body)

    async def work(self) -> None:
        await self._app.start_worker(concurrency=CONCURRENCY, poll_interval=POLL_SECONDS)

    async def enqueue(self, task: str, numbers: range) -> None:
        # Many in one transaction are its only public way to make many.
        for part in program.parts(numbers, COMMIT):
            async with self._connection.transaction():
                for number in part:
                    await self.enqueue_one(task, number)

    async def enqueue_one(self, task: str, number: int) -> Any:
        options = AT_ONCE if task == TWICE else {}
        return str((await self._app.spawn(task, number, **options))["task_id"])

    async def done(self) -> int:
        ((done,),) = await self._rows(DONE)
        return int(done)

    async def ended(self) -> dict[Any, float]:
        return {str(task): ended for task, ended in await self._rows(ENDED)}

    async def _rows(self, statement: str) -> Any:
        return await (await self._connection.execute(statement)).fetchall()


async def nothing(number: int, _context: Any) -> int:
    return number


async def note(number: int, _context: Any) -> None:
    program.note(number)


async def twice(number: int, _context: Any) -> None:
    if program.is_early(number):
        raise program.NotYetError


async def steps(number: int, context: Any) -> int:
    for step in range(STEPS_PER_RUN):
        await context.step(f"step {step}", one)
    return number


async def one() -> int:
    return 1


if __name__ == "__main__":
    program.main(Absurd())
