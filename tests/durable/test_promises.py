"""What the pages about steps and waits promise of their examples."""

import asyncio

import pytest

from domain import events as e
from domain.status import Status
from runfold import Context, task
from runfold.aio import runs, wait
from runfold.worker.registering import settings_of
from tests.app.harness import LEASE_MS
from tests.durable.stage import Stage, kinds
from tests.sdk.test_how_to import tasks_of

AT_ONCE = 0.0
BACK_OFF_MS = 60_000


@pytest.mark.parametrize(("has_retry", "status"), [(True, Status.COMPLETED), (False, Status.CRASHED)])
async def test_a_worker_that_is_lost_in_the_first_step_has_failed_an_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, has_retry: bool, status: Status
) -> None:
    order = tasks_of("do-a-thing-once-in-a-run.md", monkeypatch)["order"]
    settings = settings_of(order)
    assert "retry" in settings
    version = await stage.engine.register(settings if has_retry else {**settings, "retry": {"maxAttempts": 1}})
    run = (await order.aio.trigger(30)).id
    await stage.engine.take(version)
    # Nothing more is heard of this worker, which may have charged.
    await stage.engine.advance(LEASE_MS)
    if has_retry:
        await stage.worker(order)
        await stage.engine.advance(BACK_OFF_MS)
        assert (await stage.output(run)).startswith("30 charged under ")

    assert await stage.status(run) == status
    failed = [each for each in await stage.events(run) if isinstance(each, e.AttemptFailed)]
    assert [each.error.code for each in failed] == [e.WORKER_LOST]


async def test_cleaning_up_around_a_wait_is_done_at_each_freeze_and_not_by_a_cancel_of_what_is_frozen(
    stage: Stage,
) -> None:
    cleaned: list[str] = []

    @task
    async def hold(_: None, ctx: Context) -> None:
        for hours in (1, 2):
            try:
                await wait.for_(hours * 3600)
            except asyncio.CancelledError:
                cleaned.append(f"canceled in hour {hours}")
                raise
            finally:
                cleaned.append(f"left hour {hours}")

    await stage.worker(hold, freeze_seconds=AT_ONCE)
    run = (await hold.aio.trigger(None)).id
    await stage.until(run, e.RunFrozen)
    await stage.engine.advance(3_600_000)
    await stage.until(run, e.RunFrozen, 2)
    await runs.cancel(run)

    first = ["canceled in hour 1", "left hour 1"]
    assert cleaned == [*first, "left hour 1", "canceled in hour 2", "left hour 2"]
    assert kinds(await stage.events(run))[-1] is e.RunCanceled


async def test_the_example_of_cleaning_up_stops_what_it_started(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rent = tasks_of("wait-in-a-run.md", monkeypatch)["rent"]
    await stage.worker(rent, freeze_seconds=AT_ONCE)
    run = (await rent.aio.trigger("m7")).id
    await stage.until(run, e.RunFrozen)
    await stage.engine.advance(24 * 3_600_000)

    assert await stage.output(run) == "m7"
    assert capsys.readouterr().out.splitlines() == ["m7 is on", "nobody answered", "m7 is off"]
