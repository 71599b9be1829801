"""DBOS: durable workflows; a queue is looked at every 10 ms, and retries happen inside a step."""

import asyncio
import os
import sys
from typing import Any

from bench.peers import program
from bench.peers.names import CONCURRENCY, NOTE, NOTHING, PAGE, STEPS, STEPS_PER_RUN, TWICE

dbos = program.library("dbos")
sqlalchemy = program.library("sqlalchemy")

QUEUE, SETTING_UP = "bench", "setting-up"
POLL_SECONDS = 0.01
COMMIT = 500
TABLES = ("workflow_status", "workflow_input", "workflow_output")
# Rows like one that a real workflow has left, a second apart.
COPY = """
insert into dbos.{table} select made.* from dbos.{table} as kept, generate_series(1, :runs) as number,
    lateral jsonb_populate_record(kept, jsonb_build_object(
        'workflow_uuid', kept.workflow_uuid || '-' || number,
        'created_at', (extract(epoch from now())::bigint - number) * 1000
    )) as made
where kept.workflow_uuid = :kept
"""


class Dbos:
    def __init__(self) -> None:
        self._client: Any = None
        self._sql: Any = None

    async def install(self) -> None:
        await _launch()

    async def open(self) -> None:
        if sys.argv[1] not in {"install", "work", "fill"}:
            self._client = dbos.DBOSClient(system_database_url=program.URL, system_database_pool_size=10)
        self._sql = sqlalchemy.create_engine(program.URL.replace("postgresql:", "postgresql+psycopg:", 1))

    async def work(self) -> None:
        await _launch()
        await asyncio.Event().wait()

    async def enqueue(self, task: str, numbers: range) -> None:
        # Many in one transaction are its only public way to make many.
        for part in program.parts(numbers, COMMIT):
            with self._sql.begin() as connection:
                for number in part:
                    self._client.enqueue_in_transaction(connection, _options(task), number)

    async def enqueue_one(self, task: str, number: int) -> Any:
        return (await self._client.enqueue_async(_options(task), number)).workflow_id

    async def done(self) -> int:
        ((done,),) = self._rows("select count(*) from dbos.workflow_status where status = 'SUCCESS'")
        return int(done)

    async def ended(self) -> dict[Any, float]:
        rows = self._rows("select workflow_uuid, completed_at from dbos.workflow_status where status = 'SUCCESS'")
        return {run: completed_ms / 1_000 for run, completed_ms in rows}

    async def fill(self, runs: int) -> None:
        await _launch()
        for body, share in ((nothing, 99), (fail, 1)):
            handle = await dbos.DBOS.start_workflow_async(body, 1)
            await asyncio.gather(handle.get_result(), return_exceptions=True)
            for table in TABLES:
                self._change(COPY.format(table=table), runs=runs * share // 100, kept=handle.workflow_id)
        self._change("analyze")

    async def failed(self) -> int:
        return len(self._client.list_workflows(status="ERROR", limit=PAGE, sort_desc=True))

    def _rows(self, statement: str) -> Any:
        with self._sql.connect() as connection:
            return connection.execute(sqlalchemy.text(statement)).fetchall()

    def _change(self, statement: str, **values: object) -> None:
        with self._sql.begin() as connection:
            connection.execute(sqlalchemy.text(statement), values)


async def _launch() -> None:
    config = {
        "name": "bench",
        "system_database_url": program.URL,
        "application_version": "1",
        "executor_id": str(os.getpid()),
        "run_admin_server": False,
    }
    dbos.DBOS(config=config)
    for name, body in ((NOTHING, nothing), (NOTE, note), (TWICE, twice), (STEPS, steps), ("fail", fail)):
        dbos.DBOS.workflow(name=name)(body)
    dbos.DBOS.launch()
    await dbos.DBOS.register_queue_async(QUEUE, worker_concurrency=CONCURRENCY, polling_interval_sec=POLL_SECONDS)


def _options(task: str) -> dict[str, str]:
    return {"workflow_name": task, "queue_name": QUEUE}


async def nothing(number: int) -> int:
    return number


async def note(number: int) -> None:
    program.note(number)


async def twice(number: int) -> None:
    await attempt(number)


async def steps(number: int) -> int:
    for _ in range(STEPS_PER_RUN):
        await one()
    return number


async def fail(_number: int) -> None:
    raise program.NotYetError


async def _attempt(number: int) -> None:
    if program.is_early(number):
        raise program.NotYetError


async def _one() -> int:
    return 1


one = dbos.DBOS.step(name="one")(_one)
attempt = dbos.DBOS.step(name="attempt", retries_allowed=True, interval_seconds=0.0001, max_attempts=5)(_attempt)


if __name__ == "__main__":
    peer = Dbos()
    program.main(peer, peer)
