"""/metrics: what Prometheus reads is what the engine does, whatever else it does at the time."""

import asyncio
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import httpx
import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families as families_of

from adapters.ids import Uuid7Ids
from adapters.sqlite.read_models import MEMORY, SqliteReadModels
from app.nodes import metrics
from app.nodes.standby import Standby
from app.nodes.tenure import Tenure
from app.web.application import create_application
from domain.errors import Unavailable
from domain.events import Recorded
from domain.ports import Head
from domain.status import Status
from tests.app.faulty import FaultyLedger
from tests.app.harness import Engine, ManualClock, environment, running_engine, until

DEV = ("dev", "DEVELOPMENT")
Samples = dict[tuple[str, ...], float]
"""By name and the values of their labels, in the order of the labels' names."""


class HeldBack(SqliteReadModels):
    """Read models that can be made to wait, or to fail."""

    def __init__(self) -> None:
        super().__init__(MEMORY, name=uuid4().hex)
        self.may_follow, self.may_count = threading.Event(), threading.Event()
        self.may_follow.set()
        self.may_count.set()
        self.is_down = False
        self.counted = 0

    def apply(self, records: Sequence[Recorded], head: Head) -> Head:
        assert self.may_follow.wait(30), "a test that holds it back lets it go"
        return super().apply(records, head)

    def count_by_status(self, environment: str) -> dict[Status, int]:
        self.counted += 1
        assert self.may_count.wait(30), "a test that holds it back lets it go"
        if self.is_down:
            raise Unavailable("The read models cannot be read: disk I/O error.")
        return super().count_by_status(environment)


async def scraped(engine: Engine) -> Samples:
    """What a scrape brings, once the read models have come as far as the ledger."""
    assert await engine.service.follower.reached(engine.head, 5)
    return await scraped_at_once(engine.client)


async def scraped_at_once(client: httpx.AsyncClient) -> Samples:
    response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples_of(response.text)


def samples_of(text: str) -> Samples:
    families = list(families_of(text))
    samples = [each for family in families for each in family.samples]
    found = {(each.name, *(value for _, value in sorted(each.labels.items()))): each.value for each in samples}
    assert len(found) == len(samples), "no series comes twice"
    return found


def runs(samples: Samples) -> dict[str, float]:
    """The runs of the development environment, by the statuses that any is in."""
    return {key[2]: value for key, value in samples.items() if key[0] == "runfold_runs" and key[1] == DEV[0] and value}


def queued(samples: Samples, environment: tuple[str, str] = DEV) -> tuple[float, float]:
    """How many wait, and for how many seconds the oldest one does."""
    return samples["runfold_queued_runs", *environment], samples["runfold_oldest_queued_age_seconds", *environment]


async def test_an_engine_that_has_just_started_says_that_all_is_well(engine: Engine) -> None:
    samples = await scraped(engine)

    assert samples["runfold_node_is_writer",] == samples["runfold_node_ready",] == 1
    assert samples["runfold_engine_available",] == samples["runfold_read_models_available",] == 1
    assert samples["runfold_ledger_head_position",] == samples["runfold_follower_position",] == engine.head
    assert samples["runfold_follower_lag_events",] == samples["runfold_inbox_commands",] == 0
    assert (runs(samples), queued(samples)) == ({}, (0, 0))
    assert {key[2] for key in samples if key[0] == "runfold_runs"} == {status.value for status in Status}
    assert samples["process_start_time_seconds",] > 0


async def test_the_values_move_as_runs_are_triggered_and_finish(engine: Engine) -> None:
    version = await engine.register({"id": "greet"})
    before = await scraped(engine)
    await engine.trigger(delay="1h")
    for _ in range(3):
        await engine.trigger()
    await engine.advance(90_000)
    waiting = await scraped(engine)
    await engine.perform(version)
    await engine.perform(version, "failed", error={"name": "ValueError", "message": "no"})
    await engine.take(version)
    after = await scraped(engine)

    assert (runs(waiting), queued(waiting)) == ({"DELAYED": 1, "QUEUED": 3}, (3, 90))
    assert runs(after) == {"DELAYED": 1, "COMPLETED": 1, "FAILED": 1, "EXECUTING": 1}
    assert queued(after) == (0, 0)
    committed = after["runfold_events_committed_total",] - before["runfold_events_committed_total",]
    assert committed == after["runfold_ledger_head_position",] - before["runfold_ledger_head_position",]
    assert committed == 4 + 1 + 3 * 2 + 2 + 1, (
        "4 triggers, a delay, 3 hand-outs and starts, 2 ends, 1 with no attempt left"
    )


async def test_every_commit_is_counted_with_its_time_and_its_events(engine: Engine) -> None:
    before = await scraped(engine)
    items = [{"options": {"delay": "1h"}}] * 30
    await engine.post("/api/v1/tasks/greet/batch", {"items": items})
    after = await scraped(engine)

    def grown(*name: str) -> float:
        return after[name] - before[name]

    assert grown("runfold_commit_events_count") == grown("runfold_commit_duration_seconds_count") == 1
    assert grown("runfold_commit_events_sum") == 61, "two events a run, and one for the batch"
    assert grown("runfold_commit_events_bucket", "50.0") == 0
    assert grown("runfold_commit_events_bucket", "100.0") == grown("runfold_commit_events_bucket", "+Inf") == 1
    assert 0 < grown("runfold_commit_duration_seconds_sum") < 60


