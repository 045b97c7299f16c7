"""The shop's plain pages and the chat on other people's pages, in a browser, on the real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.app.test_serve import Server
from tests.browser.contexts import Contexts, Visit
from tests.browser.looks import picture, sound, violations
from tests.browser.real import AGAIN, DETAILS, PAY, SHOP, TURN_MS, letter_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PHONE = ((390, 844),)
SMALL_TARGETS = """() => [...document.querySelectorAll('main :is(button, input:not([type=hidden])), header a')]
  .map(e => [e.textContent.trim() || e.name, e.getBoundingClientRect()])
  .filter(([, r]) => r.width && r.height < 43.5).map(([name, r]) => [name, r.height])"""


@pytest.fixture
def visitor(contexts: Contexts, server: Server) -> Iterator[Any]:
    """Opens pages; none may complain or ask anybody else for anything."""
    taken: list[Visit] = []

    def come(**options: Any) -> Page:
        taken.append(contexts.take(**options))
        return taken[-1].page()

    yield come
    for visit in taken:
        contexts.give(visit)
    errors = [text for visit in taken for text in visit.complaints() if "404" not in text]
    assert (errors, [url for visit in taken for url in visit.foreign(server.url)]) == ([], [])


def product_of(page: Page, server: Server) -> str:
    found = page.request.get(f"{server.url}/v1/products?limit=1", max_retries=AGAIN).json()["items"][0]
    return f"{server.url}/products/{found['id']}?shop={SHOP}"


def test_pages_are_sound(visitor: Any, server: Server) -> None:
    page = visitor()
    for name, path in (
        ("product", product_of(page, server).removeprefix(server.url)),
        ("nothing", f"/products/nothing?shop={SHOP}"),
        ("account", f"/account?shop={SHOP}"),
        ("order", f"/order/SO-1?shop={SHOP}"),
        ("about", "/about"),
    ):
        page.goto(server.url + path)
        sound(page, f"site/{name}", small=SMALL_TARGETS, full_page=True)


@pytest.mark.parametrize("language", ["es", "ar"])
def test_pages_in_other_languages(visitor: Any, server: Server, language: str) -> None:
    page = visitor(locale=language, viewport={"width": 390, "height": 844})
    product = product_of(page, server).removeprefix(server.url)
    for name, path in (("product", product), ("account", f"/account?shop={SHOP}"), ("about", "/about")):
        page.goto(server.url + path)
        expect(page.locator("html")).to_have_attribute("lang", language)
        sound(page, f"site/{name}-{language}", sizes=PHONE, small=SMALL_TARGETS, full_page=True)


def test_from_a_product_to_the_cart_and_an_account(visitor: Any, server: Server) -> None:
    """By keys alone, with no script of ours but the chat's."""
    page = visitor()
    page.goto(product_of(page, server))
    page.locator("main button", has_text="Add to the cart").first.press("Enter")
    expect(page.locator(".ic-aside ic-cart .line")).to_have_count(1, timeout=TURN_MS)
    chat = page.url
    other = page.context.new_page()
    other.goto(f"{server.url}/account?shop={SHOP}")
    other.get_by_label("E-mail").fill("site@example.com")
    other.get_by_label("E-mail").press("Enter")
    expect(other.get_by_role("link", name="outbox")).to_be_visible()
    sound(other, "site/account-code", sizes=PHONE, small=SMALL_TARGETS)
    code = letter_to(server.url, "site@example.com", r"Your code is: (\d{6})")
    other.get_by_label("Six-digit code").fill(code)
    other.get_by_label("Six-digit code").press("Enter")
    expect(other.get_by_text("site@example.com")).to_be_visible()
    sound(other, "site/account-in", sizes=PHONE, small=SMALL_TARGETS)
    expect(page.locator(".ic-words").last).to_contain_text("signed in", timeout=TURN_MS)
    expect(page.locator(".ic-aside ic-cart .line")).to_have_count(1)
    page.goto(chat)
    expect(page.locator(".ic-aside ic-cart .line")).to_have_count(1)
    other.get_by_role("button", name="Sign out", exact=True).click()
    expect(other.get_by_label("E-mail")).to_be_visible()


@dataclass
class Elsewhere:
    """Two sites of other people, one of which the shop allows."""

    shop: str
    allowed: str = ""
    other: str = ""
    attributes: str = ""

    def page(self) -> bytes:
        return (
            "<!doctype html><html lang='en'><title>Merchant</title><main><h1>Merchant</h1>"
            f"<script src='{self.shop}/embed.js?shop={SHOP}' {self.attributes}></script></main>"
        ).encode()


@pytest.fixture(scope="module")
def elsewhere(server: Server) -> Iterator[Elsewhere]:
    told = Elsewhere(server.url)

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            policy = f"default-src 'none'; script-src {server.url}; frame-src {server.url}"
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(told.page())

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    sites = [ThreadingHTTPServer(("127.0.0.1", 0), Site) for _ in range(2)]
    for site in sites:
        threading.Thread(target=site.serve_forever, daemon=True).start()
    told.allowed, told.other = (f"http://localhost:{site.server_port}" for site in sites)
    done = server.run("tenants", "policy", SHOP, "embed", f'origins=["{told.allowed}"]')
    assert done.returncode == 0, done.stderr
    yield told
    for site in sites:
        site.shutdown()


