"""Many runs at once: nothing is done before it was shown."""

import pytest

from app.pages import bulk as pages
from domain.commands import AbortBulk
from tests.app.harness import Engine
from tests.dashboard.scene import cancel_many
from tests.dashboard.visitor import Node, Visitor


async def _delayed(engine: Engine, count: int, tag: str) -> list[str]:
    return [await engine.trigger(delay="1h", tags=[tag]) for _ in range(count)]


def _hidden(page: Node) -> dict[str, list[str]]:
    """What the form would send."""
    fields: dict[str, list[str]] = {}
    for each in page.one("form", action="/bulk").all("input"):
        fields.setdefault(each.attributes["name"], []).append(each.attributes["value"])
    return {name: values for name, values in fields.items() if name not in {"csrf", "request"}}


async def _done(engine: Engine, place: str) -> dict[str, object]:
    bulk = place.removeprefix("/bulk/")
    while (told := await engine.get(f"/api/v1/bulk-actions/{bulk}"))["status"] == "PENDING":
        await engine.service.watching.anything(engine.head, 5)
    return dict(told)


async def test_those_that_are_checked_are_canceled(engine: Engine, visitor: Visitor) -> None:
    first, second, third = await _delayed(engine, 3, "a")

    page = await visitor.open(f"/bulk/new?run={first}&run={third}&action=cancel")
    assert page.one("h1").words == "Cancel 2 runs?"
    assert _hidden(page) == {"action": ["cancel"], "run": [first, third]}
    place = await visitor.send("/bulk", **_hidden(page))
    told = await _done(engine, place)

    assert told["counts"] == {"total": 2, "success": 2, "failure": 0}
    assert [(await engine.retrieve(run))["status"] for run in (first, second, third)] == [
        "CANCELED",
        "DELAYED",
        "CANCELED",
    ]
    assert (await visitor.open(place)).one("progress").attributes["value"] == "2"
    assert place in {each.attributes["href"] for each in (await visitor.open("/bulk")).one("tbody").all("a")}


async def test_the_page_of_an_action_that_an_error_stopped_says_why(
    engine: Engine, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await engine.trigger()
    monkeypatch.setattr(engine.service.bulk_actions, "look", lambda: None)
    bulk: str = (await engine.post("/api/v1/bulk-actions", {"action": "cancel", "runIds": [run]}))["id"]
    origin = {"environment": (await engine.service.history(bulk))[0].environment, "actor": "engine", "cause": bulk}
    await engine.service.loop.submit(AbortBulk(bulk=bulk, error="It could not go on.", at=0, **origin))

    page = await visitor.open(f"/bulk/{bulk}")

    assert page.one("dl").words.endswith("Stopped by an error It could not go on.")


async def test_all_that_a_filter_leaves_are_replayed(engine: Engine, visitor: Visitor) -> None:
    await _delayed(engine, 2, "mine")
    await _delayed(engine, 1, "others")

    page = await visitor.open("/bulk/new?tag=mine&status=DELAYED&test=false&period=1d&all=replay")
    assert page.one("h1").words == "Replay 2 runs that match?"
    assert len(page.one("ul", class_="plain").all("li")) == 2
    told = await _done(engine, await visitor.send("/bulk", **_hidden(page)))

    assert told["counts"] == {"total": 2, "success": 2, "failure": 0}
    assert len(await engine.listed(**{"filter[tag]": "mine"})) == 4


async def test_how_many_it_would_be_is_said_before(
    engine: Engine, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _delayed(engine, 1, "one")
    await _delayed(engine, 12, "many")

    one, many = [await visitor.open(f"/bulk/new?tag={tag}&all=cancel") for tag in ("one", "many")]
    none = await visitor.open("/bulk/new?tag=none&all=cancel")
    monkeypatch.setattr(pages, "COUNT_MAX", 11)
    more = await visitor.open("/bulk/new?tag=many&all=cancel")

    touched = await visitor.open(f"/bulk/new?bulk={await cancel_many(engine, 2)}&all=replay")

    assert touched.one("h1").words == "Replay 2 runs that match?"
    assert one.one("h1").words == "Cancel 1 run that matches?"
    assert many.one("h1").words == "Cancel 12 runs that match?"
    assert "The newest 10 of these:" in many.words
    assert more.one("h1").words == "Cancel more than 11 runs that match?"
    assert none.one("h1").words == "No run matches"
    assert not none.all("form", action="/bulk")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("action=cancel", "No run is checked"),
        ("all=cancel", "There is no filter"),
        ("action=explode&run=run_1", "can be canceled or replayed"),
        ("", "can be canceled or replayed"),
        ("all=cancel&status=NOPE", "NOPE"),
    ],
)
async def test_what_cannot_be_done_is_said_before(visitor: Visitor, query: str, said: str) -> None:
    response = await visitor.client.get(f"/bulk/new?{query}")

    assert response.status_code in {400, 422}
    assert said in visitor.read(response, response.status_code).one("main").words


async def test_a_form_that_names_nothing_does_nothing(engine: Engine, visitor: Visitor) -> None:
    before = engine.head

    for fields in (
        *({"action": "cancel"}, {"action": "x", "run": "run_1"}, {"action": "cancel", "run": "x"}),
        *({"action": "cancel", "unknown": "x"}, {"action": "cancel", "status": "NOPE"}),
    ):
        response = await visitor.client.post("/bulk", data={"csrf": visitor.csrf} | fields)
        assert response.status_code in {400, 422}
    assert engine.head == before


async def test_what_is_over_or_not_there_cannot_be_stopped_and_it_is_said(engine: Engine, visitor: Visitor) -> None:
    runs = await _delayed(engine, 2, "a")
    place = await visitor.send("/bulk", action="cancel", run=runs)
    await _done(engine, place)

    assert "it is COMPLETED" in await visitor.send(f"{place}/abort", 400)
    await visitor.send("/bulk/bulk_0/abort", 404)
