"""A real browser at a real engine: Chromium without a window, and axe-core's rules of what everybody can use."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.app.harness import KEY, Engine, application_of
from tests.app.nodes import listen, serving
from tests.official_sdk.node import CACHE_VARIABLE, INSTALL_SECONDS, NotThere

HERE = Path(__file__).parent
AXE_VERSION = json.loads((HERE / "package.json").read_text())["dependencies"]["axe-core"]
SHOTS = HERE / "screenshots"
LOOKS: dict[str, tuple[int, int, Literal["light", "dark"]]] = {
    "light": (1280, 860, "light"),
    "dark": (1280, 860, "dark"),
    "phone": (390, 844, "light"),
}
"""How wide and high a window is, and which colours are asked for."""
VIEWS: dict[str, dict[str, Any]] = {
    name: {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    for name, (width, height, scheme) in LOOKS.items()
}
expect.set_options(timeout=30_000)  # more than any of it takes where three tests share two processors
RUN_AXE = """async (rules) => (await axe.run({resultTypes: ["violations"], ...(rules.length ? {runOnly: rules} : {})}))
    .violations.map(each => `${each.id}: ${each.nodes.map(node => node.target.join(" ")).join(", ")}`)"""


class Screen:
    """A tab of a browser, and whatever it complained of."""

    def __init__(self, address: str, page: Page) -> None:
        self.address = address
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    async def open(self, path: str) -> None:
        await self.page.goto(self.address + path)

    async def sign_in(self) -> None:
        """With the key of the harness."""
        await self.open("/sign-in")
        await self.page.get_by_label("Secret key").fill(KEY)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(f"{self.address}/")

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@asynccontextmanager
async def browsing(engine: Engine) -> AsyncGenerator[tuple[str, Browser]]:
    """The address of the engine, and a browser. Raises NotThere."""
    listening, address = listen()
    async with serving(application_of(engine), listening), chromium() as browser:
        try:
            yield address, browser
        finally:
            await browser.close()
            engine.service.watching.close()


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """A browser. Raises NotThere."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise NotThere("there is no Chromium here: install it with the system's package manager")
    async with async_playwright() as playwright:
        # The sandbox needs rights that containers do not give; only our own pages are opened.
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def screen(address: str, browser: Browser, **options: Any) -> AsyncGenerator[Screen]:
    """A new tab without a session."""
    context: BrowserContext = await browser.new_context(**options)
    yield Screen(address, await context.new_page())
    await context.close()


def axe() -> str:
    """The script of axe-core, fetched once and kept outside of the checkout. Raises NotThere."""
    if shutil.which("npm") is None:
        raise NotThere("there is no npm here to fetch axe-core with")
    given = os.environ.get(CACHE_VARIABLE)
    cache = Path(given) if given else Path.home() / ".cache" / "runfold-tests"
    script = cache / f"axe-core-{AXE_VERSION}" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=cache, prefix="part-"))
        shutil.copy(HERE / "package.json", part)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=part, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode:
            shutil.rmtree(part)
            raise NotThere(f"npm cannot install axe-core {AXE_VERSION}: {done.stderr.strip()[-300:]}")
        try:
            part.rename(cache / f"axe-core-{AXE_VERSION}")
        except OSError:
            shutil.rmtree(part)  # another process was first
    return script.read_text(encoding="utf-8")
