"""Procrastinate: every job a row that changes its status, and a row of its history for each change."""

from typing import Any

from bench.peers import program
from bench.peers.names import CONCURRENCY, NOTE, NOTHING, TWICE

procrastinate = program.library("procrastinate")

FINISHED = """
insert into procrastinate_jobs (queue_name, task_name, args, status)
select 'bench', 'nothing', '{"number": 1}',
    (case when number %% 100 = 0 then 'failed' else 'succeeded' end)::procrastinate_job_status
from generate_series(1, %(runs)s) as number
"""
DONE = "select count(*) as done from procrastinate_jobs where status = 'succeeded'"
ENDED = "select job_id, extract(epoch from at)::float8 as ended from procrastinate_events where type = 'succeeded'"


class Procrastinate:
    def __init__(self) -> None:
        self._connector = procrastinate.PsycopgConnector(conninfo=program.URL, min_size=4, max_size=10)
        self._app = procrastinate.App(connector=self._connector)
        at_once = procrastinate.RetryStrategy(max_attempts=5, wait=0)
        self._app.task(name=NOTHING, queue="bench")(nothing)
        self._app.task(name=NOTE, queue="bench")(note)
        self._app.task(name=TWICE, queue="bench", retry=at_once)(twice)

    async def install(self) -> None:
        await self._app.schema_manager.apply_schema_async()

    async def open(self) -> None:
        await self._app.open_async()

    async def work(self) -> None:
        await self._app.run_worker_async(queues=["bench"], concurrency=CONCURRENCY, install_signal_handlers=False)

    async def enqueue(self, task: str, numbers: range) -> None:
        for part in program.parts(numbers, program.BATCH):
            await self._app.tasks[task].batch_defer_async(*({"number": number} for number in part))

    async def enqueue_one(self, task: str, number: int) -> Any:
        return await self._app.tasks[task].defer_async(number=number)

    async def done(self) -> int:
        return int((await self._connector.execute_query_one_async(DONE))["done"])

    async def ended(self) -> dict[Any, float]:
        return {row["job_id"]: row["ended"] for row in await self._connector.execute_query_all_async(ENDED)}

    async def fill(self, runs: int) -> None:
        await self._connector.execute_query_async(FINISHED, runs=runs)
        await self._connector.execute_query_async("analyze")

    async def failed(self) -> int:
        # It has neither an order nor a limit: all are returned.
        return len(list(await self._app.job_manager.list_jobs_async(status="failed")))


async def nothing(number: int) -> None:
    pass


async def note(number: int) -> None:
    program.note(number)


async def twice(number: int) -> None:
    if program.is_early(number):
        raise program.NotYetError


if __name__ == "__main__":
    peer = Procrastinate()
    program.main(peer, peer)
