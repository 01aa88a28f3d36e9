"""A real Chromium for tests: the system's, or the one that playwright has fetched."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

_WAIT_MS = 120_000  # what waits for nothing fails in the end; a slow machine is no failure
expect.set_options(timeout=_WAIT_MS)
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Tab:
    """A page, and what went wrong in it."""

    page: Page
    faults: list[str] = field(default_factory=list[str])

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(message.text)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start a browser; skips where there is none."""
    async with async_playwright() as playwright:
        system = next(filter(None, map(shutil.which, _NAMES)), None)
        path = os.environ.get("PLANLOOM_CHROMIUM") or system or playwright.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("no Chromium: apt-get install chromium, or playwright install chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(
    browser: Browser, url: str, *, width: int = 1100, height: int = 800, dark: bool = False
) -> AsyncIterator[Page]:
    """Open a page; whatever script error or broken policy it reports fails the test."""
    scheme = "dark" if dark else "light"
    context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    tab = Tab(await context.new_page())
    tab.page.on("console", tab.hear)
    tab.page.on("pageerror", lambda error: tab.faults.append(str(error)))
    tab.page.set_default_timeout(_WAIT_MS)
    await tab.page.goto(url)
    yield tab.page
    await context.close()
    assert tab.faults == []
