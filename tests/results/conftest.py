"""A real browser without a network, and the pages that it opens."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opened_page import Opened
from playwright.sync_api import Browser, sync_playwright

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A container has no sandbox of its own and no GPU; nothing is fetched in the background.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    assert found, f"the report is tested in a browser, but none of {', '.join(CHROMIUMS)} is installed. On Debian: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """What opens a file: `opened(path, width=1280)`; its pages are closed after the test."""
    pages: list[Opened] = []

    def open_page(path: Path, width: int = 1280) -> Opened:
        pages.append(Opened(browser, path, width))
        return pages[-1]

    yield open_page
    for one in pages:
        one.context.close()
