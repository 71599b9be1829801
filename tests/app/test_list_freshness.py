"""Lists and the client's own writes: seen at once, or the answer says how far it is behind."""

import asyncio
from typing import Any

import pytest

from adapters.sqlite.read_models import SqliteReadModels
from app.engine import follower
from app.web import paging
from domain.errors import Unavailable
from tests.app.harness import SOON_SECONDS, Engine, running_engine, sentence_of

READY = ("role", "head", "readModels")


class StuckReadModels(SqliteReadModels):
    """Read models that take nothing while they are stuck."""

    is_stuck = False
    loses_answers = False

    def apply(self, *arguments: Any, **named: Any) -> Any:
        if self.is_stuck:
            raise Unavailable("The read models cannot be written: disk full.")
        followed = super().apply(*arguments, **named)
        if self.loses_answers:
            raise Unavailable("The read models cannot be written: the connection broke while it was committed.")
        return followed


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "LIST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(follower, "AGAIN_SECONDS", 0.01)


async def test_every_write_is_in_the_next_list(engine: Engine) -> None:
    version = await engine.register()
    for _ in range(10):
        run = await engine.trigger()
        queued = await engine.listed(**{"filter[status]": "QUEUED"})
        await engine.perform(version)
        completed = await engine.listed(**{"filter[status]": "COMPLETED", "page[size]": 1})

        assert (queued, completed) == ([run], [run])


async def test_clients_that_write_at_once_each_see_their_own(engine: Engine) -> None:
    async def client(number: int) -> bool:
        run = await engine.trigger(tags=[f"n{number}"])
        return await engine.listed(**{"filter[tag]": f"n{number}"}) == [run]

    assert all(await asyncio.gather(*(client(number) for number in range(20))))


async def test_a_list_that_is_up_to_date_has_no_lag(engine: Engine) -> None:
    await engine.trigger()

    response = await engine.client.get("/api/v1/runs")

    assert paging.LAG_HEADER not in response.headers


@pytest.mark.usefixtures("impatient")
async def test_a_list_says_its_lag_when_the_read_models_are_stuck_and_catches_up() -> None:
    read_models = StuckReadModels(":memory:", name="stuck")
    async with running_engine(read_models=read_models) as engine:
        seen = await engine.trigger()
        await engine.listed()
        read_models.is_stuck = True
        unseen = [await engine.trigger(), await engine.trigger()]

        stuck = await engine.client.get("/api/v1/runs")
        retrieved = await engine.retrieve(unseen[0])
        not_ready = await engine.client.get("/readyz")
        read_models.is_stuck = False
        caught_up = await _until_there_is_no_lag(engine)
        ready = await engine.client.get("/readyz")

        assert [run["id"] for run in stuck.json()["data"]] == [seen]
        assert stuck.headers[paging.LAG_HEADER] == "2"
        assert retrieved["id"] == unseen[0], "one run is read from the ledger, always as it is"
        assert "The read models do not follow: Unavailable: " in sentence_of(not_ready, *READY)
        assert [run["id"] for run in caught_up] == [unseen[1], unseen[0], seen]
        assert ready.status_code == 200


async def test_a_node_is_ready_again_when_what_seemed_to_fail_was_done() -> None:
    read_models = StuckReadModels(":memory:", name="answers lost")
    async with running_engine(read_models=read_models) as engine, asyncio.timeout(SOON_SECONDS):
        # It follows what the start wrote first, so that the next news is of the run.
        assert await engine.listed() == []
        read_models.loses_answers = True
        following = engine.service.follower
        assert isinstance(following, follower.Follower)
        stopped = asyncio.create_task(following.moved(following.position, None))
        run = await engine.trigger()
        await stopped
        assert following.stopped
        # Nothing else is written that would have to be followed.
        await following.moved(following.position, following.stopped)

        assert (await engine.client.get("/readyz")).status_code == 200
        assert await engine.listed() == [run]


async def _until_there_is_no_lag(engine: Engine) -> Any:
    async with asyncio.timeout(5):
        while True:
            response = await engine.client.get("/api/v1/runs")
            if paging.LAG_HEADER not in response.headers:
                return response.json()["data"]
