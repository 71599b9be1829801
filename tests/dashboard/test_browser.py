"""Whole stories in a real browser: what people do, what they see without reloading, and that everybody can use it."""

import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from app.engine.environments import digest_of
from tests.app.harness import KEY, Engine, ManualClock, report, running_engine
from tests.dashboard.browser import LOOKS, RUN_AXE, SHOTS, VIEWS, Screen, axe, browsing, screen
from tests.dashboard.scene import Shop, cancel_many, open_shop
from tests.official_sdk.node import NotThere

DAY_MS = 86_400_000
EVIL = "<img src=/x onerror=alert(1)><script>alert(2)</script>"
CUT_TABLES = """() => [...document.querySelectorAll("main .table")].filter(each => each.scrollWidth > each.clientWidth)
    .map(each => `${each.getAttribute("aria-label")} is ${each.scrollWidth - each.clientWidth} px too wide`)"""
REFUSED = "Failed to load resource: the server responded with a status of 422"
pytestmark = pytest.mark.timeout(240)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncGenerator[tuple[Engine, Shop, str, Browser]]:
    """A shop that opened yesterday, by the clock of the browser."""
    clock = ManualClock()
    clock.wall = int(time.time() * 1_000) - DAY_MS
    async with running_engine(clock=clock) as engine:
        shop = await open_shop(engine, 40)
        try:
            async with browsing(engine) as (address, browser):
                yield engine, shop, address, browser
        except NotThere as error:
            pytest.skip(str(error))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_failed_run_of_yesterday_is_found_understood_corrected_and_watched(world: Any) -> None:
    engine, shop, address, browser = world
    async with screen(address, browser, **VIEWS["light"]) as tab:
        await tab.sign_in()
        page = tab.page
        await page.get_by_role("navigation", name="Statuses").get_by_role("link", name="Failed").click()
        await page.get_by_role("link", name="charge-order").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("charge-order")
        await expect(page.locator(".failure > p")).to_contain_text("amount must be positive")
        await expect(page.get_by_label("Payload")).to_contain_text('"amount": -20')

        await page.get_by_role("link", name="Replay", exact=True).click()
        box = page.get_by_label("Payload")
        await box.fill((await box.input_value()).replace("-20", "20,"))
        await page.get_by_role("button", name="Replay").click()
        await expect(page.get_by_role("alert")).to_contain_text("The payload is not JSON")
        await box.fill((await box.input_value()).replace("20,,", "20,"))
        await page.get_by_role("button", name="Replay").click()
        status = page.locator(".titled .status")
        await expect(status).to_have_text("Queued")
        run = page.url.rpartition("/")[2]
        while True:
            handed = await engine.take(shop.version)
            if handed["id"] == run:
                break
        await expect(status).to_have_text("Executing")
        await page.locator("#event-1 summary").click()
        done = report(handed, "succeeded", at=engine.clock.wall, output={"charged": 20})
        await engine.turn(shop.version, done, want=0)
        await expect(status).to_have_text("Completed")
        await expect(page.get_by_label("Output")).to_contain_text('"charged": 20')
        await expect(page.locator("#event-1")).to_have_attribute("open", "")
        await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)

        assert handed["payload"]["amount"] == 20
        # The one that was refused is the one that Chromium tells of.
        assert [each.partition(" (")[0] for each in tab.complaints] == [REFUSED]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_list_goes_on_by_itself_and_leaves_what_one_checked(world: Any) -> None:
    engine, _, address, browser = world
    async with screen(address, browser, **VIEWS["light"]) as tab:
        await tab.sign_in()
        page = tab.page
        first = page.locator("#rows tr").first
        run = await first.locator("input").get_attribute("value")
        await first.locator("input").check()

        made = await engine.trigger("greet", EVIL, tags=[EVIL], delay="3h")
        await expect(page.locator(f"#to-{made}")).to_be_visible()
        await expect(page.locator(f"#pick-{run}")).to_be_checked()
        await expect(page.locator(f"#to-{made}").locator("xpath=ancestor::tr").locator(".tag").first).to_have_text(EVIL)
        await engine.post(f"/api/v2/runs/{made}/cancel")
        status = page.locator(f"#to-{made}").locator("xpath=ancestor::tr").locator(".status")
        await expect(status).to_have_text("Canceled")
        await page.get_by_role("button", name="Replay", exact=True).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Replay 1 run?")
        assert tab.complaints == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_slider_shows_each_page_as_it_was_until_one_goes_back_to_now(world: Any) -> None:
    engine, _, address, browser = world
    bulk = await cancel_many(engine, 2)
    (begun, *_) = await engine.service.history(bulk)
    made = await engine.post("/api/v1/environments/dev/keys")
    async with screen(address, browser, **VIEWS["light"]) as tab:
        await tab.sign_in()
        page = tab.page
        pages = page.get_by_role("navigation", name="Pages")
        await page.get_by_role("slider").fill(str(begun.position))
        await expect(page.get_by_role("status")).to_contain_text(f"after event {begun.position}")

        await pages.get_by_role("link", name="Bulk actions").click()
        await expect(page.locator("tbody tr").first.locator(".status")).to_have_text("Pending")
        await page.locator("tbody a").first.click()
        await expect(page.get_by_role("progressbar")).to_have_attribute("value", "0")
        await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        await pages.get_by_role("link", name="Keys").click()
        await expect(page.get_by_text(made["id"])).to_have_count(0)
        await pages.get_by_role("link", name="Workers").click()
        await expect(page.get_by_text("Which workers were connected is in no event")).to_be_visible()
        await pages.get_by_role("link", name="Charts").click()
        await expect(page.get_by_role("status")).to_contain_text(f"after event {begun.position}")
        await page.get_by_role("link", name="7d").click()
        await expect(page.get_by_role("status")).to_contain_text(f"after event {begun.position}")
        await page.get_by_role("link", name="Now").click()
        await expect(page.get_by_role("status")).to_have_count(0)
        await pages.get_by_role("link", name="Keys").click()
        await expect(page.get_by_text(made["id"])).to_be_visible()
        assert tab.complaints == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_double_click_makes_one_run_and_a_click_after_going_back_another(world: Any) -> None:
    engine, shop, address, browser = world

    async def by_hand() -> int:
        ticks = (await engine.get(f"/api/v1/schedules/{shop.schedule}/ticks"))["ticks"]
        return [tick.get("fate") for tick in ticks].count("MANUAL")

    async with screen(address, browser, **VIEWS["light"]) as tab:
        await tab.sign_in()
        page, schedule = tab.page, f"{address}/schedules/{shop.schedule}"
        button = page.get_by_role("button", name="Run now")
        before = await by_hand()
        await page.goto(schedule)
        await button.dblclick()
        await page.wait_for_url(f"{address}/runs/*")
        assert await by_hand() - before == 1

        await page.go_back()
        await button.click()
        await page.wait_for_url(f"{address}/runs/*")
        assert await by_hand() - before == 2

        await page.go_back()
        field = page.locator('input[name="request"]')
        key = await field.input_value()
        # Chromium keeps no page for one who drives it, so it is told that it had.
        await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
        assert await field.input_value() != key
        assert tab.complaints == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_double_click_makes_one_key_which_is_shown(world: Any) -> None:
    engine, _, address, browser = world
    keys = "/api/v1/environments/dev/keys"

    async with screen(address, browser, **VIEWS["light"]) as tab:
        await tab.sign_in()
        before = (await engine.get(keys))["data"]
        page = tab.page
        await page.goto(f"{address}/keys")
        button = page.get_by_role("button", name="Make a key")
        place = await button.bounding_box()
        assert place is not None
        await button.dblclick()
        # The second click of a slow one comes when the key is shown already, and would leave that page.
        await expect(page.get_by_text("shown this once")).to_be_visible()
        await page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        shown = await page.locator('.notice[role="status"] code').inner_text()
        *others, made = (await engine.get(keys))["data"]

        assert others == before
        assert made["id"] == digest_of(shown)[:12]
        assert tab.complaints == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_address_of_runfold_dev_opens_signed_in_and_keeps_no_key(world: Any) -> None:
    _, _, address, browser = world
    async with screen(address, browser, **VIEWS["dark"]) as tab:
        await tab.open(f"/sign-in#{KEY}")

        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("Runs")
        assert tab.page.url == f"{address}/"
        await tab.page.keyboard.press("Tab")
        await expect(tab.page.get_by_text("Skip to content")).to_be_focused()
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.locator("main")).to_be_focused()
        assert tab.complaints == []


