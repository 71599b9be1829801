"""The page of a run: what it is, why, what happened, and what one can do about it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.keeping.retaining import DAY_MS
from app.pages import run as pages
from app.pages.words import clock
from tests.app.harness import RETRY, Engine, report
from tests.app.waiting import entry, stepped
from tests.dashboard.scene import ERROR, PAYLOAD, STACK, Shop, open_shop
from tests.dashboard.visitor import Node, Visitor


@pytest.fixture
async def shop(engine: Engine) -> Shop:
    return await open_shop(engine, 0)


def facts(page: Node) -> dict[str, str]:
    """What is known of a run, by its names."""
    return {each.one("dt").words: each.one("dd").words for each in page.one("dl", class_="facts").all("div")}


def section(page: Node, title: str) -> Node:
    return next(each for each in page.all("section") if each.all("h2") and each.all("h2")[0].words.startswith(title))


async def test_a_failed_run_says_why(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    page = await visitor.open(f"/runs/{shop.failed}")
    told = facts(page)

    assert page.one("h1").words == "charge-order"
    explained = await engine.get(f"/api/v1/runs/{shop.failed}/explain")
    sentence = page.one("p", class_="sentence")
    moment = sentence.one("time").attributes["datetime"]
    assert sentence.words.replace(clock(moment), moment).replace(f"{moment} .", f"{moment}.") == explained["sentence"]
    assert told["Attempts"] == "3 of 3"
    assert told["Idempotency key"] == "charge A-1077"
    assert told["Tags"] == "customer:ada order:A-1077"
    error = section(page, "Error")
    assert f"{ERROR['name']}: {ERROR['message']}" in error.words
    assert error.one("pre").text == STACK
    assert msgspec.json.decode(page.one("pre", aria_label="Payload").text) == PAYLOAD
    assert not page.all("form", action=f"/runs/{shop.failed}/cancel")
    assert not page.all("div", sse_swap="summary")


async def test_its_attempts_steps_and_children_are_drawn_and_told(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    failed, parent = await visitor.open(f"/runs/{shop.failed}"), await visitor.open(f"/runs/{shop.parent}")

    words = [each.attributes["aria-label"] for each in section(failed, "Timeline").all("svg", role="img")]
    assert words[1:] == [
        "Attempt 1: failed for 240 ms from +0 ms",
        "reserve: completed for 240 ms from +0 ms",
        "Attempt 2: failed for 240 ms from +1.2 s",
        "Attempt 3: failed for 240 ms from +3.5 s",
    ]
    assert words[0].startswith("Run: executing for 240 ms from +0 ms, then reattempting for 1.0 s from +240 ms")
    tracks = [each.words for each in section(parent, "Timeline").all("span", class_="label")]
    assert tracks == ["Run", "Attempt 1", "reserve", "send-receipt", "approval"]
    steps = [each.words for each in section(parent, "Steps and waits").one("tbody").all("tr")]
    assert [step.split()[0] for step in steps] == ["reserve", "send-receipt", "approval"]
    (child,) = list(section(parent, "Timeline").all("a"))
    relative = await visitor.open(child.attributes["href"])
    crumbs = relative.one("p", class_="crumb").all("a")
    assert [each.attributes["href"] for each in crumbs] == ["/", f"/runs/{shop.parent}"]
    assert any(each.attributes["href"] == f"/tokens/{shop.token}" for each in parent.all("a"))
    logs = section(failed, "Logs").all("li")
    assert len(logs) == 6
    assert logs[0].words.endswith('charging the card {"order":"A-1077","amount":-20}')


async def test_its_whole_history_is_there_the_last_event_first(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    page = await visitor.open(f"/runs/{shop.failed}")
    events = (await engine.get(f"/api/v1/runs/{shop.failed}/events"))["events"]

    items = section(page, "History").one("ol").all("details")
    assert [each.one("strong").words.replace(" ", "").lower() for each in items] == [
        event["type"].lower() for event in reversed(events)
    ]
    assert [msgspec.json.decode(each.one("pre").text) for each in items] == [
        event["data"] for event in reversed(events)
    ]


async def test_it_is_shown_as_it_was_after_any_event(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    run = shop.failed
    events = (await engine.get(f"/api/v1/runs/{run}/events"))["events"]

    for number, event in enumerate(events, 1):
        page = await visitor.open(f"/runs/{run}", event=str(number))
        then = await engine.retrieve(run, asOf=event["position"])
        is_past = number < len(events)
        assert page.one("div", class_="titled").one("span", class_="status").words.upper() == then["status"]
        assert facts(page)["Attempts"].split()[0] == str(then["attemptCount"])
        assert len(section(page, "History").one("ol").all("details")) == number
        assert ("This is the run as it was" in page.words) is is_past
        assert bool(page.all("a", href=f"/runs/{run}/replay")) is not is_past


@pytest.mark.parametrize("event", ["0", "-1", "x", "999999", "9" * 20, "٣"])
async def test_an_event_that_there_is_none_of_means_one_that_there_is(visitor: Visitor, shop: Shop, event: str) -> None:
    assert (await visitor.open(f"/runs/{shop.failed}", event=event)).one("h1").words == "charge-order"


async def test_a_live_run_can_be_canceled(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    page = await visitor.open(f"/runs/{shop.parent}")
    (form,) = page.all("form", action=f"/runs/{shop.parent}/cancel")

    place = await visitor.send(form.attributes["action"])

    assert place == f"/runs/{shop.parent}"
    assert (await engine.retrieve(shop.parent))["status"] == "CANCELED"
    assert len(page.all("div", sse_connect=f"/live/runs/{shop.parent}")) == 1


async def test_it_runs_again_with_the_same_payload_byte_for_byte(engine: Engine, visitor: Visitor) -> None:
    payload = b'{"large": 12345678901234567890, "exact": 1.10, "text": "a\\r\\n<b>"}'
    made = await engine.client.post("/api/v1/tasks/greet/trigger", content=b'{"payload": %s}' % payload)
    run = made.json()["id"]
    shown = (await visitor.open(f"/runs/{run}/replay")).one("textarea").text

    place = await visitor.send(f"/runs/{run}/replay", payload=shown.replace("\n", "\r\n"))

    again = await engine.client.get(f"/api/v3/runs/{place.removeprefix('/runs/')}")
    assert payload in again.content
    assert again.json()["replayOf"] == run
    assert "12345678901234567890" in shown
    assert "1.10" in shown


async def test_it_runs_again_with_a_corrected_payload(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    place = await visitor.send(f"/runs/{shop.failed}/replay", payload='{"order": "A-1077", "amount": 20}')

    again = await engine.retrieve(place.removeprefix("/runs/"))
    assert (again["payload"], again["replayOf"]) == ({"order": "A-1077", "amount": 20}, shop.failed)
    assert facts(await visitor.open(place))["Replay of"].startswith("run_…")
    assert facts(await visitor.open(f"/runs/{shop.failed}"))["Replayed as"].startswith("run_…")


async def test_it_runs_again_from_a_step(engine: Engine, visitor: Visitor, shop: Shop) -> None:
    form = (await visitor.open(f"/runs/{shop.parent}/replay")).one("form", action=f"/runs/{shop.parent}/replay")
    steps = [each.attributes["value"] for each in form.one("select").all("option")]
    payload = form.one("textarea").text

    place = await visitor.send(f"/runs/{shop.parent}/replay", payload=payload, step="reserve")

    assert steps == ["", "reserve"]
    assert (await engine.retrieve(place.removeprefix("/runs/")))["replayOf"] == shop.parent


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ('{"amount": 20', "The payload is not JSON"),
        ("", "The payload is empty"),
        ("[" * 3_000, "The payload is not JSON"),
        ("</textarea><script>x</script>", "The payload is not JSON"),
    ],
)
async def test_a_payload_that_is_none_is_refused_and_not_lost(
    engine: Engine, visitor: Visitor, shop: Shop, entered: str, said: str
) -> None:
    before = engine.head
    await visitor.open("/")
    response = await visitor.client.post(f"/runs/{shop.failed}/replay", data={"csrf": visitor.csrf, "payload": entered})
    page = visitor.read(response, 422)

    assert said in page.one("p", role="alert").words
    assert page.one("textarea").text == entered
    assert engine.head == before
    assert not list(page.one("main").all("script"))


async def test_a_step_that_there_is_none_of_is_refused_with_the_reason(visitor: Visitor, shop: Shop) -> None:
    said = await visitor.send(f"/runs/{shop.parent}/replay", 422, payload='{"a": 1}', step="nothing")

    assert "nothing" in said


@pytest.mark.parametrize("run", ["run_1", "run_", "x", "run_%00", "run_ü", "run_" + "0" * 400])
async def test_a_run_that_there_is_none_of_is_said_so(visitor: Visitor, run: str) -> None:
    for path in (f"/runs/{run}", f"/runs/{run}/replay"):
        page = await visitor.open(path, 404)
        assert page.one("h1").words == "There is nothing here"


async def test_a_run_that_waits_for_its_retry_says_what_went_wrong(engine: Engine, visitor: Visitor) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger()
    error: dict[str, Any] = {"name": "OSError", "message": "first\nsecond"}
    await engine.perform(version, "failed", error=error)

    page = await visitor.open(f"/runs/{run}")

    assert page.one("div", class_="titled").one("span", class_="status").words == "Reattempting"
    assert "OSError: first second" in section(page, "Error of the last attempt").words
    assert "None was sent." not in section(page, "History").words


async def test_how_a_run_ended_that_raised_nothing_is_told_in_a_sentence(engine: Engine, visitor: Visitor) -> None:
    version = await engine.register({"id": "greet", "maxDuration": 5_000})
    run = await engine.trigger()
    await engine.take(version)
    await engine.advance(5_000)

    page = await visitor.open(f"/runs/{run}")

    assert section(page, "Error").one("p").words == "Run exceeded its maximum duration"


async def test_of_a_large_payload_as_much_is_shown_as_anybody_reads(engine: Engine, visitor: Visitor) -> None:
    run = await engine.trigger(payload="x" * 1_000_000)

    page = await visitor.open(f"/runs/{run}")
    form = await visitor.open(f"/runs/{run}/replay")

    assert len(page.one("pre", aria_label="Payload").text) == 100_000
    assert "900,002 more characters are not shown." in page.words
    assert len(form.one("textarea").text) == 1_000_002
    place = await visitor.send(f"/runs/{run}/replay", payload=form.one("textarea").text + " ")
    assert (await engine.retrieve(place.removeprefix("/runs/")))["payload"] == "x" * 1_000_000


async def test_a_run_that_was_archived_is_shown_from_its_segment_and_says_so(
    engine: Engine, visitor: Visitor, shop: Shop, tmp_path: Path
) -> None:
    before = await visitor.open(f"/runs/{shop.failed}")
    service = engine.service
    service.segments = service.retention.folder = service.erasures.segments = tmp_path
    await engine.put("/api/v1/retention", {"days": 1})
    engine.clock.wall += 40 * DAY_MS
    (environment,) = service.environments()
    (segment, *_) = await service.retention.archive(environment)
    await visitor.sign_in()

    page = await visitor.open(f"/runs/{shop.failed}")

    assert segment in page.one("dl", class_="facts").words
    assert page.one("div", class_="failure").words == before.one("div", class_="failure").words
    assert page.one("ol", class_="lines").words == before.one("ol", class_="lines").words
    assert not page.one("header", class_="head").all("a")
    assert not [form for form in page.one("main").all("form") if form.attributes.get("method") == "post"]
    await engine.post(f"/api/v1/runs/{shop.failed}/erase")
    erased = await visitor.open(f"/runs/{shop.failed}")
    assert facts(erased)["Erased"] == "What it was given and came to is gone."
    assert ERROR["message"] not in erased.words


async def test_a_run_that_was_erased_says_so_and_shows_nothing_of_it(
    engine: Engine, visitor: Visitor, shop: Shop
) -> None:
    await engine.post(f"/api/v1/runs/{shop.failed}/erase")

    page = await visitor.open(f"/runs/{shop.failed}")

    assert facts(page)["Erased"] == "What it was given and came to is gone."
    assert not page.all("section", aria_label="Values")
    assert not page.all("a", href=f"/runs/{shop.failed}/replay")
    assert ERROR["message"] not in page.words


async def _many(engine: Engine, steps: int, lines: int) -> str:
    """A run that executes, with so many steps, of which the fourth failed, and lines."""
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    failed = report(handed, "step_failed", at=engine.clock.wall, entry=entry(3, "s3"), error=ERROR)
    done = [stepped(handed, index, index, f"s{index}") for index in range(steps)]
    said = [{"at": engine.clock.wall, "level": "info", "message": f"line {number}"} for number in range(lines)]
    logged = report(handed, "logged", at=engine.clock.wall, lines=said, first=0)
    for first in range(0, steps, 50):
        answer = await engine.turn(version, *[*done[:3], failed, *done[4:]][first : first + 50], want=0)
        assert answer["refused"] == []
    await engine.turn(version, logged, want=0)
    return run


def _names(page: Node) -> list[str]:
    return [each.one("td", class_="name").words.split()[0] for each in section(page, "Steps").one("tbody").all("tr")]


async def test_of_very_many_steps_the_last_are_shown_and_links_lead_to_all_others(
    engine: Engine, visitor: Visitor
) -> None:
    run = await _many(engine, 1_200, 0)

    page, seen = await visitor.open(f"/runs/{run}"), list[str]()
    assert "1,101 to 1,200 of 1,200 entries" in section(page, "Steps").words
    assert "1,101 to 1,200 of 1,200 entries" in section(page, "Timeline").words
    tracks = [each.words for each in section(page, "Timeline").all("span", class_="label")]
    assert tracks[2:] == _names(page)
    while True:
        seen = _names(page) + seen
        earlier = section(page, "Steps").all("a", rel="prev")
        if not earlier:
            break
        page = await visitor.open(earlier[0].attributes["href"])
    assert seen == [f"s{index}" for index in range(1_200)]
    back = await visitor.open(section(page, "Steps").one("a", rel="next").attributes["href"])
    assert _names(back)[0] == "s100"


async def test_a_step_that_failed_long_ago_is_named_and_a_step_away(engine: Engine, visitor: Visitor) -> None:
    run = await _many(engine, 150, 0)

    page = await visitor.open(f"/runs/{run}")
    (link,) = [each for each in section(page, "Steps").all("a") if each.words == "s3"]
    path, _, place = link.attributes["href"].partition("#")
    led = await visitor.open(path)

    assert "s3" not in _names(page)
    assert "CardDeclined" in led.one("tr", id=place).words
    (follows,) = led.all("div", sse_close="over")
    assert follows.attributes["sse-connect"] == f"/live{path}"


async def test_all_lines_can_be_reached(engine: Engine, visitor: Visitor) -> None:
    run = await _many(engine, 150, 700)

    page = await visitor.open(f"/runs/{run}")
    logs = section(page, "Logs")
    assert "201 to 700 of 700 lines" in logs.words
    assert logs.all("li")[0].words.endswith("line 200")
    before = await visitor.open(logs.one("a", rel="prev").attributes["href"])
    assert section(before, "Logs").all("li")[0].words.endswith("line 0")
    assert "1 to 500 of 700 lines" in section(before, "Logs").words
    assert len(section(page, "Steps").one("tbody").all("tr")) == 100


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 20, "1"])
async def test_a_part_that_there_is_none_of_means_one_that_there_is(
    engine: Engine, visitor: Visitor, number: str
) -> None:
    run = await _many(engine, 120, 1)

    page = await visitor.open(f"/runs/{run}", steps=number, lines=number)

    assert len(_names(page)) == 100
    assert "1 line" in section(page, "Logs").one("h2").words
    assert "1 lines" not in section(page, "Logs").one("h2").words


async def test_the_events_before_those_that_are_shown_are_those_of_the_run_then(
    engine: Engine, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "EVENTS_MAX", 100)
    run = await _many(engine, 150, 0)

    page = await visitor.open(f"/runs/{run}")
    earlier = section(page, "History").one("a", rel="prev").attributes["href"]
    then = await visitor.open(earlier)

    first = section(page, "History").one("ol").all("details")[-1].attributes["id"]
    before = section(then, "History").one("ol").all("details")[0].attributes["id"]
    assert int(first.removeprefix("event-")) == int(before.removeprefix("event-")) + 1


async def test_a_very_long_error_is_cut_wherever_it_stands_and_can_be_unfolded(
    engine: Engine, visitor: Visitor
) -> None:
    version = await engine.register()
    run = await engine.trigger()
    error: dict[str, Any] = {"name": "E", "message": "long " * 1_000}
    handed = await engine.take(version)
    failed = report(handed, "step_failed", at=engine.clock.wall, entry=entry(0, "s0"), error=error)
    over = report(handed, "failed", at=engine.clock.wall, error=error, retryable=False)
    await engine.turn(version, failed, over, want=0)

    page = await visitor.open(f"/runs/{run}")

    for place in ("whole-sentence", "whole-error", "whole-error-0"):
        whole = page.one("details", id=place)
        assert whole.one("pre").text.count("long") == 1_000
        assert "open" not in whole.attributes
    assert len(page.one("p", class_="sentence").words) < 600
    assert len(page.one("div", class_="failure").one("p").words) < 600
