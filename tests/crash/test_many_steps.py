"""A run of many steps: neither the engine nor its worker keeps what they returned.

RUNFOLD_SCALE makes it longer: at 5 it is as long as is promised.
"""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.crash.databases import Database
from tests.crash.ordering import Orders
from tests.crash.orders import PROGRESS
from tests.crash.processes import Forked

SCALE = int(os.environ.get("RUNFOLD_SCALE", "1"))
STEPS = 600 if SCALE == 1 else 2_000 * SCALE
TENTHS = 10
BYTES_MAX = 3_000
"""What either may have more in memory for a step; a recent event in the ring of the engine takes a third of that."""
BYTES_MORE = 8_000_000
"""What is kept however many steps there are."""


@pytest.fixture
async def orders(tmp_path: Path, database: Callable[[Path], Database]) -> AsyncIterator[Orders]:
    orders = Orders(tmp_path, database(tmp_path), "walk")
    try:
        yield orders
    finally:
        await orders.close()


@pytest.mark.timeout(900)
async def test_the_memory_of_engine_and_worker_is_bounded(orders: Orders, tmp_path: Path) -> None:
    def progress() -> int:
        file = tmp_path / PROGRESS
        return int(file.read_text() or 0) if file.exists() else 0

    engine = orders.start_engine()
    worker = orders.start_life()
    await orders.ask(steps=STEPS)
    sizes: list[tuple[int, int]] = []
    for tenth in range(1, TENTHS + 1):
        await orders.until(lambda: progress() >= tenth * STEPS // TENTHS, lambda: f"step {progress()} is done")  # noqa: B023
        sizes.append((resident(engine), resident(worker)))

    print(f"megabytes of engine and worker: {[(round(a / 1e6, 1), round(b / 1e6, 1)) for a, b in sizes]}")  # noqa: T201
    for before, after in zip(sizes[1], sizes[-1], strict=True):
        assert after - before < BYTES_MORE + BYTES_MAX * STEPS, sizes


def resident(process: Forked) -> int:
    """The bytes of memory that it has now."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
