"""Pages as they were: what the API answered then, and nothing with which one could change anything."""

import pytest
from starlette.routing import Route

from app.pages import charts as charts_page
from app.pages.routes import ROUTES
from app.pages.words import PAGES
from domain.durations import iso
from tests.app.calling import start
from tests.app.harness import LEASE_MS, Engine
from tests.dashboard.scene import Shop, cancel_many, open_shop
from tests.dashboard.test_runs import shown
from tests.dashboard.visitor import Node, Visitor

OF_NO_MOMENT = frozenset({"/assets/{name}", "/sign-in", "/docs", "/search", "/runs/{run}/replay", "/bulk/new"})
"""Files, ways to somewhere else, the document of the API, and forms with which something is done now."""
COMMANDS = (
    "cancel",
    "run",
    "replay",
    "pause",
    "resume",
    "limit",
    "environment",
    "activate",
    "deactivate",
    "new",
    "abort",
)


@pytest.fixture
async def shop(engine: Engine, visitor: Visitor) -> Shop:
    opened = await open_shop(engine, 6)
    # That took a day, and sessions are shorter.
    await visitor.sign_in()
    return opened


def _is_read_only(page: Node) -> bool:
    """Whether no form but the one to sign out is sent, and nothing is sent to what does something."""
    main = page.one("main")
    return (
        not [form for form in main.all("form") if form.attributes.get("method") == "post"]
        and not [
            box for box in main.all("input") if box.attributes.get("type") == "checkbox" and box.has("name", "run")
        ]
        and not [each for each in main.all("a") if each.attributes["href"].split("/")[-1] in COMMANDS]
        and not [each for each in main.all("button") if each.words not in {"Look", "Show", "Find"}]
        and not [each for each in main.all("tbody") if "sse-connect" in each.attributes]
    )


