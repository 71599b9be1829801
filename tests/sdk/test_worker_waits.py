"""What a worker does with runs that wait: they take nobody's room, and after a while no process."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runfold import Context, Task, aio, task
from runfold.journal import Journal
from runfold.worker import attempts, holding
from runfold.worker.held import Held
from runfold.worker.links import Link
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine, Json, unavailable, until
from tests.sdk.waiting_jobs import (
    clean_up_in_process,
    five_steps,
    leave_thread_behind,
    open_gate,
    wait_once,
    wait_once_in_process,
)

BOTH = pytest.mark.parametrize("waiting", [wait_once, wait_once_in_process], ids=["async", "in a process"])
AnyTask = Task[Any, Any]


def facts(report: Json) -> Json:
    return {name: fact for name, fact in report.items() if name not in ("run", "token", "at", "entry")}


@BOTH
async def test_a_run_that_waits_says_for_what_and_goes_on_when_it_is_woken(
    engine: FakeEngine, working: WORKERS, waiting: AnyTask
) -> None:
    async with working(waiting):
        run = await engine.give(waiting.id, 7)
        await engine.report(run, "blocked")
        await engine.wake(run, 1)
        end = await engine.end(run)

    assert end["output"] == ["7", "1"]
    assert [facts(each) for each in engine.reports[1:-1]] == [
        {"kind": "step_succeeded", "output": "7"},
        {"kind": "waiting", "for": 86_400_000},
        {"kind": "blocked", "waits": [1]},
        {"kind": "step_succeeded", "output": "1"},
    ]
    assert [(each["entry"]["index"], each["entry"]["name"]) for each in engine.reports if "entry" in each] == [
        (0, "before"),
        (1, "wait.for"),
        (2, "after"),
    ]


@BOTH
async def test_an_entry_leaves_out_what_is_as_in_most(engine: FakeEngine, working: WORKERS, waiting: AnyTask) -> None:
    async with working(waiting):
        run = await engine.give(waiting.id, 7)
        await engine.report(run, "blocked")
        await engine.wake(run, 1)
        await engine.end(run)

    places = [{**each["entry"], "digest": ""} for each in engine.reports if "entry" in each]
    assert places == [
        {"index": 0, "name": "before", "digest": ""},
        {"index": 1, "name": "wait.for", "digest": "", "after": 0},
        {"index": 2, "name": "after", "digest": "", "after": 1, "heard": [1]},
    ]


async def test_what_is_waited_for_and_that_nothing_else_goes_on_are_told_in_one_turn(
    engine: FakeEngine, working: WORKERS
) -> None:
    @task
    async def wait_at_once() -> None:
        await aio.wait.for_("1d")

    async with working(wait_at_once):
        run = await engine.give("wait_at_once")
        await engine.report(run, "blocked")

    kinds = [[each["kind"] for each in turn.get("reports", ())] for turn in engine.turns]
    assert ["waiting", "blocked"] in [each[-2:] for each in kinds]


async def test_a_run_that_waits_keeps_no_room(engine: FakeEngine, working: WORKERS) -> None:
    async with working(wait_once, jobs.greet, concurrency=1):
        waiting = [await engine.give("wait_once") for _ in range(3)]
        for run in waiting:
            await engine.report(run, "blocked")
        other = await engine.end(await engine.give("greet", {"city": "Riga"}))
        holds = [[run, int(run.removeprefix("run_"))] for run in waiting]
        await engine.turn(lambda turn: (turn.get("holds"), turn["want"]) == (holds, 1))
        for run in reversed(waiting):
            await engine.wake(run, 1)
            await engine.end(run)

    assert other["kind"] == "succeeded"


@BOTH
async def test_a_run_that_waits_for_long_gives_up_its_process_and_goes_on_elsewhere(
    engine: FakeEngine, working: WORKERS, waiting: AnyTask
) -> None:
    async with working(waiting, jobs.greet, freeze_seconds=0.01):
        run = await engine.give(waiting.id, 7)
        frozen = await engine.end(run)
        await engine.turn(lambda turn: turn.get("holds") == [] and turn["sequence"] > 1)

        journal = engine.journal(run)
        journal[1]["completed"] = {}
        other = await engine.give(waiting.id, 7, journal=journal, journalSize=2)
        end = await engine.end(other)

    assert facts(frozen) == {"kind": "frozen"}
    assert engine.kinds(other) == ["started", "step_succeeded", "succeeded"]
    assert end["output"] == ["7", "1"]


@BOTH
async def test_a_wait_that_is_over_by_the_time_the_run_is_handed_out_is_none(
    engine: FakeEngine, working: WORKERS, waiting: AnyTask
) -> None:
    async with working(waiting, freeze_seconds=0.01):
        run = await engine.give(waiting.id, 7)
        await engine.end(run)
        other = await engine.give(waiting.id, 7, journal=engine.journal(run), journalSize=2)
        await engine.wake(other, 1)
        await engine.wake(other, 1)
        end = await engine.end(other)

    assert end["output"] == ["7", "1"]
    assert [kind for kind in engine.kinds(other) if kind != "blocked"] == ["started", "step_succeeded", "succeeded"]


async def test_each_turn_that_waits_tells_what_is_waited_for_so_that_it_can_be_told_again(
    engine: FakeEngine, working: WORKERS
) -> None:
    async with working(wait_once, jobs.greet):
        run = await engine.give("wait_once")
        await engine.report(run, "blocked")
        said = (await engine.turn(lambda turn: bool(turn.get("waits"))))["waits"]
        await engine.wake(run, 1)
        await engine.end(run)
        await engine.end(await engine.give("greet", {"city": "Riga"}))
        await engine.turn(lambda turn: turn.get("holds") == [] and turn["sequence"] > 5)

    assert said == [[run, 1, [1]]]
    assert "waits" not in engine.turns[-1]


async def test_waking_what_is_not_there_or_does_not_wait_changes_nothing(engine: FakeEngine, working: WORKERS) -> None:
    async with working(wait_once, jobs.greet):
        await engine.wake("run_99", 0)
        run = await engine.give("wait_once", 7)
        await engine.report(run, "blocked")
        await engine.wake(run, 0)
        await engine.wake(run, 5)
        await engine.end(await engine.give("greet", {"city": "Riga"}))
        kinds = engine.kinds(run)
        await engine.wake(run, 1)
        end = await engine.end(run)

    assert kinds == ["started", "step_succeeded", "waiting", "blocked"]
    assert end["output"] == ["7", "1"]


@BOTH
async def test_a_worker_that_stops_freezes_what_waits_at_once(
    engine: FakeEngine, working: WORKERS, waiting: AnyTask
) -> None:
    async with working(waiting, grace_seconds=600, freeze_seconds=600) as worker:
        runs = [await engine.give(waiting.id) for _ in range(3 if waiting.body.is_async else 1)]
        for run in runs:
            await engine.report(run, "blocked")
        worker.stop.set()

        assert await worker.result

    assert [engine.kinds(run)[-1] for run in runs] == ["frozen"] * len(runs)


async def test_what_begins_to_wait_while_the_worker_stops_is_frozen_at_once(
    engine: FakeEngine, working: WORKERS
) -> None:
    gate = asyncio.Event()

    @task
    async def gated(payload: None, ctx: Context) -> None:
        await ctx.step("gate", gate.wait)
        await aio.wait.for_("1d")

    async with working(gated, grace_seconds=600, freeze_seconds=600) as worker:
        run = await engine.give("gated")
        await engine.report(run, "started")
        worker.stop.set()
        await engine.turn(lambda turn: turn["want"] == 0)
        gate.set()

        assert await worker.result

    assert engine.kinds(run) == ["started", "step_succeeded", "waiting", "blocked", "frozen"]


@BOTH
async def test_a_cancel_ends_a_run_that_waits(engine: FakeEngine, working: WORKERS, waiting: AnyTask) -> None:
    async with working(waiting, jobs.greet, concurrency=1):
        run = await engine.give(waiting.id)
        await engine.report(run, "blocked")
        await engine.cancel(run)
        other = await engine.end(await engine.give("greet", {"city": "Riga"}))
        await engine.turn(lambda turn: turn.get("holds") == [] and turn["sequence"] > 1)

    assert other["kind"] == "succeeded"
    assert engine.kinds(run) == ["started", "step_succeeded", "waiting", "blocked"]


@pytest.mark.parametrize("ends", ["cancel", "stop"])
async def test_steps_of_code_that_is_to_stop_are_not_done(engine: FakeEngine, working: WORKERS, ends: str) -> None:
    done: list[str] = []

    @task
    async def tidy(payload: None, ctx: Context) -> None:
        try:
            await ctx.step("for ever", asyncio.Event().wait)
        finally:
            done.append("finally")
            await ctx.step("clean up", done.append, "step")

    async with working(tidy, jobs.greet, grace_seconds=0) as worker:
        run = await engine.give("tidy")
        await engine.report(run, "started")
        if ends == "cancel":
            await engine.cancel(run)
            await engine.end(await engine.give("greet", {"city": "Riga"}))
        worker.stop.set()
        await worker.result

    assert done == ["finally"]
    assert engine.kinds(run) == (["started"] if ends == "cancel" else ["started", "released"])


async def test_steps_of_code_that_is_to_stop_are_not_done_in_a_process_either(
    engine: FakeEngine, working: WORKERS, tmp_path: Path
) -> None:
    async with working(clean_up_in_process, grace_seconds=0) as worker:
        run = await engine.give("clean_up_in_process", str(tmp_path))
        await until((tmp_path / "began").exists)
        worker.stop.set()
        await worker.result

    assert (tmp_path / "ended").exists()
    assert engine.kinds(run) == ["started", "released"]


async def test_a_canceled_run_that_is_still_at_work_tells_nothing_more(engine: FakeEngine, working: WORKERS) -> None:
    gate, ended = asyncio.Event(), asyncio.Event()

    @task
    async def watching(payload: None, ctx: Context) -> None:
        try:
            await ctx.step("watch", ctx.cancelled.wait)
        finally:
            ended.set()
            gate.set()

    async with working(watching, jobs.greet):
        run = await engine.give("watching")
        await engine.report(run, "started")
        await engine.cancel(run)
        await ended.wait()
        await engine.end(await engine.give("greet", {"city": "Riga"}))
        await engine.turn(lambda turn: turn.get("holds") == [] and turn["sequence"] > 1)

    assert engine.kinds(run) == ["started"]


@pytest.mark.parametrize("handed", [0, 2, 5])
async def test_a_journal_of_several_pages_is_fetched(engine: FakeEngine, working: WORKERS, handed: int) -> None:
    @task
    async def many(count: int, ctx: Context) -> list[int]:
        return [await ctx.step("next", int, number) for number in range(count)]

    async with working(many):
        first = await engine.give("many", 5)
        await engine.end(first)
        journal = engine.journal(first)
        engine.journals["run_2"] = journal
        run = await engine.give("many", 6, journal=journal[:handed], journalSize=5)
        end = await engine.end(run)

    assert end["output"] == [0, 1, 2, 3, 4, 5]
    assert engine.kinds(run) == ["started", "step_succeeded", "succeeded"]


async def test_a_run_waits_on_while_the_engine_is_gone(engine: FakeEngine, working: WORKERS) -> None:
    async with working(wait_once, jobs.greet) as worker:
        run = await engine.give("wait_once", 7)
        await engine.report(run, "blocked")
        engine.before.extend([unavailable] * 20)
        await engine.end(await engine.give("greet", {"city": "Riga"}))
        await engine.wake(run, 1)
        end = await engine.end(run)

    assert len(worker.slept) == 20
    assert end["output"] == ["7", "1"]
    assert engine.kinds(run) == ["started", "step_succeeded", "waiting", "blocked", "step_succeeded", "succeeded"]


async def test_a_step_beside_a_wait_is_not_cut_off_by_freezing(engine: FakeEngine, working: WORKERS) -> None:
    gate = asyncio.Event()

    @task
    async def both(payload: None, ctx: Context) -> tuple[None, str]:
        async def late() -> str:
            await gate.wait()
            return await ctx.step("long", asyncio.sleep, 0.05, "done")

        return await asyncio.gather(aio.wait.for_("1d"), late())

    async with working(both, freeze_seconds=0.02):
        run = await engine.give("both")
        gate.set()
        frozen = await engine.end(run)

    assert frozen["kind"] == "frozen"
    assert "step_succeeded" in engine.kinds(run)


async def test_code_that_holds_on_to_its_process_when_it_is_to_give_it_up_gives_it_up(
    engine: FakeEngine, working: WORKERS
) -> None:
    @task
    async def stubborn() -> str:
        try:
            await aio.wait.for_("1d")
        except BaseException:  # noqa: BLE001 (this is what is wrong with it)
            return "went on"
        return "woken"

    async with working(stubborn, freeze_seconds=0.01):
        end = await engine.end(await engine.give("stubborn"))

    assert facts(end) == {"kind": "frozen"}


async def test_code_that_is_not_as_its_journal_says_fails_for_good(engine: FakeEngine, working: WORKERS) -> None:
    async with working(wait_once):
        journal = [{"index": 0, "name": "other", "kind": "succeeded", "attempt": 1}]
        end = await engine.end(await engine.give("wait_once", 7, journal=journal, journalSize=1))

    assert (end["kind"], end["retryable"], end["error"]["name"]) == ("failed", False, "JournalMismatchError")
    assert end["error"]["message"] == 'First came "other", and now "before".'


async def test_what_a_thread_leaves_behind_is_in_the_journal_of_no_other_run(
    engine: FakeEngine, working: WORKERS, tmp_path: Path
) -> None:
    async with working(leave_thread_behind, open_gate, processes=1):
        first = await engine.give("leave_thread_behind", str(tmp_path))
        await engine.end(first)
        second = await engine.give("open_gate", str(tmp_path))
        end = await engine.end(second)

    assert end["output"] == ["2"]
    assert [entry["name"] for entry in engine.journal(second)] == ["own"]
    assert engine.kinds(first) == ["started", "succeeded"]


async def test_what_a_task_leaves_behind_waits_for_nothing(engine: FakeEngine, working: WORKERS) -> None:
    left: list[asyncio.Task[Any]] = []
    gate = asyncio.Event()

    @task
    async def forgetful(payload: None, ctx: Context) -> None:
        left.append(asyncio.create_task(aio.wait.for_("1d")))
        left.append(asyncio.create_task(_late(ctx)))
        await ctx.step("a", str)

    async def _late(ctx: Context) -> None:
        await gate.wait()
        await ctx.step("late", str)

    async with working(forgetful):
        run = await engine.give("forgetful")
        await engine.end(run)
        gate.set()
        await asyncio.wait(left, timeout=5)

    assert [each.cancelled() for each in left] == [True, True]
    assert "late" not in [entry["name"] for entry in engine.journal(run)]


async def test_nothing_is_left_of_thousands_of_runs(
    engine: FakeEngine, working: WORKERS, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    _remember_all(monkeypatch, alive)

    async with working(wait_once, concurrency=50, freeze_seconds=0.001):
        for number in range(1_000):
            await engine.give("wait_once", number)
        await until(lambda: _count(engine, "frozen") == 1_000)
        journal = _over(engine.journal("run_1"))
        for _ in range(1_000):
            await engine.give("wait_once", 0, journal=journal, journalSize=2)
        await until(lambda: _count(engine, "succeeded") == 1_000)
        await engine.turn(lambda turn: turn.get("holds") == [] and turn["sequence"] > 100)
        # The last ones are kept for some turns of the loop, by what waits for their code to come to rest.
        await until(lambda: gc.collect() >= 0 and not alive)
        timers = _timers()

    assert timers == 0


async def test_what_a_run_with_steps_leaves_goes_without_a_look_for_garbage(
    engine: FakeEngine, working: WORKERS, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    _remember_all(monkeypatch, alive)
    collector = gc.isenabled()

    async with working(five_steps, concurrency=20):
        gc.collect()
        gc.disable()
        try:
            for _ in range(100):
                await engine.give("five_steps")
            await until(lambda: _count(engine, "succeeded") == 100)
            await engine.turn(lambda turn: turn.get("holds") == [] and turn["sequence"] > 6)
            await until(lambda: not alive)
        finally:
            if collector:
                gc.enable()


def _remember_all(monkeypatch: pytest.MonkeyPatch, alive: "weakref.WeakSet[Any]") -> None:
    def remembering(kind: type[Any]) -> Callable[..., Any]:
        remembered = type(kind.__name__, (kind,), {"__slots__": ("__weakref__",)} if kind is Held else {})

        def make(*args: Any, **kwargs: Any) -> Any:
            made = remembered(*args, **kwargs)
            alive.add(made)
            return made

        return make

    for module, kind in ((holding, Held), (attempts, Link), (attempts, Journal)):
        monkeypatch.setattr(module, kind.__name__, remembering(kind))


def _count(engine: FakeEngine, kind: str) -> int:
    return sum(each["kind"] == kind for each in engine.reports)


def _over(journal: list[Json]) -> list[Json]:
    return [{**each, "completed": {}} if each["kind"] == "waiting" else each for each in journal]


def _timers() -> int:
    """Those of the worker that would still do something."""
    names = ("freeze", "cancel")
    handles = (each for each in gc.get_objects() if isinstance(each, asyncio.TimerHandle) and not each.cancelled())
    return sum(any(name in repr(handle) for name in names) for handle in handles)
