"""Runs that use up the memory, and how that is told from other deaths."""

from pathlib import Path

import pytest

from runfold import Task
from runfold.worker.memory import OutOfMemoryKills, of_this_process
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine

ABSURD = 1 << 60
"""More bytes than any machine has."""


@pytest.mark.parametrize("task", [jobs.hoard, jobs.hoard_in_process], ids=["async", "sync"])
async def test_a_task_that_asks_for_too_much_memory_has_crashed(
    engine: FakeEngine, working: WORKERS, task: Task[int, int]
) -> None:
    async with working(task):
        run = await engine.give(task.id, ABSURD)
        end = await engine.end(run)
        following = await engine.end(await engine.give(task.id, 5))

    assert engine.kinds(run) == ["started", "crashed"]
    assert (end["error"]["name"], end["error"]["code"]) == ("MemoryError", "OUT_OF_MEMORY")
    assert end["error"]["message"] == "The task asked for more memory than there is."
    assert jobs.__file__ in end["error"]["stackTrace"]
    assert following["output"] == 5


async def test_a_process_that_ran_out_of_memory_is_replaced(engine: FakeEngine, working: WORKERS) -> None:
    async with working(jobs.hoard_in_process, jobs.who, processes=1):
        before = await engine.end(await engine.give("who"))
        await engine.end(await engine.give("hoard_in_process", ABSURD))
        after = await engine.end(await engine.give("who"))

    assert before["output"] != after["output"]


async def test_a_kill_while_the_count_of_kills_for_memory_rose_is_one_of_them(
    engine: FakeEngine, working: WORKERS, tmp_path: Path
) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 0\noom_kill 7\n")
    async with working(jobs.be_killed_for_memory, jobs.kill_process, kills=OutOfMemoryKills(events)):
        crash = await engine.end(await engine.give("be_killed_for_memory", str(events)))
        other = await engine.end(await engine.give("kill_process", 9))

    assert crash["kind"] == "crashed"
    assert crash["error"] == {
        "name": "ProcessDied",
        "message": "The process was killed by signal 9 (SIGKILL), because there was no memory left.",
        "code": "OUT_OF_MEMORY",
        "signal": "SIGKILL",
    }
    assert "code" not in other["error"], "the count stood still meanwhile"


async def test_without_a_count_nothing_is_claimed(engine: FakeEngine, working: WORKERS, tmp_path: Path) -> None:
    async with working(jobs.be_killed_for_memory, kills=OutOfMemoryKills(None)):
        crash = await engine.end(await engine.give("be_killed_for_memory", str(tmp_path / "memory.events")))

    assert crash["error"] == {
        "name": "ProcessDied",
        "message": "The process was killed by signal 9 (SIGKILL).",
        "signal": "SIGKILL",
    }


def test_the_count_is_that_of_the_control_group(tmp_path: Path) -> None:
    memberships = tmp_path / "cgroup"
    memberships.write_text("4:memory:/old\n0::/system.slice/worker.service\n")
    group = tmp_path / "groups" / "system.slice" / "worker.service"
    group.mkdir(parents=True)
    (group / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 9\n")

    kills = of_this_process(memberships, tmp_path / "groups")

    assert (kills.count(), kills.rose_since(1), kills.rose_since(2), kills.rose_since(None)) == (2, True, False, False)


@pytest.mark.parametrize("text", ["4:memory:/old\n", "0::/nowhere\n", ""])
def test_other_systems_count_nothing(tmp_path: Path, text: str) -> None:
    memberships = tmp_path / "cgroup"
    memberships.write_text(text)

    assert of_this_process(memberships, tmp_path / "groups").count() is None
    assert of_this_process(tmp_path / "absent", tmp_path).count() is None
