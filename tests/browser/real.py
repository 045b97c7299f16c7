"""The real shop in a browser: one server for all tests of a worker, a buyer for each."""

from __future__ import annotations

import html
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.app.test_serve import Server, Shopper
from tests.browser.contexts import Contexts, Visit
from tests.browser.nursery import QuickServer

DETAILS = "check out please, I'm Ada Lovelace, ada@example.com, 12 Analytical Way, Portland, OR 97205"
PAY = re.compile(r"^Pay \$")
SHOP = "summit-outdoor"
TURN_MS = 45_000
"""A first turn brings the agents in; on a busy machine that takes its time."""
LETTER_TRIES = 200
TURN_TRIES = 1200
AGAIN = 3
"""What is asked beside a page is asked again: a connection that the server has just put down is no answer."""


@pytest.fixture(scope="session")
def server(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo shops, served by a process of their own. Asks for Chromium first: without it nothing starts."""
    from engine.embedded_postgres import wipe

    running = QuickServer(tmp_path_factory.mktemp("real") / "home")
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
    """A buyer's browser on the real shop."""

    visit: Visit
    url: str
    ours: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page = self.open()

    @property
    def context(self) -> BrowserContext:
        return self.visit.context

    @property
    def asked(self) -> list[str]:
        return self.visit.asked

    def complaints(self) -> tuple[list[str], list[str]]:
        """Of what there should be none: requests to anybody else, and errors. From now on they count anew."""
        found = (self.visit.foreign(*self.ours), self.visit.complaints())
        self.visit.asked.clear()
        self.visit.said.clear()
        return found

    def open(self) -> Page:
        page = self.visit.page()
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
        found: list[dict[str, Any]] = self.context.request.get(f"{self.url}/v1/orders", max_retries=AGAIN).json()[
            "items"
        ]
        return found


@pytest.fixture
def buyer(contexts: Contexts, server: Server) -> Iterator[Buyer]:
    made = Buyer(contexts.take(), server.url)
    yield made
    contexts.give(made.visit)
    foreign, errors = made.complaints()
    assert not foreign, foreign
    assert not errors, errors


@dataclass
class Guest:
    """A shopper without a page: sets the scene for who comes after."""

    visit: Visit
    url: str
    thread: str = ""

    @property
    def context(self) -> BrowserContext:
        return self.visit.context

    def __post_init__(self) -> None:
        self.thread = self.thread or str(self.post("/v1/threads", {})["id"])

    def get(self, path: str) -> Any:
        answer = self.context.request.get(self.url + path, max_retries=AGAIN)
        assert answer.ok, answer.text()
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        headers = {"Origin": self.url, "Idempotency-Key": str(uuid.uuid4())}
        answer = self.context.request.post(self.url + path, data=body, headers=headers, max_retries=AGAIN)
        assert answer.ok, answer.text()
        return answer.json()

    def turn(self, body: dict[str, Any]) -> None:
        """One turn to its end."""
        run = self.post(f"/v1/threads/{self.thread}/runs", body)["run_id"]
        for _ in range(TURN_TRIES):
            if self.get(f"/v1/threads/{self.thread}/runs/{run}")["status"] != "running":
                return
            time.sleep(0.05)
        raise AssertionError(f"{body} goes on")

    def says(self, words: str) -> None:
        self.turn({"message": words})

    def acts(self, name: str, **args: Any) -> None:
        self.turn({"action": {"name": name, "args": args}})

    def buys(self, units: int = 1) -> str:
        """Tents; the order's number."""
        self.says("show me tents")
        [product, *_] = self.get("/v1/products?q=tent")["items"]
        variant = max(product["variants"], key=lambda one: one["available"])["id"]
        self.acts("add_to_cart", variant_id=variant, quantity=units)
        self.says(DETAILS)
        [card] = self.get(f"/v1/threads/{self.thread}")["interrupts"]
        self.turn({"resume": [{"interruptId": card["id"], "status": "resolved", "payload": {"approved": True}}]})
        [order] = self.get("/v1/orders")["items"]
        assert order["payment_status"] == "paid"
        return str(order["number"])

    def comes(self) -> Page:
        """A page on the same conversation."""
        page = self.visit.page()
        page.goto(f"{self.url}/#{self.thread}")
        expect(page.locator("#composer")).to_be_visible()
        return page


@dataclass
class Person:
    """Somebody's browser on the console."""

    visit: Visit
    url: str

    def __post_init__(self) -> None:
        self.page = self.visit.page()

    @property
    def context(self) -> BrowserContext:
        return self.visit.context

    @property
    def errors(self) -> list[str]:
        """A refusal that the page shows in words is none."""
        return [text for text in self.visit.complaints() if not text.startswith("Failed to load resource")]

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}")
        return self.page


def sign_in(context: BrowserContext, url: str, name: str) -> None:
    """As one of the demo's people, without a page: the door itself is tried in ``test_staff_door``."""
    door = f"{url}/staff/sign-in?shop={SHOP}"
    member = re.search(
        rf'name="member" value="(\w+)" /><button>{name}<', context.request.get(door, max_retries=AGAIN).text()
    )
    assert member
    asked = {"headers": {"Origin": url}, "form": {"member": member[1]}, "max_redirects": 0, "max_retries": AGAIN}
    answer = context.request.post(door.replace("sign-in?", "sign-in/demo?"), **asked)
    assert answer.status == 303, answer.text()


@pytest.fixture
def person(contexts: Contexts, server: Server) -> Iterator[Any]:
    opened: list[Person] = []

    def make(name: str = "", **options: Any) -> Person:
        made = Person(contexts.take(**options), server.url)
        opened.append(made)
        if name:
            sign_in(made.context, server.url, name)
        return made

    yield make
    for one in opened:
        contexts.give(one.visit)
    assert [one.errors for one in opened if one.errors] == []
