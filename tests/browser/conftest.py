"""One Chromium for the worker, one fake shop and one page for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.browser.fake_server import FakeShop, serving_shop
from tests.browser.real import buyer, person, server  # noqa: F401 -- fixtures

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "chat"
EXPECT_MS = 20_000
"""How long a test waits for what it expects: a busy machine is slow, and waiting costs a passing test nothing."""
EXPECTED_NOISE = ("Failed to load resource", "net::ERR_")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: install Debian's chromium, or set CHROMIUM")
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def shop() -> Iterator[FakeShop]:
    with serving_shop() as running:
        yield running


def picture(page: Page, path: Path, **options: Any) -> None:
    """A picture for people to look at. Chromium now and then fails to take one: it is asked once more."""
    try:
        page.screenshot(path=path, **options)
    except Error as error:
        if "Unable to capture screenshot" not in str(error):
            raise
        page.screenshot(path=path, **options)


@dataclass
class Shopper:
    """A browser context on the shop that records what must not happen."""

    context: BrowserContext
    shop: FakeShop
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.context.route("**/*", self._only_ours)
        self.context.on("console", lambda message: message.type == "error" and self._complain(message.text))
        self.context.on("weberror", lambda error: self._complain(str(error.error)))

    def _complain(self, text: str) -> None:
        if not any(noise in text for noise in EXPECTED_NOISE):
            self.errors.append(text)

    def _only_ours(self, route: Any) -> None:
        if route.request.url.startswith((self.shop.base, self.shop.psp, "data:")):
            route.continue_()
        else:
            self.foreign.append(route.request.url)
            route.abort()

    def open(self, path: str = "/") -> Chat:
        page = self.context.new_page()
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
        for _ in range(200):
            if len(self.shop.answers) > before:
                break
            self.page.wait_for_timeout(10)
        self.page.wait_for_timeout(50)
        expect(self.page.locator(".ic-log")).to_have_attribute("aria-busy", "false", timeout=10_000)

    def card(self) -> Any:
        return self.page.locator("ic-confirm").last

    def checkout(self) -> Any:
        self.ask("I want to pay")
        expect(self.card().get_by_role("button", name="Pay $")).to_be_visible()
        return self.card()

    def shot(self, name: str) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        picture(self.page, ARTIFACTS / f"{name}.png")


@pytest.fixture
def new_shopper(chromium: Browser, shop: FakeShop) -> Iterator[Any]:
    """Makes shoppers; at the end none may have asked a foreign origin or seen an error."""
    made: list[Shopper] = []

    def make(**options: Any) -> Shopper:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        options = {"locale": "en-US", "timezone_id": "America/Los_Angeles"} | options
        shopper = Shopper(chromium.new_context(**options), shop)
        shopper.watch()
        made.append(shopper)
        return shopper

    yield make
    for shopper in made:
        shopper.context.close()
    assert [shopper.foreign for shopper in made if shopper.foreign] == []
    assert [shopper.errors for shopper in made if shopper.errors] == []


@pytest.fixture
def shopper(new_shopper: Any) -> Shopper:
    made: Shopper = new_shopper()
    return made


@pytest.fixture
def chat(shopper: Shopper) -> Chat:
    return shopper.open()
