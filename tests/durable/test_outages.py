"""An engine that is away for a while: the code of a run waits for it, as its worker does, instead of failing."""

import asyncio

import httpx
import pytest

from domain import events as e
from runfold import task, transport
from runfold.transport import ATTEMPTS_MAX, Transport
from tests.durable.stage import SETTINGS, Stage

FAILURES = 3 * ATTEMPTS_MAX


class Outages(httpx.AsyncBaseTransport):
    """Between the SDK and the engine: of each kind of call the first ones find nobody."""

    def __init__(self, engine: httpx.AsyncBaseTransport) -> None:
        self.failures: dict[str, int] = {}
        self._engine = engine

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = request.url.path.rpartition("/")[2]
        self.failures[call] = self.failures.get(call, 0) + 1
        if self.failures[call] <= FAILURES:
            raise httpx.ConnectError("Nobody is there.")
        return await self._engine.handle_async_request(request)


@task
async def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize(("how", "output"), [("one", b"[2]"), ("batch", b"[2,4]")])
async def test_a_parent_triggers_and_reads_results_as_soon_as_the_engine_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, how: str, output: bytes
) -> None:
    @task
    async def parent() -> tuple[int, ...]:
        if how == "one":
            return ((await double.aio.trigger_and_wait(1)).unwrap(),)
        return (await double.aio.batch_trigger_and_wait([1, 2])).unwrap()

    await stage.worker(parent, double)
    run = (await parent.aio.trigger()).id
    outages = Outages(stage.way_in())
    away = Transport(connect=lambda: httpx.AsyncClient(transport=outages), settings=lambda: SETTINGS, sleep=_no_time)
    monkeypatch.setattr(transport, "default", away)
    *_, succeeded = await stage.until(run, e.AttemptSucceeded)

    assert isinstance(succeeded, e.AttemptSucceeded)
    assert (bytes(succeeded.output), succeeded.number) == (output, 1)
    assert set(outages.failures.values()) == {FAILURES + 1}


async def _no_time(_seconds: float) -> None:
    await asyncio.sleep(0)
