"""The real shop in a browser: one server for all tests of a worker, a buyer for each."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.app.test_serve import Server, Shopper

DETAILS = "check out please, I'm Ada Lovelace, ada@example.com, 12 Analytical Way, Portland, OR 97205"
PAY = re.compile(r"^Pay \$")
TURN_MS = 45_000
"""A first turn brings the agents in; on a busy machine that takes its time."""
LETTER_TRIES = 200


@pytest.fixture(scope="session")
def server(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo shops, served by a process of their own. Asks for Chromium first: without it nothing starts."""
    from engine.embedded_postgres import wipe

    running = Server(tmp_path_factory.mktemp("real") / "home")
    running.start()
    warm(running.url)
    yield running
    running.stop()
    wipe(running.home)


def warm(url: str) -> None:
    """One turn that nobody waits for in a test: the first brings the agents in."""
    assert Shopper(url).turn({"message": "hello"})["type"] == "RUN_FINISHED"


def letter_to(url: str, email: str, pattern: str) -> str:
    """What the newest letter to this address says, once the demo's outbox shows one that says it."""
    for _ in range(LETTER_TRIES):
        letters = httpx.get(f"{url}/outbox").text.split("<article")[1:]
        said = (re.search(pattern, letter) for letter in letters if f" to {email}," in letter)
        if found := next((one for one in said if one), None):
            return html.unescape(found[1])
        time.sleep(0.2)
    raise AssertionError(f"no letter to {email} says {pattern}")


@dataclass
class Buyer:
    """One browser context on the real shop, and everything it complained of."""

    context: BrowserContext
    url: str
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("console", lambda said: said.type in {"error", "warning"} and self.errors.append(said.text))
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page = self.open()

    def open(self) -> Page:
        page = self.context.new_page()
        answer = page.goto(self.url)
        assert answer
        card_form = re.search(r"frame-src (\S+?);", answer.headers["content-security-policy"])
        assert card_form
        self.ours = [self.url, card_form[1]]
        expect(page.locator("#composer")).to_be_focused()
        return page

    def ask(self, text: str) -> str:
        """Says it and returns the last words of the answer."""
        words = self.page.locator(".ic-words")
        before = words.count()
        self.page.fill("#composer", text)
        self.page.press("#composer", "Enter")
        expect(words).not_to_have_count(before, timeout=TURN_MS)
        self.settled()
        return words.last.inner_text()

    def settled(self) -> None:
        expect(self.page.locator(".ic-log")).to_have_attribute("aria-busy", "false", timeout=TURN_MS)

    def to_the_card(self) -> Locator:
        """A tent in the cart and its payment card open."""
        self.ask("show me tents")
        self.page.locator("ic-tile").first.get_by_role("button", name="Add to cart").click()
        expect(self.page.locator(".ic-aside ic-cart .line")).to_have_count(1)
        self.ask(DETAILS)
        return self.card

    @property
    def card(self) -> Locator:
        return self.page.locator("ic-confirm").last

    def pay(self) -> None:
        self.card.get_by_role("button", name=PAY).click()
        expect(self.page.locator("ic-receipt")).to_be_visible(timeout=TURN_MS)

    def orders(self) -> list[dict[str, Any]]:
        """The orders of whoever holds this browser's cookie."""
        found: list[dict[str, Any]] = self.context.request.get(f"{self.url}/v1/orders").json()["items"]
        return found


@pytest.fixture
def buyer(chromium: Browser, server: Server) -> Iterator[Buyer]:
    size: Any = {"width": 1280, "height": 800}
    made = Buyer(chromium.new_context(viewport=size, locale="en-US", timezone_id="America/Denver"), server.url)
    yield made
    made.context.close()
    foreign = [url for url in made.asked if not url.startswith((*made.ours, "data:"))]
    assert (foreign, made.errors) == ([], [])


@dataclass
class Person:
    """Somebody's browser, and everything it complained of."""

    context: BrowserContext
    url: str
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page = self.context.new_page()

    def _hear(self, said: Any) -> None:
        """A refusal that the page shows in words is no error of its own."""
        if said.type in {"error", "warning"} and not said.text.startswith("Failed to load resource"):
            self.errors.append(said.text)

    def sign_in(self, name: str) -> None:
        self.page.goto(f"{self.url}/staff/sign-in")
        self.page.get_by_role("button", name=re.compile(f"^{name}")).click()
        expect(self.page.locator(".st-head")).to_be_visible()

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}")
        return self.page


@pytest.fixture
def person(chromium: Browser, server: Server) -> Iterator[Any]:
    opened: list[Person] = []

    def make(name: str = "", **options: Any) -> Person:
        size = options.pop("viewport", {"width": 1280, "height": 800})
        context = chromium.new_context(viewport=size, locale="en-US", timezone_id="America/Denver", **options)
        made = Person(context, server.url)
        opened.append(made)
        if name:
            made.sign_in(name)
        return made

    yield make
    for one in opened:
        one.context.close()
    assert [one.errors for one in opened if one.errors] == []