async def test_runs_are_listed_as_they_were_and_lead_to_what_they_were(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    run = await engine.trigger("index-catalog", delay="1h")
    position, wall = engine.head, engine.clock.wall
    await engine.advance(2_000)
    await engine.post(f"/api/v2/runs/{run}/cancel")

    # A field for dates has no parts of a second.
    for moment in (str(position), iso(wall), iso(wall + 1_000)[:19]):
        page = await visitor.open("/", moment=moment)
        (first, *_) = page.one("tbody").all("tr")
        assert first.one("span", class_="status").words == "Delayed"
        assert first.one("a", id=f"to-{run}").attributes["href"].startswith(f"/runs/{run}?moment=")
        assert "This is how it was" in page.one("p", role="status").words
        assert _is_read_only(page)
    of_it = await visitor.open(f"/runs/{run}", moment=str(position))
    assert of_it.one("p", class_="sentence").words.startswith("It is delayed until")
    assert _is_read_only(of_it)
    assert shown(await visitor.open("/"))[0] == run


async def test_pages_and_filters_stay_at_the_moment(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    position = str(engine.head)
    for _ in range(3):
        await engine.trigger("index-catalog")

    page = await visitor.open("/", moment=position, task="index-catalog")
    tabs = [each.attributes["href"] for each in page.one("nav", class_="tabs").all("a")]
    pages = {each.words: each.attributes["href"] for each in page.one("nav", aria_label="Pages").all("a")}

    assert all(f"moment={position}" in each and "task=index-catalog" in each for each in tabs)
    assert pages["Queues"] == f"/queues?moment={position}"
    assert list(pages.values()) == [f"{path}?moment={position}" for path, _ in PAGES]
    (slider,) = page.all("input", type="range")
    assert (slider.attributes["value"], slider.attributes["max"]) == (position, str(engine.head))
    assert [each.attributes["value"] for each in page.all("input", type="hidden") if each.has("name", "task")]


async def test_queues_are_shown_with_what_they_had(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    position = str(engine.head)
    await engine.post("/api/v1/queues/payments/pause", {"type": "custom", "action": "pause"})
    await engine.put("/api/v1/concurrency", {"concurrencyLimit": 9})

    then, now = await visitor.open("/queues", moment=position), await visitor.open("/queues")

    def states(page: Node) -> list[str]:
        return [each.one("span", class_="status").words for each in page.one("tbody").all("tr")]

    assert set(states(then)) == {"Active"}
    assert "Paused" in states(now)
    assert "no limit" in then.one("header", class_="head").words
    assert _is_read_only(then)
    assert not _is_read_only(now)


@pytest.mark.parametrize("moment", ["0", "1"])
async def test_pages_of_a_moment_before_the_environment_are_empty(visitor: Visitor, shop: Shop, moment: str) -> None:
    for path, _ in PAGES:
        page = await visitor.open(path, moment=moment)

        assert "This is how it was" in page.one("p", role="status").words, path
        assert [link for each in page.all("tbody") for link in each.all("a")] == [], path


async def test_a_schedule_is_shown_as_it_was(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    position = str(engine.head)
    await engine.delete(f"/api/v1/schedules/{shop.schedule}")

    listed = await visitor.open("/schedules", moment=position)
    one = await visitor.open(f"/schedules/{shop.schedule}", moment=position)

    assert "sync-inventory" in listed.one("tbody").words
    assert one.one("h1").words == "sync-inventory"
    assert one.one("span", class_="status").words == "Active"
    assert _is_read_only(listed)
    assert _is_read_only(one)
    assert shop.schedule not in (await visitor.open("/schedules")).one("main").words


async def test_the_ticks_of_a_schedule_are_those_of_the_moment(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    await engine.advance(30 * 60_000)
    wall, position = iso(engine.clock.wall), str(engine.head)
    await engine.advance(30 * 60_000)

    def ticks(page: Node) -> list[str]:
        return [each.words for each in page.one("section", aria_labelledby="ticks-title").one("tbody").all("tr")]

    then = await visitor.open(f"/schedules/{shop.schedule}", moment=wall)
    now = await visitor.open(f"/schedules/{shop.schedule}")

    assert [len(ticks(then)), len(ticks(now))] == [2, 4]
    assert ticks(now)[2:] == ticks(then)
    assert _is_read_only(then)
    week = await visitor.open(f"/schedules/{shop.schedule}", moment=position, days="7")
    assert f"?days=30&moment={position}" in str([each.attributes["href"] for each in week.one("main").all("a")])


async def test_batches_are_shown_as_they_were_and_lead_to_their_runs_of_then(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    batch = (await engine.post("/api/v1/tasks/batch", {"items": [{"task": "resize-image"}]}))["id"]
    position = str(engine.head)
    (run,) = (await engine.get(f"/api/v2/batches/{batch}"))["runs"]
    await engine.post(f"/api/v2/runs/{run}/cancel")

    listed = await visitor.open("/batches", moment=position)
    one = await visitor.open(f"/batches/{batch}", moment=position)

    def first(page: Node) -> Node:
        return page.one("tbody").all("tr")[0]

    assert first(listed).one("span", class_="status").words == "Processing"
    assert first(listed).one("a").attributes["href"] == f"/batches/{batch}?moment={position}"
    assert first(await visitor.open("/batches")).one("span", class_="status").words == "Completed"
    assert first(one).one("span", class_="status").words == "Queued"
    assert first(one).one("a").attributes["href"] == f"/runs/{run}?moment={position}"
    assert _is_read_only(listed)
    assert _is_read_only(one)
    assert "There were no batches." in (await visitor.open("/batches", moment="1")).words
    tabs = [each.attributes["href"] for each in listed.one("nav", class_="tabs").all("a")]
    assert all(f"moment={position}" in each for each in tabs)


async def test_deployments_are_shown_as_they_were(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    position = str(engine.head)
    version = await engine.register({"id": "brand-new"})

    then, now = await visitor.open("/deployments", moment=position), await visitor.open("/deployments")

    assert version in now.one("tbody").words
    assert version not in then.one("tbody").words
    assert _is_read_only(then)
    assert not _is_read_only(now)
    assert "There was no version." in (await visitor.open("/deployments", moment="1")).words


async def test_jobs_are_shown_as_they_were_with_their_executions_of_then(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    (before,) = (await visitor.open("/jobs")).one("tbody").all("tr")
    position = str(engine.head)
    await start(engine, shop.job)
    await engine.client.patch(f"/v1/jobs/{shop.job}", json={"name": "Renamed"})

    listed = await visitor.open("/jobs", moment=position)
    one, now = await visitor.open(f"/jobs/{shop.job}", moment=position), await visitor.open(f"/jobs/{shop.job}")

    (row,) = listed.one("tbody").all("tr")
    assert row.words == before.words
    assert row.one("a").attributes["href"] == f"/jobs/{shop.job}?moment={position}"
    assert one.one("h1").words == "Ping the status page"
    assert "It had not been executed." in one.words
    assert (now.one("h1").words, len(now.one("tbody").all("tr"))) == ("Renamed", 1)
    assert _is_read_only(listed)
    assert _is_read_only(one)
    assert not _is_read_only(now)
    assert "There was no HTTP job." in (await visitor.open("/jobs", moment="1")).words


async def test_tokens_are_shown_as_they_were_and_cannot_be_completed_there(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    position, path = str(engine.head), f"/tokens/{shop.token}"
    await engine.post(f"/api/v1/waitpoints/tokens/{shop.token}/complete", {"data": 1})

    listed = await visitor.open("/tokens", moment=position, status="WAITING")
    then, now = await visitor.open(path, moment=position), await visitor.open(path)

    assert f"{path}?moment={position}" in [each.attributes["href"] for each in listed.one("tbody").all("a")]
    tabs = [each.attributes["href"] for each in listed.one("nav", class_="tabs").all("a")]
    assert all(f"moment={position}" in each for each in tabs)
    assert [page.one("header", class_="head").one("span", class_="status").words for page in (then, now)] == [
        "Waiting",
        "Completed",
    ]
    assert "Output" not in then.one("main").words
    assert _is_read_only(listed)
    assert _is_read_only(then)
    assert "There was no token." in (await visitor.open("/tokens", moment="1")).words


async def test_a_moment_that_is_none_is_refused_and_before_all_there_was_nothing(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    refused = await visitor.open("/", 422, moment="yesterday")
    before = await visitor.open("/", moment="2001-01-01T00:00:00")

    assert "yesterday" in refused.one("main").words
    assert "There were no runs." in before.one("tbody").words
    assert "did not exist yet" in (await visitor.open(f"/runs/{shop.failed}", 404, moment="1")).one("main").words


def _leads_to_now(page: Node, path: str, position: str) -> list[str]:
    """The links that leave the moment, without those whose wish that is."""
    links = [each for each in page.one("body").all("a") if each.words != "Now" and not each.has("class_", "skip")]
    targets = [each.attributes["href"] for each in links]
    return [each for each in targets if f"moment={position}" not in each and not each.startswith(f"{path}?event=")]


async def test_every_page_there_is_shows_the_moment_and_leads_to_others_at_it(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    bulk = await cancel_many(engine, 1)
    position = str(engine.head)
    named = {"run": shop.parent, "bulk": bulk, "schedule": shop.schedule, "job": shop.job, "batch": shop.batch}
    paths = [each.path for each in ROUTES if isinstance(each, Route) and "GET" in (each.methods or ())]

    shown = [path for path in paths if path not in OF_NO_MOMENT and not path.startswith("/live/")]
    for path in (each.format(**named, token=shop.token) for each in shown):
        page = await visitor.open(path, moment=position)
        assert any(each in page.one("main").words for each in ("This is how it was at", "This is the run as it was at"))
        assert _is_read_only(page), path
        assert _leads_to_now(page, path, position) == [], path
    assert len(shown) == len(PAGES) + 6


async def test_a_page_of_what_was_not_there_yet_stays_at_the_moment(visitor: Visitor, shop: Shop) -> None:
    for path in (f"/runs/{shop.failed}", f"/batches/{shop.batch}", "/bulk/bulk_1"):
        assert _leads_to_now(await visitor.open(path, 404, moment="1"), path, "1") == []
    wrong = await visitor.open("/keys", 422, moment="yesterday")
    assert [each for each in wrong.all("a") if "moment" in each.attributes["href"]] == []


async def test_what_is_looked_for_is_found_at_the_moment(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    position = str(engine.head)
    for path in ("/", "/batches"):
        form = (await visitor.open(path, moment=position)).one("form", class_="search")
        assert form.one("input", type="hidden").attributes["value"] == position
    await engine.trigger("charge-order", idempotencyKey="later")

    async def found(text: str, moment: str = "") -> str:
        answer = await visitor.client.get("/search", params={"q": text} | ({"moment": moment} if moment else {}))
        return str(answer.headers["location"])

    assert await found(shop.batch, position) == f"/batches/{shop.batch}?moment={position}"
    assert await found("charge A-1077", position) == f"/runs/{shop.failed}?moment={position}"
    assert await found("later", position) == f"/?tag=later&moment={position}"
    assert (await found("later")).startswith("/runs/run_")
    assert await found("", position) == f"/?moment={position}"


def charted(page: Node) -> list[str]:
    """All that the charts show: numbers, columns, curves and tasks."""
    drawn = [
        str(sorted(each.attributes.items()))
        for figure in page.all("figure")
        for kind in ("rect", "polyline", "svg")
        for each in figure.all(kind)
    ]
    tables = [each.words for each in page.all("tbody")]
    return [page.one("header", class_="head").words, *drawn, *tables, *[each.words for each in page.all("title")]]


async def test_charts_are_those_of_the_moment(
    engine: Engine, visitor: Visitor, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: tuple[dict[str, str], ...] = ({}, {"period": "7d"}, {"period": "7d", "task": "charge-order"})

    async def charts(**more: str) -> list[list[str]]:
        return [charted(await visitor.open("/charts", **query, **more)) for query in queries]

    seen: list[tuple[str, list[list[str]]]] = []
    for _ in range(4):
        seen.append((iso(engine.clock.wall), await charts()))
        await engine.advance(2_000)
        await engine.perform(shop.version)
        await engine.trigger("charge-order")

    assert len({str(each) for _, each in seen}) == len(seen)
    for wall, before in seen:
        assert await charts(moment=wall) == before
    monkeypatch.setattr(charts_page, "RUNS_MAX", 5)
    page = await visitor.open("/charts", moment=seen[0][0], period="7d")
    assert "5 runs, 0 failed. The period has more" in page.words
    assert "How far the ledger was verified then is in no event." in page.words
    assert "now" not in page.one("div", class_="charts").words.split()
    kept = page.one("form", class_="slide").all("input", type="hidden")
    assert [(each.attributes["name"], each.attributes["value"]) for each in kept] == [("period", "7d")]
    assert "No runs in this time." in (await visitor.open("/charts", moment="1")).words


async def test_workers_are_those_that_had_runs(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    await engine.turn(shop.version, want=5, name="shop-3/4711")
    position, (worker,) = str(engine.head), (await engine.get("/api/v1/workers"))["data"]
    await engine.advance(LEASE_MS)

    then, now = await visitor.open("/workers", moment=position), await visitor.open("/workers")

    assert "Which workers were connected is in no event" in then.one("main").words
    (row,) = then.one("tbody").all("tr")
    assert [each.words for each in row.all("td", class_="number")][1:] == [str(worker["waiting"])]
    assert row.all("td", class_="number")[0].words.startswith(str(worker["running"]))
    assert len(row.all("td")) == len(then.one("thead").all("th")) == 5
    assert "any machine" not in row.words
    assert "No worker is connected." in now.words
    assert "No worker had a run." in (await visitor.open("/workers", moment="1")).words


async def test_keys_are_those_that_opened_the_environment(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    made = await engine.post("/api/v1/environments/dev/keys")
    before, position = await visitor.open("/keys"), str(engine.head)
    await visitor.send("/keys/revoke", key=made["id"])

    then = await visitor.open("/keys", moment=position)

    def ids(page: Node) -> list[str]:
        return [each.one("span", class_="id").words for each in page.one("tbody").all("tr")]

    assert ids(then) == ids(before)
    assert made["id"] in ids(then)
    assert made["id"] not in ids(await visitor.open("/keys"))
    assert made["key"] not in then.text
    assert "There was no key." in (await visitor.open("/keys", moment="1")).words


async def test_bulk_actions_are_shown_as_far_as_they_were(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    before = str(engine.head)
    bulk = await cancel_many(engine, 2)
    begun = str((await engine.service.history(bulk))[0].position)

    listed, one = await visitor.open("/bulk", moment=begun), await visitor.open(f"/bulk/{bulk}", moment=begun)

    assert listed.one("tbody").one("span", class_="status").words == "Pending"
    assert listed.one("tbody").one("a").attributes["href"] == f"/bulk/{bulk}?moment={begun}"
    assert one.one("progress").words == "0 of 2"
    assert not [each for each in one.all("div") if "sse-connect" in each.attributes]
    assert (await visitor.open(f"/bulk/{bulk}")).one("progress").words == "2 of 2"
    assert "Nothing had been done in bulk." in (await visitor.open("/bulk", moment=before)).words
    assert "did not exist yet" in (await visitor.open(f"/bulk/{bulk}", 404, moment=before)).words
