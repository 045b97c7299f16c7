"""One Chromium for the worker, one fake shop and one page for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.contexts import Contexts, Visit
from tests.browser.fake_server import FakeShop, serving_shop
from tests.browser.looks import picture
from tests.browser.real import buyer, person, server  # noqa: F401 -- fixtures

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
EXPECT_MS = 20_000
"""How long a test waits for what it expects: a busy machine is slow, and waiting costs a passing test nothing."""
HEARD = """known => {
  const state = document.querySelector('ic-chat').state;
  return state.lastEvent >= known[state.thread.id];
}"""
SHARED, ROOM = Path("/dev/shm"), 2 * 1024**3  # noqa: S108 (nothing of ours is put there)
MEANWHILE = "seconds => { const now = Date.now; Date.now = () => now() + seconds * 1000; }"
EXPECTED_NOISE = ("Failed to load resource", "net::ERR_")


PLAYWRIGHTS = """AvoidUnnecessaryBeforeUnloadCheckSync DestroyProfileOnBrowserClose HttpsUpgrades
  HttpsFirstBalancedModeAutoEnable LensOverlay MediaRouter PaintHolding ThirdPartyStoragePartitioning
  AvoidCorsURLLoaderRestartOnRedirect OptimizationHints NetworkTimeServiceQuerying AimEnabled PreconnectToSearch"""
"""What Playwright 1.65 switches off; the last list of a kind wins, so ours has to name them again."""
NEEDLESS = "SpareRendererForSitePerProcess WebUIOmniboxPopup WebUIOmniboxAimPopup"
"""A process that waits for a page to come, and those that every window has for the suggestions below its address."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--enable-features=CDPScreenshotNewSurface,SkipListAccountsWithoutGaiaCookies,NetworkServiceInProcess2",
    "--disable-features=" + ",".join(f"{PLAYWRIGHTS} {NEEDLESS}".split()),
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
"""What draws and what fetches are threads of the browser: a fifth less work than processes that tell each other. (The
first two features are Playwright's own.) Whatever a page asks of anybody else is not found."""


def _has_room() -> bool:
    """In memory for what processes show each other: by way of a disk it costs a tenth more."""
    return SHARED.is_dir() and shutil.disk_usage(SHARED).free > ROOM


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of these tests the long ones come first: at the end the workers would wait for one of them."""
    places = [place for place, item in enumerate(items) if item.get_closest_marker("browser")]
    ours = sorted((items[place] for place in places), key=lambda item: item.get_closest_marker("long") is None)
    for place, item in zip(places, ours, strict=True):
        items[place] = item


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: install Debian's chromium, or set CHROMIUM")
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        left_out = ["--disable-dev-shm-usage"] if _has_room() else None
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, ignore_default_args=left_out)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def contexts(chromium: Browser) -> Contexts:
    return Contexts(chromium)


@pytest.fixture(scope="session")
def _fake() -> Iterator[FakeShop]:
    with serving_shop() as running:
        yield running


@pytest.fixture
def shop(_fake: FakeShop) -> Iterator[FakeShop]:
    """The worker's fake shop, as if it were new."""
    yield _fake
    _fake.clear()


@dataclass
class Shopper:
    """A browser context on the shop."""

    visit: Visit
    shop: FakeShop

    @property
    def context(self) -> BrowserContext:
        return self.visit.context

    def open(self, path: str = "/", *, script: str = "") -> Chat:
        """A page of it, which runs ``script`` before its own."""
        page = self.visit.own_page() if script else self.visit.page()
        if script:
            page.add_init_script(script)
        page.goto(self.shop.base + path)
        page.wait_for_selector("ic-chat .ic-composer")
        return Chat(page, self.shop)


@dataclass
class Chat:
    page: Page
    shop: FakeShop

    def say(self, text: str) -> None:
        self.page.fill("#composer", text)
        self.page.press("#composer", "Enter")

    def ask(self, text: str) -> None:
        """Says it and waits for the end of the turn."""
        before = len(self.shop.answers)
        self.say(text)
        expect(self.page.locator("[data-role=user]").last).to_contain_text(text)
        self.settle(before)

    def settle(self, before: int) -> None:
        """Waits until the turns begun since are over, and the page has heard of it."""
        self.until(lambda: len(self.shop.answers) > before and not self.shop.turns)
        known = {thread.id: len(thread.log) for thread in self.shop.threads.values()}
        self.page.wait_for_function(HEARD, arg=known, polling=20)
        expect(self.page.locator(".ic-log")).to_have_attribute("aria-busy", "false")

    def until(self, holds: Callable[[], object]) -> None:
        """Waits for what the page does not show."""
        for _ in range(EXPECT_MS // 5):
            if holds():
                return
            self.page.wait_for_timeout(5)
        raise AssertionError("it did not come to pass")

    def card(self) -> Any:
        return self.page.locator("ic-confirm").last

    def checkout(self) -> Any:
        self.ask("I want to pay")
        expect(self.card().get_by_role("button", name="Pay $")).to_be_visible()
        return self.card()

    def wait(self, seconds: float) -> None:
        """So much time passes for this page, until it is loaded again."""
        self.page.evaluate(MEANWHILE, seconds)

    def shot(self, name: str) -> None:
        picture(self.page, f"chat/{name}")


@pytest.fixture
def new_shopper(contexts: Contexts, shop: FakeShop) -> Iterator[Any]:
    """Makes shoppers; at the end none may have asked a foreign origin or seen an error."""
    made: list[Shopper] = []

    def make(**options: Any) -> Shopper:
        made.append(Shopper(contexts.take(**options), shop))
        return made[-1]

    yield make
    for shopper in made:
        contexts.give(shopper.visit)
    assert [one for shopper in made for one in shopper.visit.foreign(shop.base, shop.psp)] == []
    said = [text for shopper in made for text in shopper.visit.complaints("error")]
    assert [text for text in said if not any(noise in text for noise in EXPECTED_NOISE)] == []


@pytest.fixture
def shopper(new_shopper: Any) -> Shopper:
    made: Shopper = new_shopper()
    return made


@pytest.fixture
def chat(shopper: Shopper) -> Chat:
    return shopper.open()
