"""Pages as they were: what the API answered then, and nothing with which one could change anything."""

import pytest

from app.pages.words import LOOKING_BACK
from domain.durations import iso
from tests.app.calling import start
from tests.app.harness import Engine
from tests.dashboard.scene import Shop, open_shop
from tests.dashboard.test_runs import shown
from tests.dashboard.visitor import Node, Visitor

COMMANDS = ("cancel", "run", "replay", "pause", "resume", "limit", "environment", "activate", "deactivate", "bulk")


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
    assert pages["Keys"] == "/keys"
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
    for path in sorted(LOOKING_BACK):
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