async def test_each_environment_has_series_of_its_own(engine: Engine) -> None:
    other = await environment(engine, "staging")
    for _ in range(2):
        await other.trigger()
        await engine.advance(2_000)
    await engine.trigger()

    samples = await scraped(engine)

    assert queued(samples) == (1, 0)
    assert queued(samples, ("staging", "STAGING")) == (2, 4)
    assert samples["runfold_runs", "staging", "QUEUED", "STAGING"] == 2
    assert runs(samples) == {"QUEUED": 1}


async def test_the_age_is_that_of_the_oldest_run_which_is_next_in_its_line(engine: Engine) -> None:
    await engine.register({"id": "first"}, {"id": "second"})
    await engine.trigger("first")
    await engine.advance(10_000)
    await engine.trigger("second", priority=3_600)

    assert queued(await scraped(engine)) == (2, 10)


async def test_a_scrape_does_not_hold_up_the_engine_and_those_that_come_together_share_one_look() -> None:
    views = HeldBack()
    async with running_engine(read_models=views) as engine:
        await engine.trigger()
        await engine.service.follower.reached(engine.head, 5)
        views.may_count.clear()
        scrapes = [asyncio.create_task(scraped_at_once(engine.client)) for _ in range(3)]
        await until(lambda: views.counted == 1)

        await engine.trigger()
        assert not any(scrape.done() for scrape in scrapes)
        views.may_count.set()
        first, *others = await asyncio.gather(*scrapes)

    assert views.counted == 1
    assert (runs(first), queued(first)[0]) == ({"QUEUED": 1}, 2)
    assert all(runs(other) == runs(first) for other in others)


async def test_read_models_that_fail_or_are_slow_cost_their_own_numbers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    views = HeldBack()
    async with running_engine(read_models=views) as engine:
        await engine.trigger()
        views.is_down = True
        failed = await scraped(engine)
        views.is_down = False
        monkeypatch.setattr(metrics, "COUNT_SECONDS_MAX", 0.0)
        views.may_count.clear()
        slow = await scraped(engine)
        views.may_count.set()
        monkeypatch.undo()
        again = await scraped(engine)

    for samples in (failed, slow):
        assert samples["runfold_read_models_available",] == 0
        assert (runs(samples), queued(samples)[0]) == ({}, 1)
    assert again["runfold_read_models_available",] == 1
    assert runs(again) == {"QUEUED": 1}


async def test_the_lag_is_what_the_read_models_have_not_followed_yet() -> None:
    views = HeldBack()
    async with running_engine(read_models=views) as engine:
        at = (await scraped(engine))["runfold_follower_position",]
        views.may_follow.clear()
        for _ in range(5):
            await engine.trigger()
        samples = await scraped_at_once(engine.client)
        views.may_follow.set()
        after = await scraped(engine)

    assert (samples["runfold_follower_position",], samples["runfold_follower_lag_events",]) == (at, 5)
    assert (after["runfold_follower_position",], after["runfold_follower_lag_events",]) == (at + 5, 0)


async def test_during_an_outage_of_the_ledger_it_answers_and_says_so() -> None:
    ledger = FaultyLedger()
    async with running_engine(ledger) as engine:
        await engine.trigger()
        await scraped(engine)
        ledger.fails = 10**9
        refused = await engine.client.post("/api/v1/tasks/greet/trigger", json={})
        samples = await scraped_at_once(engine.client)
        ledger.fails = 0

    assert refused.status_code == 503
    assert samples["runfold_engine_available",] == samples["runfold_node_ready",] == 0
    assert samples["runfold_node_is_writer",] == 1
    assert runs(samples) == {"QUEUED": 1}


async def test_a_standby_tells_of_itself_only(engine: Engine) -> None:
    await engine.trigger()
    await scraped(engine)
    service = engine.service
    clock = ManualClock()
    tenure = Tenure(None, clock, lambda: None)
    standby = Standby(service.ledger, service.read_models, clock, Uuid7Ids(), tenure, service.vault)
    transport = httpx.ASGITransport(create_application(lambda: standby))
    async with httpx.AsyncClient(transport=transport, base_url="http://standby") as client:
        samples = await scraped_at_once(client)
    standby.close()

    assert {key: value for key, value in samples.items() if key[0].startswith("runfold_")} == {
        ("runfold_node_is_writer",): 0,
        ("runfold_node_ready",): 0,
        ("runfold_ledger_head_position",): engine.head,
        ("runfold_follower_position",): engine.head,
        ("runfold_follower_lag_events",): 0,
    }


async def test_two_engines_in_one_process_do_not_share_a_number(engine: Engine) -> None:
    await engine.trigger()
    async with running_engine() as other:
        theirs, ours = await scraped(other), await scraped(engine)

    assert (runs(theirs), runs(ours)) == ({}, {"QUEUED": 1})
    assert ours["runfold_events_committed_total",] == theirs["runfold_events_committed_total",] + 1
    assert b"runfold" not in prometheus_client.generate_latest(), "nothing is in the registry of the process"


async def test_every_metric_that_is_asked_for_in_the_docs_is_told(engine: Engine) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "watch-runfold.md").read_text()

    asked = set(re.findall(r"\brunfold_\w+", page))

    assert len(asked) > 5
    assert asked - {key[0] for key in await scraped(engine)} == set()


async def test_openmetrics_is_spoken_where_it_is_asked_for(engine: Engine) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"

    response = await engine.client.get("/metrics", headers={"accept": accept})

    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    lines = response.text.splitlines()
    assert "# TYPE runfold_events_committed counter" in lines
    assert lines[-1] == "# EOF"
