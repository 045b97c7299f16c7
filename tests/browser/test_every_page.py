"""Every page of the real shop: from our origin alone, under a strict policy, whole at 200 % and on a small phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from tests.app.test_serve import Server
from tests.browser.contexts import Contexts
from tests.browser.looks import LOADING, OVERFLOW, SMALL_TARGETS, picture, violations
from tests.browser.real import AGAIN, PAY, TURN_MS, Buyer, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SHOPPERS = ["/", "/order/{number}", "/products/{product}", "/account", "/about", "/outbox", "/docs", "/?lang=ar"]
CONSOLE = ["/staff", "/staff/orders/{number}", "/staff/cases/{case}"]
"""And whatever the console's navigation leads to: a new page is found by itself."""
SIGNED_OUT = [
    "/staff/sign-in",
    "/order/{number}",
    "/account",
    "/staff/join?token=nothing",
    "/confirm/cnf_nothing?t=nothing",
]
LOOKS = [("light", 1280), ("dark", 390)]
LOOKED_OVER = ("/staff", "/products/", "/about")
"""``test_staff_*`` look these pages over with people at work in them, and ``test_site``."""
SWAGGERS = "/docs"
SIZES = {"200 %": (640, 400), "small phone": (320, 640)}
MOVING = """document.getAnimations().filter(one => one.playState === 'running'
  && one.effect.getComputedTiming().iterations === Infinity
  && one.effect.getComputedTiming().duration < 1000).length"""
SECRET = re.compile(r"\b(ctk_|vt_|spt_|whsec_|sk_|ick_|pm_tok_)\w{6,}")
NUMBERS = ("4242424242424242", "5555555555554444")
HOSTED = """async () => {
  const { id } = document.querySelector('ic-confirm').closest('[data-id]').dataset;
  return (await (await fetch(`/v1/checkout/page?card=${id}`)).json()).url;
}"""
WHOLE_LOG = """async (id) => {
  const known = await (await fetch(`/v1/threads/${id}`)).json();
  const stop = new AbortController();
  const answer = await fetch(`/v1/threads/${id}/events?after=0`, { signal: stop.signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes(`id: ${known.last_event}\\n`)) text += (await reader.read()).value;
  stop.abort();
  return text + JSON.stringify(known);
}"""


@pytest.fixture(scope="module")
def visitor(contexts: Contexts, server: Server) -> Iterator[Buyer]:
    """A browser that has bought with a card it entered, asked for a person, and signed in to the console too."""
    made = Buyer(contexts.take(), server.url)
    made.to_the_card().get_by_role("button", name="Use another card").click()
    form = made.page.frame_locator("#card-sheet iframe")
    form.get_by_role("button", name="5555 5555 5555 4444").click()
    form.get_by_role("button", name="Use this card").click()
    expect(made.card).to_contain_text("•••• 4444", timeout=TURN_MS)
    made.settled()
    made.pay()
    made.page.locator(".ic-head .ic-person").click()
    expect(made.page.locator(".ic-badge")).to_have_attribute("data-mode", "waiting_human", timeout=TURN_MS)
    sign_in(made.context, server.url, "Ada")
    yield made
    contexts.give(made.visit)


@pytest.fixture(scope="module")
def places(visitor: Buyer) -> dict[str, str]:
    [order] = visitor.orders()
    answer = visitor.context.request.get(
        f"{visitor.url}/v1/cases?limit=50", headers={"X-Staff": "1"}, max_retries=AGAIN
    )
    thread = visitor.page.evaluate("document.querySelector('ic-chat').state.thread.id")
    [case] = [one["id"] for one in answer.json()["items"] if one["thread_id"] == thread]
    return {"number": order["number"], "case": case, "product": order["lines"][0]["product_id"]}


def go(page: Page, url: str) -> Response:
    answer = page.goto(url)
    assert answer
    expect(page.locator("h1, h2").first).to_be_visible(timeout=TURN_MS)  # /docs draws hundreds of operations
    return answer