@pytest.mark.asyncio(loop_scope="module")
async def test_everything_can_be_read_and_done_without_a_script(world: Any) -> None:
    engine, shop, address, browser = world
    async with screen(address, browser, java_script_enabled=False, **VIEWS["phone"]) as tab:
        await tab.sign_in()
        page = tab.page
        await expect(page.locator("#rows tr")).to_have_count(25)
        await page.get_by_role("link", name="Failed").click()
        await page.get_by_role("link", name="charge-order").click()
        await expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
        await page.locator("#event-1 summary").click()
        await page.locator("#event-1").get_by_role("link").click()
        await expect(page.locator(".titled .status")).to_have_text("Queued")
        await tab.open(f"/tokens/{shop.token}")
        await page.get_by_label("What those who wait are given").fill('{"approved": true}')
        await page.get_by_role("button", name="Complete").click()
        await expect(page.get_by_label("Output")).to_contain_text("approved")
        assert (await engine.get(f"/api/v1/waitpoints/tokens/{shop.token}"))["status"] == "COMPLETED"


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_on_the_page_of_a_run_is_wider_than_a_phone(world: Any) -> None:
    engine, shop, address, browser = world
    long = "without-any-place-to-break-it".replace("-", "") * 4
    run = await engine.trigger("greet", long, tags=[long, f"{long}2"], idempotencyKey=long, delay="3h")
    async with screen(address, browser, **VIEWS["phone"]) as tab:
        await tab.sign_in()
        for path in (f"/runs/{run}", f"/runs/{shop.failed}", f"/runs/{shop.parent}"):
            await tab.open(path)
            await tab.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
            assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert await tab.page.evaluate("""[...document.querySelectorAll("table.entries")]
                .every(each => each.getBoundingClientRect().right <= innerWidth)"""), path


