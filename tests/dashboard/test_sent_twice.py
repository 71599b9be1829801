"""What a double click sends: the same form twice. What it makes is made once."""

from urllib.parse import urlencode

import pytest

from tests.app.harness import Engine
from tests.dashboard.scene import Shop, open_shop
from tests.dashboard.visitor import Node, Visitor

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def shop(engine: Engine, visitor: Visitor) -> Shop:
    opened = await open_shop(engine, 2)
    # That took a day, and sessions are shorter.
    await visitor.sign_in()
    return opened


def _form(page: Node, action: str) -> str:
    """The form as a browser sends it."""
    form = page.one("form", method="post", action=action)
    fields = [(each.attributes["name"], each.attributes["value"]) for each in form.all("input")]
    return urlencode(fields + [(each.attributes["name"], each.text) for each in form.all("textarea")])


async def _sent(visitor: Visitor, action: str, form: str) -> str:
    response = await visitor.client.post(action, content=form, headers=FORM)
    assert response.status_code == 303, response.text
    return str(response.headers["location"])


def _places(shop: Shop) -> dict[str, tuple[str, str]]:
    """The page and the form on it."""
    return {
        "a schedule": (f"/schedules/{shop.schedule}", f"/schedules/{shop.schedule}/run"),
        "the list of schedules": ("/schedules", f"/schedules/{shop.schedule}/run"),
        "a job": (f"/jobs/{shop.job}", f"/jobs/{shop.job}/run"),
        "a replay": (f"/runs/{shop.failed}/replay", f"/runs/{shop.failed}/replay"),
        "many replays": (f"/bulk/new?run={shop.failed}&action=replay", "/bulk"),
    }


@pytest.mark.parametrize("place", ["a schedule", "the list of schedules", "a job", "a replay", "many replays"])
async def test_a_form_that_is_sent_twice_makes_one_thing(
    engine: Engine, visitor: Visitor, shop: Shop, place: str
) -> None:
    path, action = _places(shop)[place]
    form = _form(await visitor.open(path), action)

    first = await _sent(visitor, action, form)
    before = engine.head
    again = await _sent(visitor, action, form)

    assert again == first
    assert engine.head == before or place == "many replays", "the runs of a bulk action are made meanwhile"


async def test_a_key_is_made_once_and_both_answers_show_it(engine: Engine, visitor: Visitor) -> None:
    async def pressed(form: str) -> str:
        page = visitor.read(await visitor.client.post("/keys", content=form, headers=FORM), 200)
        return page.one("div", role="status").one("code").words

    form = _form(await visitor.open("/keys"), "/keys")
    first = await pressed(form)
    before = engine.head

    assert await pressed(form) == first
    assert engine.head == before
    assert await pressed(_form(await visitor.open("/keys"), "/keys")) != first


async def test_a_key_that_is_not_shown_again_is_told_of(engine: Engine, visitor: Visitor) -> None:
    form = _form(await visitor.open("/keys"), "/keys")
    await visitor.client.post("/keys", content=form, headers=FORM)
    *_, made = (await engine.get("/api/v1/environments/dev/keys"))["data"]
    await engine.delete(f"/api/v1/environments/dev/keys/{made['id']}")

    page = visitor.read(await visitor.client.post("/keys", content=form, headers=FORM), 400)

    assert f"Key {made['id']}, which was made when this was sent first, was revoked since" in page.one("main").words


async def test_the_form_of_a_page_that_is_opened_again_makes_another(visitor: Visitor, shop: Shop) -> None:
    path, action = _places(shop)["a schedule"]

    made = {await _sent(visitor, action, _form(await visitor.open(path), action)) for _ in range(2)}

    assert len(made) == 2


async def test_who_goes_back_and_enters_something_else_gets_a_run_with_that(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    path, action = _places(shop)["a replay"]
    form = _form(await visitor.open(path), action)

    first = await _sent(visitor, action, form)
    second = await _sent(visitor, action, form.replace("payload=", "payload=7&was="))

    payloads = [(await engine.retrieve(each.removeprefix("/runs/")))["payload"] for each in (first, second)]
    assert payloads[0] == (await engine.retrieve(shop.failed))["payload"]
    assert payloads[1] == 7
