"""Batches that the SDK streams to a running engine over a connection that breaks."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

import runfold
from runfold import transport
from runfold.blocking import blocking
from runfold.transport import Transport
from tests.cli.commandline import CommandLine

LARGE = "x" * 40_000
"""Two of these fill a chunk, so a stream of four is sent in two."""


class Breaking(httpx.AsyncHTTPTransport):
    """Cuts the first stream after its first chunk, and loses the answer to the second stream."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/items"):
            return await super().handle_async_request(request)
        self.streams += 1
        if self.streams == 1:
            request.stream = Cut(request.stream)
        response = await super().handle_async_request(request)
        if self.streams == 2:
            await response.aread()
            raise httpx.ReadError("The answer is lost.")
        return response


class Cut(httpx.AsyncByteStream):
    def __init__(self, whole: object) -> None:
        assert isinstance(whole, httpx.AsyncByteStream)
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._whole:
            yield chunk
            raise httpx.WriteError("The connection broke.")


async def without_waiting(_: float) -> None: ...


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Breaking]:
    """What carries every call of the SDK."""
    breaking = Breaking()
    calls = Transport(connect=lambda: httpx.AsyncClient(transport=breaking), sleep=without_waiting)
    monkeypatch.setattr(transport, "default", calls)
    yield breaking
    blocking(breaking.aclose)()


def test_an_item_that_is_sent_several_times_makes_one_run(command: CommandLine, breaking: Breaking) -> None:
    runfold.configure()

    batch = runfold.batches.trigger(
        [("unheard-of", LARGE, {"tags": "streamed"}) for _ in range(4)], idempotency_key="stream"
    )

    assert breaking.streams == 3
    assert len({run.id for run in batch.runs}) == 4
    listed = command.json("runs", "list", "--tag", "streamed")
    assert {each["id"] for each in listed} == {run.id for run in batch.runs}
    assert len(listed) == 4
