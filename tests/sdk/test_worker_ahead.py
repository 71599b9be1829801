"""What a worker takes before it has room for it."""

import asyncio

import pytest

from runfold import Context, task
from runfold.worker.children import Children
from runfold.worker.holding import Holding
from runfold.worker.line import AHEAD_MAX, AHEAD_TIMES_MAX, AT_ONCE_SECONDS, PATIENCE_SECONDS
from runfold.worker.wire import Environment, HandOut
from tests.sdk import jobs
from tests.sdk.conftest import WORKERS
from tests.sdk.fake_engine import FakeEngine

DEV = Environment("env_1", "dev", "DEVELOPMENT")
TURNS = 20
"""So many turns of the event loop are more than enough for some runs that do nothing."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """A task that ends when it is let through; `begun` are the runs whose code began."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.open = asyncio.Event()

        @task(id="gated")
        async def gated(_: None, ctx: Context) -> None:
            self.begun.append(ctx.run.id)
            await self.open.wait()

        self.task = gated


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def gate() -> Gate:
    return Gate()


def holding(gate: Gate, clock: Clock, capacity: int) -> Holding:
    return Holding({"gated": gate.task}, Children(jobs.__name__, 1), capacity, clock=lambda: 5, monotonic=clock)


def some(count: int, first: int = 1) -> list[HandOut]:
    return [HandOut(f"run_{number}", 7, "gated", 0, DEV) for number in range(first, first + count)]


async def settle() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def ends(held: Holding) -> dict[str, str]:
    """The last report of each run that has one."""
    return {report.run: report.kind for report in held.take_reports(1_000_000)}


async def test_no_more_begin_than_may_go_on_at_once(gate: Gate, clock: Clock) -> None:
    held = holding(gate, clock, 2)

    held.take(some(5))
    await settle()
    begun = ends(held)
    gate.open.set()
    await settle()

    assert begun == {"run_1": "started", "run_2": "started"}
    assert gate.begun == [f"run_{number}" for number in range(1, 6)]


async def test_a_worker_whose_runs_end_at_once_takes_as_many_ahead(gate: Gate, clock: Clock) -> None:
    held = holding(gate, clock, 2)
    gate.open.set()

    held.take(some(3))
    await settle()

    assert held.take_ahead() == 3
    assert held.take_ahead() == 0, "they are counted once"


@pytest.mark.parametrize(("capacity", "ahead"), [(2, 2 * AHEAD_TIMES_MAX), (AHEAD_MAX, AHEAD_MAX)])
async def test_no_more_are_taken_ahead_than_a_bound(gate: Gate, clock: Clock, capacity: int, ahead: int) -> None:
    held = holding(gate, clock, capacity)
    gate.open.set()

    held.take(some(AHEAD_MAX + 1))
    for _ in range(AHEAD_MAX // TURNS + 1):
        await settle()

    assert held.take_ahead() == ahead


async def test_nothing_is_taken_ahead_of_runs_that_last(gate: Gate, clock: Clock) -> None:
    held = holding(gate, clock, 2)

    held.take(some(2))
    await settle()
    clock.now += 2 * AT_ONCE_SECONDS
    gate.open.set()
    await settle()

    assert held.take_ahead() == 0


async def test_nothing_is_taken_ahead_while_a_few_come_one_by_one(gate: Gate, clock: Clock) -> None:
    held = holding(gate, clock, 2)
    gate.open.set()

    held.take(some(1))
    await settle()

    assert held.take_ahead() == 0


async def test_what_is_in_line_for_too_long_goes_back(gate: Gate, clock: Clock) -> None:
    held = holding(gate, clock, 1)
    held.take(some(2))
    clock.now += 0.6 * PATIENCE_SECONDS
    held.take(some(1, first=3))
    await settle()

    clock.now += 0.6 * PATIENCE_SECONDS
    held.give_back_late()
    await settle()
    told = ends(held)
    clock.now += PATIENCE_SECONDS
    held.give_back_late()
    await settle()

    assert told == {"run_1": "started", "run_2": "released"}
    assert ends(held) == {"run_3": "released"}
    assert gate.begun == ["run_1"], "no code of the others has begun"
    await held.close(0)


async def test_what_is_in_line_goes_back_when_the_worker_stops(gate: Gate, clock: Clock) -> None:
    held = holding(gate, clock, 1)
    held.take(some(3))
    await settle()

    closing = asyncio.create_task(held.close(10))
    await settle()
    gate.open.set()
    await closing

    assert ends(held) == {"run_1": "succeeded", "run_2": "released", "run_3": "released"}
    assert gate.begun == ["run_1"]


async def test_what_is_cancelled_in_line_never_begins(gate: Gate, clock: Clock) -> None:
    held = holding(gate, clock, 1)
    held.take(some(3))
    await settle()

    held.forget("run_2", 7, "CANCELED")
    await settle()
    gate.open.set()
    await settle()

    assert ends(held) == {"run_1": "succeeded", "run_3": "succeeded"}
    assert gate.begun == ["run_1", "run_3"]


async def test_only_a_turn_that_reports_asks_for_more_than_there_is_room_for(
    engine: FakeEngine, working: WORKERS
) -> None:
    async with working(jobs.greet, concurrency=1):
        run = await engine.give("greet", {"city": "Riga"})
        await engine.end(run)
        await engine.turn(lambda turn: turn["sequence"] == 3)

    told = [(turn["waitMs"] > 0, bool(turn.get("reports")), turn["want"]) for turn in engine.turns]
    assert told[:3] == [(True, False, 1), (False, True, 2), (True, False, 1)]
