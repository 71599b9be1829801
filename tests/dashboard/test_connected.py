"""A page that follows, in a real browser, while its engine is gone: it says so, and goes on when the engine is back."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from tests.app.harness import Engine, application_of
from tests.app.nodes import listen, serving
from tests.dashboard.browser import VIEWS, Screen, chromium, screen
from tests.official_sdk.node import NotThere

pytestmark = pytest.mark.timeout(240)
RESOURCE = ("Failed to load resource", "GET http")
"""What Chromium itself writes of a server that does not answer."""


async def test_a_page_says_that_its_engine_is_gone_until_it_is_back(engine: Engine) -> None:
    application = application_of(engine)
    listening, address = listen()
    try:
        async with chromium() as browser:
            await _lost_and_found(engine, application, listening, address, browser)
    except NotThere as error:
        pytest.skip(str(error))


async def _lost_and_found(
    engine: Engine, application: Any, listening: socket.socket, address: str, browser: Browser
) -> None:
    async with screen(address, browser, **VIEWS["phone"]) as tab:
        notice = tab.page.locator("#lost")
        async with serving(application, listening):
            await _open(tab)
            await expect(notice).to_be_hidden()

        await expect(notice).to_be_visible()
        await expect(notice).to_contain_text("Not connected; as of")
        assert await notice.locator("time").get_attribute("title")

        run = await engine.trigger(delay="1h")
        async with serving(application, socket.create_server(("127.0.0.1", urlsplit(address).port or 0))):
            await expect(notice).to_be_hidden()
            await expect(tab.page.locator(f"#to-{run}")).to_be_visible()
            assert [each for each in tab.complaints if not each.startswith(RESOURCE)] == []
            await browser.close()
            engine.service.watching.close()


async def _open(tab: Screen) -> None:
    """The list of runs, which is followed."""
    await tab.sign_in()
    await expect(tab.page.locator("#rows")).to_be_attached()
