"""The runs of a schedule, on an engine whose clock the test moves: schedules fire on whole minutes."""

import asyncio
from typing import Any

import pytest

from tests.app.databases import engine_on
from tests.app.harness import KEY, Engine, application_of
from tests.app.nodes import listen, serving
from tests.official_sdk.node import Node

HOUR_MS = 3_600_000
MAKE = """
const asked = { task: "greet", cron: "0 * * * *" };
const made = [];
for (const name of ["a", "b"]) made.push(await sdk.schedules.create({ ...asked, deduplicationKey: name }));
return made.map((each) => each.id);
"""
LIST = """
const listed = {};
for (const schedule of args.schedules) {
  listed[schedule] = [];
  for await (const run of sdk.runs.list({ schedule, limit: 2 })) listed[schedule].push(run.id);
}
const canceled = await sdk.runs.list({ schedule: args.schedules[0], status: "CANCELED" });
const nobody = await sdk.runs.list({ schedule: "sched_0" });
return [listed, canceled.data.map((run) => run.id), nobody.data];
"""


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_exactly_the_runs_of_a_schedule_are_listed(node: Node, database: str) -> None:
    async with engine_on(database) as engine:
        listening, address = listen()
        async with serving(application_of(engine), listening):
            schedules = await asyncio.wrap_future(node.start(MAKE, address, KEY))
            await engine.trigger()
            await engine.advance(3 * HOUR_MS)
            runs = await _by_schedule(engine)
            await engine.post(f"/api/v2/runs/{runs[schedules[0]][0]}/cancel")
            told = await asyncio.wrap_future(node.start(LIST, address, KEY, {"schedules": schedules}))

    assert {schedule: len(ids) for schedule, ids in runs.items()} == {None: 1, schedules[0]: 3, schedules[1]: 3}
    assert told == [{each: runs[each] for each in schedules}, [runs[schedules[0]][0]], []]


async def _by_schedule(engine: Engine) -> dict[str | None, list[str]]:
    """All runs there are, the newest first, by the schedule that each of them says it is of."""
    found: dict[str | None, list[str]] = {}
    for run in await engine.listed():
        of: Any = (await engine.retrieve(run)).get("schedule")
        found.setdefault(of and of["id"], []).append(run)
    return found