def strict(answer: Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert "unsafe-" not in policy
    for words in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert words in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"]


def shot(page: Page, look: str) -> None:
    path = re.sub(r"/(\w{3}_\w{20,}|SP-\d+)", "/one", page.url.split("/", 3)[3].partition("?t=")[0])
    name = re.sub(r"\W+", "-", path).strip("-") or "chat"
    picture(page, f"pages/{name}-{page.viewport_size['width']}-{look}")


def whole(page: Page) -> None:
    """At twice the size and on a small phone: nothing wider than the window, nothing that keeps moving."""
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(OVERFLOW) <= 0, (name, page.url)
    assert page.evaluate(MOVING) == 0, page.url


def looked_over(page: Page, url: str, made: Buyer) -> None:
    """One page, with all that must hold of any."""
    made.complaints()
    page.set_viewport_size({"width": 1280, "height": 800})
    strict(go(page, url))
    page.wait_for_load_state("networkidle") if SWAGGERS in url else None
    expect(page.locator(LOADING)).to_have_count(0, timeout=TURN_MS)
    theirs, path = SWAGGERS in url, url.removeprefix(made.url)
    for look, width in [] if path.startswith(LOOKED_OVER) else LOOKS:
        page.emulate_media(color_scheme=look)
        page.set_viewport_size({"width": width, "height": 800})
        shot(page, look)
        assert theirs or violations(page) == [], (url, look)
        assert theirs or page.evaluate(SMALL_TARGETS) == [], (url, look)
    if not theirs:
        whole(page)
    assert made.complaints() == ([], []), url


def test_of_the_shopper(visitor: Buyer, places: dict[str, str]) -> None:
    page = visitor.visit.page()
    for path in SHOPPERS:
        looked_over(page, visitor.url + path.format(**places), visitor)
    page.close()


def test_of_the_console(visitor: Buyer, places: dict[str, str]) -> None:
    page = visitor.visit.page()
    go(page, f"{visitor.url}/staff")
    led_to = page.locator("nav a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert {"/staff/orders", "/staff/approvals", "/staff/people"} <= set(led_to)
    for path in dict.fromkeys([*CONSOLE, *led_to]):
        looked_over(page, visitor.url + path.format(**places), visitor)
    page.close()


def test_of_a_card_that_waits(contexts: Contexts, server: Server) -> None:
    """As whoever has its link sees it, then opened, and paid."""
    made = Buyer(contexts.take(), server.url)
    made.to_the_card()
    link = server.url + made.page.evaluate(HOSTED)
    other = Buyer(contexts.take(), server.url)
    page = other.page
    looked_over(page, link, other)
    page.get_by_role("button", name="Show the order").click()
    expect(page.get_by_role("button", name=PAY)).to_be_visible()
    looked_over(page, link, other)
    page.get_by_role("button", name=PAY).click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible(timeout=TURN_MS)
    looked_over(page, link, other)
    for one in (made, other):
        contexts.give(one.visit)


def test_of_nobody_in_particular(contexts: Contexts, visitor: Buyer, places: dict[str, str]) -> None:
    """Signed out, and by links that lead nowhere."""
    stranger = contexts.take()
    page = stranger.page()
    for path in SIGNED_OUT:
        strict(go(page, visitor.url + path.format(**places)))
        assert violations(page) == [], path
        whole(page)
        page.set_viewport_size({"width": 1280, "height": 800})
    contexts.give(stranger)
    assert stranger.foreign(visitor.url) == []


def test_no_secret_is_in_page_stream_or_log(visitor: Buyer, server: Server) -> None:
    """Point 24: of the card only its last four, of the session nothing that a script could read."""
    page = visitor.page
    thread = page.evaluate("document.querySelector('ic-chat').state.thread.id")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    seen = [page.content(), page.evaluate(WHOLE_LOG, thread), kept, (server.home.parent / "serve.log").read_text()]
    cookies: list[Any] = visitor.context.cookies(visitor.url)
    for text in seen:
        digits = re.sub(r"(?<=\d)[ -](?=\d)", "", text)
        assert [number for number in NUMBERS if number in digits] == []
        assert SECRET.search(text) is None
        assert [one["name"] for one in cookies if one["httpOnly"] and one["value"] in text] == []
    flags = {one["name"]: (one["httpOnly"], one["sameSite"], one["secure"]) for one in cookies}
    assert flags["ic_session"] == (True, "Lax", False)
    assert flags["ic_staff"] == (True, "Strict", False)
    assert all(http_only for name, (http_only, *_) in flags.items() if name not in {"ic_lang", "ic_look"})
    assert "•••• 4444" in page.locator("ic-receipt").inner_text()
    expect(page.get_by_role("button", name=PAY)).to_have_count(0)