@pytest.fixture
def guest_page(contexts: Contexts) -> Iterator[Any]:
    taken: list[Visit] = []

    def come(**options: Any) -> Page:
        taken.append(contexts.take(**options))
        return taken[-1].page()

    yield come
    for visit in taken:
        contexts.give(visit)


def test_the_chat_on_an_allowed_page_buys_by_our_own_page(guest_page: Any, elsewhere: Elsewhere) -> None:
    page = guest_page()
    elsewhere.attributes = "data-accent='#5b3df5' data-position='start'"
    page.goto(elsewhere.allowed)
    button = page.get_by_role("button", name="Chat with us")
    expect(button).to_have_css("background-color", "rgb(91, 61, 245)")
    button.press("Enter")
    chat = page.frame_locator("iframe")
    expect(chat.locator("#composer")).to_be_visible(timeout=TURN_MS)
    (kept,) = [one for one in page.context.cookies() if one["name"] == "ic_framed"]
    assert (kept["sameSite"], kept["secure"], kept["httpOnly"]) == ("None", True, True)
    chat.locator("#composer").fill("show me tents")
    chat.locator("#composer").press("Enter")
    chat.locator("ic-tile").first.get_by_role("button", name="Add to cart").click(timeout=TURN_MS)
    expect(chat.locator(".ic-count")).to_have_text("1", timeout=TURN_MS)
    chat.locator("#composer").fill(DETAILS)
    chat.locator("#composer").press("Enter")
    pay = chat.locator("ic-confirm").last.get_by_role("button", name=PAY)
    expect(pay).to_be_visible(timeout=TURN_MS)
    page.context.route("**/v1/checkout/page?*", lambda asked: asked.abort())
    with page.context.expect_page() as opened:
        pay.click()
    expect(chat.locator(".ic-toast")).to_have_text("The payment page could not be opened. Please try again.")
    assert opened.value.is_closed()
    page.context.unroute("**/v1/checkout/page?*")
    with page.context.expect_page() as opened:
        pay.click()
    tab = opened.value
    tab.get_by_role("button", name="Show the order").click()
    tab.get_by_role("button", name=PAY).click()
    expect(tab.get_by_role("heading", name="Thank you")).to_be_visible(timeout=TURN_MS)
    expect(chat.locator("ic-receipt")).to_be_visible(timeout=TURN_MS)
    tab.close()
    chat.locator("#composer").press("Escape")
    expect(button).to_be_focused()
    button.click()
    expect(chat.locator("ic-receipt")).to_be_visible()
    picture(page, "site/embed-1280-light")
    assert violations(page) == []


def test_the_chat_on_a_small_screen_fills_it_and_keeps_the_focus(guest_page: Any, elsewhere: Elsewhere) -> None:
    page = guest_page(viewport={"width": 390, "height": 844}, locale="es")
    elsewhere.attributes = "data-lang='es'"
    page.goto(elsewhere.allowed)
    page.get_by_role("button", name="Hable con nosotros").click()
    chat = page.frame_locator("iframe")
    expect(chat.locator("html")).to_have_attribute("lang", "es")
    expect(chat.locator("#composer")).to_be_visible(timeout=TURN_MS)
    box = page.locator("dialog").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 844}
    picture(page, "site/embed-390-light")
    page.get_by_role("button", name="Cerrar la conversación").press("Escape")
    expect(page.get_by_role("button", name="Hable con nosotros")).to_be_focused()


def test_a_page_that_is_not_named_shows_nothing(guest_page: Any, elsewhere: Elsewhere) -> None:
    page = guest_page()
    elsewhere.attributes = ""
    page.goto(elsewhere.other)
    with page.expect_event("console", lambda said: "frame-ancestors" in said.text):
        page.get_by_role("button", name="Chat with us").click()
    expect(page.frame_locator("iframe").locator("#composer")).to_have_count(0)
    assert [one for one in page.context.cookies() if one["name"] == "ic_framed"] == []


def test_two_tabs_of_two_shops_keep_their_conversations(guest_page: Any, server: Server) -> None:
    """One browser, one host, two shops of the demo."""
    first = guest_page()
    first.goto(f"{server.url}/?shop=summit-outdoor")
    expect(first.locator("#composer")).to_be_focused()
    second = first.context.new_page()
    second.goto(f"{server.url}/?shop=voltage-home")
    expect(second.locator("#composer")).to_be_focused()
    for page, words in ((first, "hello from the first"), (second, "hello from the second"), (first, "and once more")):
        page.fill("#composer", words)
        page.press("#composer", "Enter")
        expect(page.locator("[data-role=user]").last).to_contain_text(words)
        expect(page.locator(".ic-log")).to_have_attribute("aria-busy", "false", timeout=TURN_MS)
        expect(page.locator(".ic-failed, .ic-unsent")).to_have_count(0)
    first.reload()
    expect(first.locator("[data-role=user]")).to_have_count(2)
    account = first.get_by_role("link", name="My orders and account")
    account.click()
    expect(first).to_have_url(f"{server.url}/account?shop=summit-outdoor")
