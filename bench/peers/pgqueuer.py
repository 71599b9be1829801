"""pgqueuer: waiting jobs in one table, what became of each in another; every statement is for a batch of them."""

from datetime import timedelta
from typing import Any

from bench.peers import program
from bench.peers.names import CONCURRENCY, NOTE, NOTHING, PAGE, TWICE

asyncpg = program.library("asyncpg")
pgqueuer = program.library("pgqueuer")
errors = program.library("pgqueuer.errors")

FINISHED = """
insert into pgqueuer_log (created, job_id, status, priority, entrypoint)
select now() - number * interval '1 second', number,
    (case when number % 100 = 0 then 'exception' else 'successful' end)::pgqueuer_status, 0, 'nothing'
from generate_series(1, $1) as number
"""
HELD = """
insert into pgqueuer (priority, entrypoint, payload, status, created, execute_after)
select 0, 'nothing', '1'::bytea, 'failed', now() - number * interval '1 second', now()
from generate_series(1, $1 / 100) as number
"""


class PgQueuer:
    def __init__(self) -> None:
        self._pool: Any = None
        self._queries: Any = None

    async def install(self) -> None:
        await self._queries.install()

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(program.URL, min_size=4, max_size=10)
        self._queries = pgqueuer.Queries(pgqueuer.AsyncpgPoolDriver(self._pool))

    async def work(self) -> None:
        manager = pgqueuer.PgQueuer.from_asyncpg_pool(self._pool)
        for name, body in ((NOTHING, nothing), (NOTE, note), (TWICE, twice)):
            manager.entrypoint(name)(body)
        await manager.run(batch_size=CONCURRENCY)

    async def enqueue(self, task: str, numbers: range) -> None:
        for part in program.parts(numbers, program.BATCH):
            payloads = [str(number).encode() for number in part]
            await self._queries.enqueue([task] * len(part), payloads, [0] * len(part))

    async def enqueue_one(self, task: str, number: int) -> Any:
        (job,) = await self._queries.enqueue(task, str(number).encode())
        return job

    async def done(self) -> int:
        done: int = await self._pool.fetchval("select count(*) from pgqueuer_log where status = 'successful'")
        return done

    async def ended(self) -> dict[Any, float]:
        rows = await self._pool.fetch(
            "select job_id, extract(epoch from created)::float8 from pgqueuer_log where status = 'successful'"
        )
        return {row[0]: row[1] for row in rows}

    async def fill(self, runs: int) -> None:
        await self._pool.execute(FINISHED, runs)
        await self._pool.execute(HELD, runs)
        await self._pool.execute("vacuum analyze")

    async def failed(self) -> int:
        return len(await self._queries.list_failed_jobs(limit=PAGE))


async def nothing(_job: Any) -> None:
    pass


async def note(job: Any) -> None:
    program.note(int(job.payload))


async def twice(job: Any) -> None:
    if program.is_early(int(job.payload)):
        raise errors.RetryRequested(delay=timedelta(0), reason="not yet")


if __name__ == "__main__":
    peer = PgQueuer()
    program.main(peer, peer)
