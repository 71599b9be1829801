"""Oban for Python: every job a row of one table that changes its state."""

import asyncio
import sys
from typing import Any

from bench.peers import program
from bench.peers.names import CONCURRENCY, NOTE, NOTHING, TWICE

oban = program.library("oban")
schema = program.library("oban.schema")
jobs = program.library("oban.job")


class Nothing:
    async def process(self, _job: Any) -> None:
        pass


class Note:
    async def process(self, job: Any) -> None:
        program.note(job.args["number"])


class Twice:
    async def process(self, job: Any) -> None:
        if program.is_early(job.args["number"]):
            raise program.NotYetError

    def backoff(self, _job: Any) -> int:
        return 0


WORKERS = {NOTHING: Nothing, NOTE: Note, TWICE: Twice}
for _worker in WORKERS.values():
    oban.worker(queue="bench", max_attempts=5)(_worker)


class Oban:
    def __init__(self) -> None:
        self._pool: Any = None
        self._oban: Any = None

    async def install(self) -> None:
        await schema.install(self._pool)

    async def open(self) -> None:
        self._pool = await oban.Oban.create_pool(program.URL, max_size=10)
        is_worker = sys.argv[1] == "work"
        self._oban = oban.Oban(pool=self._pool, queues={"bench": CONCURRENCY} if is_worker else {})
        if sys.argv[1] != "install":
            await self._oban.start()

    async def work(self) -> None:
        await asyncio.Event().wait()

    async def enqueue(self, task: str, numbers: range) -> None:
        for part in program.parts(numbers, program.BATCH):
            await self._oban.enqueue_many([_job(task, number) for number in part])

    async def enqueue_one(self, task: str, number: int) -> Any:
        return (await self._oban.enqueue(_job(task, number))).id

    async def done(self) -> int:
        ((done,),) = await self._rows("select count(*) from oban_jobs where state = 'completed'")
        return int(done)

    async def ended(self) -> dict[Any, float]:
        return dict(
            await self._rows(
                "select id, extract(epoch from completed_at at time zone 'UTC')::float8"
                " from oban_jobs where state = 'completed'"
            )
        )

    async def _rows(self, statement: str) -> Any:
        async with self._pool.connection() as connection:
            return await (await connection.execute(statement)).fetchall()


def _job(task: str, number: int) -> Any:
    return jobs.Job(worker=f"__main__.{WORKERS[task].__name__}", queue="bench", args={"number": number}, max_attempts=5)


if __name__ == "__main__":
    program.main(Oban())
