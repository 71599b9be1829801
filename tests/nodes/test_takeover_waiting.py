"""The node that writes is killed in the middle of a wait: whichever writes then ends it, once."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.read_models import PostgresReadModels
from domain import events as e
from tests.crash.jobs import Job, Request
from tests.crash.processes import WorkerProcess
from tests.crash.told import Told
from tests.nodes.cluster import Cluster
from tests.nodes.test_takeover import standby_of
from tests.postgres import database_url, schema_of_its_own

SECONDS = 3.0
"""Longer than it takes until another node writes."""


@pytest.fixture
def schema() -> Iterator[str]:
    with schema_of_its_own() as schema:
        yield schema


@pytest.mark.parametrize(("freeze_after", "goes_on"), [("60", e.RunResumed), ("0", e.AttemptResumed)])
async def test_a_run_goes_on_where_it_waited(
    tmp_path: Path, schema: str, freeze_after: str, goes_on: type[e.RunEvent]
) -> None:
    cluster = Cluster(tmp_path, database_url(), schema, seed=1, nodes=2)
    workers: list[WorkerProcess] = []
    try:
        cluster.start()
        await cluster.until_roles("writer", "standby")
        standby = await standby_of(cluster)
        environment = {**standby.environment, "CRASH_FOLDER": str(tmp_path), "CRASH_VICTIM": "nobody"}
        options = ("tests/crash/orders.py", "--processes", "1", "--freeze-after", freeze_after)
        workers.append(WorkerProcess(environment, tmp_path / "worker.log", *options))
        request = Request("nap", [Job("nap", {"n": "nap", "seconds": SECONDS})])
        await cluster.clients.ask(request)
        (run,) = request.runs
        with closing(PostgresLedger(database_url(), schema)) as ledger:

            def has(kind: type[e.RunEvent]) -> bool:
                return any(isinstance(each.event, kind) for each in ledger.read_streams({run})[run])

            await cluster.until(lambda: has(e.RunBlocked), lambda: "the run does not wait")
            await (await cluster.writer()).kill()
            await cluster.until(lambda: has(e.AttemptSucceeded), lambda: "the run does not end")
            is_over_before = any(isinstance(each.event, e.WaitCompleted) for each in before_takeover(ledger, run))
            await cluster.followed()
            with closing(PostgresReadModels(database_url(), schema)) as read_models:
                told = Told(ledger, read_models, tmp_path)
        workers[0].signal(signal.SIGTERM)
        assert await workers[0].ended() == 0
    finally:
        for worker in workers:
            worker.signal(signal.SIGKILL)
        await cluster.close()

    told.check(run)
    assert not is_over_before
    assert told.times(run) == {"before": 1, "after": 1}
    assert told.output(run) == [told.results(run)["before"], told.results(run)["after"]]
    assert len(told.of(run, goes_on)) == 1


def before_takeover(ledger: PostgresLedger, run: str) -> list[e.Recorded]:
    """What had happened to the run when the second writer began."""
    records = ledger.read_after(0, limit=1_000_000)
    *_, takeover = [place for place, each in enumerate(records) if isinstance(each.event, e.WriterStarted)]
    return [each for each in records[:takeover] if each.stream == run]
