"""Queues, schedules, jobs, batches, waitpoints, versions, keys and charts: what is shown, and what one can do there."""

from typing import Any

import msgspec
import pytest

from app.pages import charts
from app.pages.words import PAGES
from tests.app.harness import KEY, Engine
from tests.dashboard.scene import Shop, open_shop
from tests.dashboard.visitor import Node, Visitor


@pytest.fixture
async def shop(engine: Engine, visitor: Visitor) -> Shop:
    opened = await open_shop(engine, 12)
    # That took a day, and sessions are shorter.
    await visitor.sign_in()
    return opened


def row(page: Node, words: str) -> Node:
    (found,) = [each for each in page.one("tbody").all("tr") if words in each.words]
    return found


async def test_every_page_is_one_step_away_and_says_where_one_is(visitor: Visitor, shop: Shop) -> None:
    for path, name in PAGES:
        page = await visitor.open(path)
        (here,) = page.one("nav", aria_label="Pages").all("a", aria_current="page")
        assert (here.attributes["href"], here.words) == (path, name)
        assert len(page.all("h1")) == 1
        assert page.one("head").one("title").words.endswith("Runfold")


async def test_a_page_without_anything_says_what_would_be_there(visitor: Visitor) -> None:
    for path in ("/schedules", "/jobs", "/batches", "/tokens", "/bulk", "/charts"):
        assert (await visitor.open(path)).one("div", class_="blank").words, path