@pytest.mark.asyncio(loop_scope="module")
async def test_everybody_can_use_every_page_in_light_and_dark_and_on_a_phone(world: Any) -> None:
    engine, shop, address, browser = world
    token = await engine.post("/api/v1/waitpoints/tokens", {"timeout": "1h", "tags": ["approval"]})
    bulk = await cancel_many(engine, 2)
    moment = f"moment={engine.head}"
    try:
        script = axe()
    except NotThere as error:
        pytest.skip(str(error))
    SHOTS.mkdir(exist_ok=True)
    paths = {
        "runs": "/",
        "filtered": "/?status=FAILED&period=7d",
        "run": f"/runs/{shop.failed}",
        "run-waiting": f"/runs/{shop.parent}",
        "run-as-it-was": f"/runs/{shop.failed}?event=4",
        "replay": f"/runs/{shop.failed}/replay",
        "charts": "/charts",
        "queues": "/queues",
        "schedules": "/schedules",
        "schedule": f"/schedules/{shop.schedule}?days=7",
        "jobs": "/jobs",
        "job": f"/jobs/{shop.job}",
        "batches": "/batches",
        "batch": f"/batches/{shop.batch}",
        "waitpoints": "/tokens",
        "waitpoint": f"/tokens/{token['id']}",
        "bulk": "/bulk",
        "bulk-new": "/bulk/new?all=replay&status=FAILED",
        "deployments": "/deployments",
        "workers": "/workers",
        "keys": "/keys",
        "docs": "/docs",
        **{f"{name}-then": f"/{name}?{moment}" for name in ("charts", "queues", "bulk", "workers", "keys")},
        "bulk-one-then": f"/bulk/{bulk}?{moment}",
        "run-then": f"/runs/{shop.failed}?{moment}",
    }
    found: dict[str, Any] = {}
    # The policy of the pages would keep the script of axe-core out; the other tests hold it.
    async with screen(address, browser, bypass_csp=True) as tab:
        await tab.open("/sign-in")
        found |= await _looks(tab, script, "sign-in")
        await tab.sign_in()
        for name, path in paths.items():
            await tab.open(path)
            found |= await _looks(tab, script, name)
        assert tab.complaints == []
        await tab.page.evaluate("document.querySelector('h1').innerHTML = '<img src=data:,x><button></button>'")
        assert await tab.page.evaluate(RUN_AXE, []), "the rules find what is wrong"

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


async def _looks(tab: Screen, script: str, name: str) -> dict[str, list[str]]:
    """What is wrong with a page in each view, in which it is kept as a picture."""
    page, found = tab.page, dict[str, list[str]]()
    await page.evaluate(script)
    for view, (width, height, scheme) in LOOKS.items():
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme)
        await page.screenshot(path=SHOTS / f"{name}-{view}.png")
        # In the dark nothing but the colours is another.
        wrong = await page.evaluate(RUN_AXE, ["color-contrast"] if view == "dark" else [])
        too_wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        cut: list[str] = await page.evaluate(CUT_TABLES) if view == "light" else []
        found[f"{name} {view}"] = wrong + (["it is wider than the window"] if too_wide else []) + cut
    return found
