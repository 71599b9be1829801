"""The list of runs: what it shows is what the API lists, for any filter, page by page."""

from typing import Any

import pytest

from app.pages import looking, runs
from app.pages.filters import FIELDS, SIZE
from tests.app.harness import Engine, environment, running_engine
from tests.dashboard.scene import TASKS, Shop, cancel_many, open_shop
from tests.dashboard.visitor import Node, Visitor, visiting


@pytest.fixture
async def shop(engine: Engine, visitor: Visitor) -> Shop:
    opened = await open_shop(engine, 24)
    # That took a day, and sessions are shorter.
    await visitor.sign_in()
    return opened


def shown(page: Node) -> list[str]:
    """The runs on a page."""
    return [box.attributes["value"] for box in page.one("tbody").all("input", name="run")]


async def test_the_newest_runs_come_first_each_with_what_one_wants_to_know(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    page = await visitor.open("/")
    failed = (await visitor.open("/", tag="order:A-1077")).one("tbody").one("tr")

    assert shown(page) == await engine.listed(**{"page[size]": SIZE})
    assert failed.one("span", class_="status").words == "Failed"
    assert failed.one("td", class_="name").words == (
        "charge-order CardDeclined: card 4242 was declined: amount must be positive"
    )
    assert [each.words for each in failed.all("a", class_="tag")] == ["customer:ada", "order:A-1077"]
    assert failed.one("a", id=f"to-{shop.failed}").attributes["href"] == f"/runs/{shop.failed}"
    assert [each.words for each in failed.all("td", class_="number")] == ["720 ms", "3"]


async def test_every_filter_of_the_api_is_one_of_the_page(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    created = [run["createdAt"] for run in (await engine.get("/api/v1/runs"))["data"]]
    filters: list[dict[str, str]] = [
        {"status": "FAILED"},
        {"status": "COMPLETED,CANCELED"},
        {"task": TASKS[0]},
        {"tag": "customer:ada,catalog"},
        {"version": shop.version},
        {"queue": "payments"},
        {"machine": "micro"},
        {"batch": shop.batch},
        {"schedule": shop.schedule},
        {"bulk": await cancel_many(engine, 2)},
        {"test": "false"},
        {"test": "true"},
        {"period": "2h"},
        {"from": created[9], "to": created[2]},
        {"status": "FAILED", "task": TASKS[0], "period": "7d"},
    ]

    assert {name for each in filters for name in each} == FIELDS.keys()
    for each in filters:
        page = await visitor.open("/", **each)
        asked = {FIELDS[name]: value for name, value in each.items()} | {"page[size]": SIZE}
        assert shown(page) == await engine.listed(**asked), each
        form = page.one("form", action="/", class_="grid")
        assert {name for name in each if name != "status"} <= _entered(form), each
        assert "no run is like this" in page.words.lower() or shown(page), each


async def test_statuses_are_checked_one_by_one_or_taken_as_a_group(visitor: Visitor, shop: Shop) -> None:
    response = await visitor.client.get("/?status=FAILED&status=CANCELED")
    failures = await visitor.open("/")
    group = next(each for each in failures.one("nav", class_="tabs").all("a") if each.words == "Failed")

    page = await visitor.open(group.attributes["href"])

    assert response.text.count('value="FAILED" checked') == 1
    assert response.text.count('value="CANCELED" checked') == 1
    assert shop.failed in shown(page)
    assert [each.words for each in page.one("nav", class_="tabs").all("a", aria_current="true")] == ["Failed"]
    assert {each.words for each in page.one("tbody").all("span", class_="status")} == {"Failed"}


async def test_pages_follow_one_another_without_a_gap(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    page, found = await visitor.open("/"), list[str]()
    back = ""
    while True:
        found += shown(page)
        (turn,) = page.all("nav", class_="turn")
        if not turn.all("a", rel="next"):
            break
        page = await visitor.open(turn.one("a", rel="next").attributes["href"])
        back = page.one("nav", class_="turn").one("a", rel="prev").attributes["href"]

    everything = await engine.listed(**{"page[size]": "100"})
    assert found == everything
    assert shown(await visitor.open(back)) == everything[: int(SIZE)]
    assert shop.failed in everything[int(SIZE) :]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("status", "NOPE", "NOPE"),
        ("period", "soon", "is not a duration"),
        ("from", "yesterday", "ISO 8601"),
        ("machine", "huge", "There is no machine"),
        ("after", "x", "This cursor was not given out by a list."),
        ("isTest", "true", "The list has no filter 'isTest'. It has status, task, tag,"),
        ("filter[tag]", "a", "The list has no filter 'filter[tag]'."),
    ],
)
async def test_a_filter_that_cannot_be_is_refused_and_stays_to_be_mended(
    visitor: Visitor, field: str, value: str, said: str
) -> None:
    page = await visitor.open("/", 400, **{field: value, "tag": "kept"})

    assert said in page.one("p", role="alert").words
    assert page.one("form", class_="grid").one("input", name="tag").attributes["value"] == "kept"


async def test_one_is_told_what_an_empty_list_means(visitor: Visitor) -> None:
    assert "No runs yet." in (await visitor.open("/")).one("tbody").words
    assert "No run is like this." in (await visitor.open("/", tag="none")).one("tbody").words


async def test_what_no_index_finds_is_looked_for_as_far_back_as_can_be_done_at_once(
    engine: Engine, visitor: Visitor, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await engine.listed(**{"filter[version]": shop.version, "filter[tag]": "customer:ada"})
    whole = await visitor.open("/", version=shop.version, status="FAILED")
    monkeypatch.setattr(looking, "SECONDS", 0.0)

    page = await visitor.open("/", version=shop.version, status="FAILED")
    none = await visitor.open("/", machine="micro")
    further = await visitor.open(page.one("tr", class_="none").one("a").attributes["href"])

    both = await visitor.open("/", tag="customer:ada", queue="payments")

    assert old == [shop.failed]
    assert "of the last 1h" in both.one("tr", class_="none").words
    assert shop.failed in shown(whole)
    assert shop.failed not in shown(page)
    assert "of the last 1h" in page.one("tr", class_="none").words
    assert "No run of the last 1h is like this." in none.one("tbody").words
    assert shown(further) == shown(whole)
    assert "look further back" not in further.words


async def test_before_there_is_any_version_there_is_a_list_all_the_same() -> None:
    async with running_engine(is_known=False) as engine, visiting(engine) as client:
        visitor = Visitor(client)
        await visitor.sign_in()

        assert "No runs yet." in (await visitor.open("/")).words
        assert "No version yet." in (await visitor.open("/deployments")).words
        assert "No worker is connected." in (await visitor.open("/workers")).words
        assert (await client.get("/search?q=a+key")).headers["location"] == "/?tag=a+key"


async def test_a_page_costs_one_page_of_the_list_however_many_runs_there_are(
    engine: Engine, visitor: Visitor, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    models = engine.service.read_models

    class Watched:
        def __getattr__(self, name: str) -> Any:
            def call(*arguments: Any, **named: Any) -> Any:
                asked.append((name, *arguments[2:]))
                return getattr(models, name)(*arguments, **named)

            return call

    monkeypatch.setattr(engine.service, "read_models", Watched())
    for query in ("", "?status=FAILED", "?tag=catalog&period=7d", "?task=send-receipt&queue=x&test=false&period=7d"):
        await visitor.open(f"/{query}")

    assert asked == [("list_runs", int(SIZE))] * 4


async def test_a_run_is_found_by_its_id_its_key_or_a_tag(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    found = {
        shop.failed: f"/runs/{shop.failed}",
        "charge A-1077": f"/runs/{shop.failed}",
        "order:A-1077": "/?tag=order%3AA-1077",
        shop.batch: f"/batches/{shop.batch}",
        shop.token: f"/tokens/{shop.token}",
        shop.schedule: f"/schedules/{shop.schedule}",
        shop.job: f"/jobs/{shop.job}",
        "run_/../x?y": "/runs/run_%2F..%2Fx%3Fy",
        "": "/",
    }

    for text, place in found.items():
        response = await visitor.client.get("/search", params={"q": text})
        assert (response.status_code, response.headers["location"]) == (303, place), text


async def test_a_run_is_found_by_the_end_of_its_id_that_lists_show(
    engine: Engine, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = await engine.trigger(), await engine.trigger()
    row = next(each for each in (await visitor.open("/")).one("tbody").all("span", class_="id"))

    for text in (row.words, row.words.removeprefix("run_"), newer[-8:], f"run_{newer[-8:]}"):
        response = await visitor.client.get("/search", params={"q": text})
        assert response.headers["location"] == f"/runs/{newer}", text
    monkeypatch.setattr(runs, "ENDINGS_MAX", 1)
    too_old = await visitor.client.get("/search", params={"q": older[-8:]})

    assert too_old.headers["location"] == f"/?tag={older[-8:]}"
    assert "none of the newest 1 an id that ends so" in (await visitor.open(too_old.headers["location"])).words


async def test_nothing_of_another_environment_is_shown(engine: Engine, visitor: Visitor) -> None:
    other = await environment(engine, "staging")
    run = await other.trigger(tags=["theirs"], idempotencyKey="theirs")
    made: Any = await other.post("/api/v1/waitpoints/tokens", {})
    batch: Any = await other.post("/api/v1/tasks/greet/batch", {"items": [{}]})
    schedule: Any = await other.post("/api/v1/schedules", {"task": "greet", "every": 5})
    bulk: Any = await other.post("/api/v1/bulk-actions", {"action": "cancel", "runIds": [run]})

    assert "No runs yet." in (await visitor.open("/")).words
    for path in (
        *(f"/runs/{run}", f"/runs/{run}/replay", f"/tokens/{made['id']}", f"/batches/{batch['batchId']}"),
        *(f"/schedules/{schedule['id']}", f"/bulk/{bulk['id']}"),
    ):
        assert "There is nothing here" in (await visitor.open(path, 404)).words, path
    before = engine.head
    for path in (f"/runs/{run}/cancel", f"/runs/{run}/replay", f"/tokens/{made['id']}/complete"):
        await visitor.send(path, 404, payload="1", data="1")
    assert engine.head == before
    response = await visitor.client.get("/search", params={"q": "theirs"})
    assert response.headers["location"] == "/?tag=theirs"


def _entered(form: Node) -> set[str]:
    """The names of the fields that hold something."""
    inputs = {each.attributes["name"] for each in form.all("input") if each.attributes.get("value")}
    selects = {
        each.attributes["name"]
        for each in form.all("select")
        if any(
            "selected" in option.attributes and option.attributes.get("value") != "" for option in each.all("option")
        )
    }
    return inputs | selects