async def test_a_queue_is_paused_resumed_and_given_another_limit(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    def queue() -> Any:
        return engine.get("/api/v1/queues/payments", type="custom")

    name = (await queue())["id"]
    assert row(await visitor.open("/queues"), "payments").one("span", class_="status").words == "Active"

    assert await visitor.send("/queues/pause", queue=name) == "/queues"
    assert (await queue())["paused"] is True
    assert row(await visitor.open("/queues"), "payments").one("span", class_="status").words == "Paused"
    await visitor.send("/queues/resume", queue=name)
    assert (await queue())["paused"] is False
    await visitor.send("/queues/limit", queue=name, limit=" 9 ")
    assert (await queue())["concurrencyLimit"] == 9
    assert "in the place of 4" in row(await visitor.open("/queues"), "payments").words
    await visitor.send("/queues/limit", queue=name, limit="")
    assert (await queue())["concurrencyLimit"] == 4
    await visitor.send("/queues/environment", limit="50")
    assert (await engine.get("/api/v1/concurrency"))["concurrencyLimit"] == 50
    await visitor.send("/queues/environment", limit="")
    assert (await engine.get("/api/v1/concurrency"))["concurrencyLimit"] is None


@pytest.mark.parametrize("limit", ["-1", "x", "1.5", "9" * 12])
async def test_a_limit_that_is_none_is_refused(engine: Engine, visitor: Visitor, shop: Shop, limit: str) -> None:
    before = engine.head

    said = await visitor.send("/queues/environment", 422, limit=limit)

    assert "A limit is a whole number" in said
    assert engine.head == before
    await visitor.send("/queues/pause", 404, queue="none/../of")


async def test_a_schedule_shows_what_became_of_its_ticks(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    await engine.advance(16 * 60_000)

    page = await visitor.open(f"/schedules/{shop.schedule}")

    told = (await engine.get(f"/api/v1/schedules/{shop.schedule}/ticks"))["ticks"]
    ticks = page.one("tbody").all("tr")
    assert [each.all("a")[0].attributes["href"] for each in ticks] == [f"/runs/{each['run']}" for each in told[::-1]]
    assert len(told) >= 1
    assert "Every 15" in page.one("p", class_="sentence").words
    run = await visitor.open(f"/runs/{told[0]['run']}")
    assert any(each.attributes["href"] == f"/schedules/{shop.schedule}" for each in run.one("dl").all("a"))
    place = await visitor.send(f"/schedules/{shop.schedule}/deactivate")
    assert (await visitor.open(place)).one("div", class_="titled").words == "sync-inventory Paused"
    await visitor.send(f"/schedules/{shop.schedule}/activate")
    assert (await engine.get(f"/api/v1/schedules/{shop.schedule}"))["active"] is True
    assert row(await visitor.open("/schedules"), "sync-inventory").one("span", class_="status").words == "Active"


async def test_a_schedule_is_run_now(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    path = f"/schedules/{shop.schedule}/run"
    page = await visitor.open(f"/schedules/{shop.schedule}")
    listed = row(await visitor.open("/schedules"), "sync-inventory")
    assert page.one("form", action=path).one("button").words == "Run now"
    button = listed.one("form", action=path).one("button")
    assert (button.words, button.attributes["aria-label"]) == ("Run now", "Run now: sync-inventory")

    place = await visitor.send(path)

    run = await engine.retrieve(place.removeprefix("/runs/"))
    assert (run["taskIdentifier"], run["source"]) == ("sync-inventory", "manual")
    ticks = (await visitor.open(f"/schedules/{shop.schedule}")).one("section", aria_labelledby="ticks-title")
    (told,) = [each for each in ticks.one("tbody").all("tr") if "Manual" in each.words]
    assert told.one("a").attributes["href"] == place
    await visitor.send("/schedules/sched_unknown/run", 404)


async def test_the_runs_of_ticks_that_were_missed_are_made(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    await visitor.send(f"/schedules/{shop.schedule}/deactivate")
    await engine.advance(40 * 60_000)
    await visitor.send(f"/schedules/{shop.schedule}/activate")
    page = await visitor.open(f"/schedules/{shop.schedule}")
    form = page.one("form", action=f"/schedules/{shop.schedule}/backfill")
    fields = {each.attributes["name"]: each.attributes["value"] for each in form.all("input", type="hidden")}

    place = await visitor.send(form.attributes["action"], **{"from": fields["from"], "to": fields["to"]})

    ticks = (await engine.get(f"/api/v1/schedules/{shop.schedule}/ticks"))["ticks"]
    assert f"{len(ticks)} of these ticks have no run." in form.words
    assert all("run" in tick for tick in ticks)
    assert not (await visitor.open(place)).all("form", action=form.attributes["action"])
    assert "is neither a duration" in await visitor.send(form.attributes["action"], 422, **{"from": "x", "to": "y"})


async def test_a_job_is_run_paused_and_resumed(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    page = await visitor.open(f"/jobs/{shop.job}")
    assert page.one("p", class_="sentence").words == "GET https://status.example.com/ping"

    run = (await visitor.send(f"/jobs/{shop.job}/run")).removeprefix("/runs/")
    execution = await engine.get(f"/v1/executions/{run}")
    await visitor.send(f"/jobs/{shop.job}/pause")

    assert execution["job_id"] == shop.job
    assert row(await visitor.open("/jobs"), "Ping the status page").one("span", class_="status").words == "Paused"
    page = await visitor.open(f"/jobs/{shop.job}")
    assert page.one("tbody").one("a").attributes["href"] == f"/runs/{run}"
    await visitor.send(f"/jobs/{shop.job}/resume")
    assert (await engine.get(f"/v1/jobs/{shop.job}"))["state"] == "active"


async def test_a_batch_shows_how_far_its_runs_are(visitor: Visitor, shop: Shop) -> None:
    listed = (await visitor.open("/batches")).one("tbody")
    assert listed.one("a").attributes["href"] == f"/batches/{shop.batch}"
    assert listed.words.split()[1:3] == ["Completed", "5"]
    blank = await visitor.open("/batches?status=ABORTED")
    assert "No batches like this." in blank.words

    page = await visitor.open(f"/batches/{shop.batch}")

    assert len(page.one("tbody").all("tr")) == 5
    assert "Completed 5" in page.one("dl").words


async def test_a_token_is_completed_with_what_was_entered(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    assert len((await visitor.open("/tokens", status="WAITING")).one("tbody").all("tr")) == 1

    said = await visitor.send(f"/tokens/{shop.token}/complete", 422, data='{"approved": ')
    assert "This is not JSON" in said
    place = await visitor.send(f"/tokens/{shop.token}/complete", data='{"approved": true}')

    page = await visitor.open(place)
    assert msgspec.json.decode(page.one("pre").text) == {"approved": True}
    assert not page.all("form", action=f"/tokens/{shop.token}/complete")
    assert (await engine.retrieve(shop.parent))["status"] in {"EXECUTING", "QUEUED"}


async def test_a_version_is_promoted(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    versions = [each["version"] for each in (await engine.get("/api/v1/deployments"))["data"]]

    page = await visitor.open("/deployments")
    assert [each.one("a").words for each in page.one("tbody").all("tr")] == versions
    await visitor.send("/deployments/promote", version=versions[-1])

    assert (await engine.get("/api/v1/deployments/current"))["version"] == versions[-1]
    await visitor.send("/deployments/promote", 404, version="20000101.1")


async def test_workers_are_shown_with_what_they_take_and_hold(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    await engine.turn(shop.version, want=5, name="shop-3/4711")

    shown = row(await visitor.open("/workers"), "shop-3/4711")

    assert shown.all("a")[0].words == shop.version
    assert "charge-order" in shown.words
    assert "for any machine" in shown.words
    (worker,) = (await engine.get("/api/v1/workers"))["data"]
    assert worker["running"] > 0
    told = [each.words for each in shown.all("td", class_="number")]
    assert told[0].startswith(str(worker["running"]))
    assert told[1:] == [str(worker["waiting"]), "5"]
    assert {each.attributes["href"] for each in shown.all("a")} >= {f"/runs/{worker['runs'][0]['id']}"}


async def test_a_key_is_made_shown_once_and_revoked(engine: Engine, visitor: Visitor) -> None:
    response = await visitor.client.post("/keys", data={"csrf": visitor.csrf})
    made = visitor.read(response, 200).one("div", role="status").one("code").words

    engine.client.headers["authorization"] = f"Bearer {made}"
    assert (await engine.client.get("/api/v1/runs")).status_code == 200
    page = await visitor.open("/keys")
    assert made not in page.words
    assert KEY not in page.words
    mine = row(page, "yours").one("input", name="key").attributes["value"]
    other = next(each.attributes["value"] for each in page.all("input", name="key") if each.attributes["value"] != mine)
    assert await visitor.send("/keys/revoke", key=other) == "/keys"
    assert (await engine.client.get("/api/v1/runs")).status_code == 401
    assert "last" in await visitor.send("/keys/revoke", 400, key=mine)


async def test_charts_count_every_run_of_their_time(
    engine: Engine, visitor: Visitor, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = (await engine.get("/api/v1/runs", **{"page[size]": "100", "filter[createdAt][period]": "7d"}))["data"]
    failed = sum(run["status"] == "FAILED" for run in runs)

    page = await visitor.open("/charts", period="7d")
    assert page.one("header", class_="head").one("p").words == f"{len(runs)} runs, {failed} failed."
    bars = page.all("figure")[0].all("rect")
    assert sum(float(bar.attributes["height"]) > 0 for bar in bars) == len(bars) > 0
    (of_task,) = [each for each in page.one("tbody").all("tr") if each.all("a")[0].words == "charge-order"]
    assert of_task.all("td")[1].words == str(sum(run["taskIdentifier"] == "charge-order" for run in runs))
    narrowed = await visitor.open("/charts", period="7d", task="charge-order")
    assert f"{of_task.all('td')[1].words} runs of charge-order" in narrowed.words
    monkeypatch.setattr(charts, "RUNS_MAX", 5)
    assert f"up to event 0 of {engine.head}." in page.words, "nothing looks at the ledger here"
    engine.service.comparer.fault = "runs: status of <b>run_1</b> is not what the ledger makes of it."
    assert "runs: status of <b>run_1</b>" in (await visitor.open("/charts")).words
    assert "5 runs, 0 failed. The period has more" in (await visitor.open("/charts", period="7d")).words


@pytest.mark.parametrize("part", ["verifier", "comparer"])
async def test_damage_is_told_on_every_page_to_who_is_signed_in(engine: Engine, visitor: Visitor, part: str) -> None:
    getattr(engine.service, part).fault = "Event 3 is not what was there before."

    for path, _ in PAGES:
        (told,) = (await visitor.open(path)).one("main").all("p", class_="notice bad", role="alert")
        assert told.one("a").attributes["href"] == "/charts#proved-title"
    assert (await visitor.open("/charts")).all("h2", id="proved-title")
    await visitor.send("/sign-out")
    assert not (await visitor.open("/sign-in")).all("p", role="alert")
    await visitor.sign_in()
    getattr(engine.service, part).fault = None
    assert not (await visitor.open("/")).all("p", role="alert")


async def test_a_mistyped_address_is_a_page_to_browsers_and_json_to_programs(engine: Engine, visitor: Visitor) -> None:
    page = visitor.read(await visitor.client.get("/nothere", headers={"accept": "text/html,*/*;q=0.8"}), 404)
    told = await engine.client.get("/nothere")

    assert page.one("p", role="alert").words == "There is nothing at /nothere."
    assert [each.attributes["href"] for each in page.one("main").all("a")] == ["/"]
    assert (told.status_code, told.json()["error"]) == (404, "There is nothing at /nothere.")


async def test_a_moment_that_is_none_is_refused_with_what_one_is(visitor: Visitor) -> None:
    page = await visitor.open("/queues?moment=x", 422)

    assert page.one("p", role="alert").words == "A moment is a position of the ledger or an ISO 8601 date, not 'x'."
