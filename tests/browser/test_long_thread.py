"""A conversation of a thousand messages opens at its end, at once, and gives the rest on the way up."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.looks import DRAWN

pytestmark = pytest.mark.browser

MESSAGES = 1_000
LAYOUT_SHIFT_LIMIT = 0.01
WATCH = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.shifts += one.hadRecentInput ? 0 : one.value;
}).observe({ type: 'layout-shift' });
"""


def fill(shop: Any) -> None:
    thread = shop.newest()

    def work() -> None:
        for number in range(MESSAGES):
            role = "assistant" if number % 2 else "user"
            thread.add("TEXT_MESSAGE_START", messageId=f"m{number}", role=role)
            words = f"Message {number}. " + "Some more words about tents and packs. " * (number % 5)
            thread.add("TEXT_MESSAGE_CONTENT", messageId=f"m{number}", delta=words)
            thread.add("TEXT_MESSAGE_END", messageId=f"m{number}")

    shop.do(work)


@pytest.fixture
def long_chat(shopper: Any, shop: Any) -> Any:
    first = shopper.open(script=WATCH)
    expect(first.page.locator(".ic-starts")).to_be_visible()
    first.page.goto("about:blank")
    fill(shop)
    return first


def test_opens_at_once_with_the_newest_and_in_order(long_chat: Any, shop: Any) -> None:
    page = long_chat.page
    page.goto(shop.base)
    newest = page.locator(f"[data-id=m{MESSAGES - 1}]")
    expect(newest).to_be_in_viewport()
    ids = page.evaluate("[...document.querySelectorAll('.ic-entry')].map((one) => one.dataset.id)")
    assert ids == [f"m{number}" for number in range(MESSAGES - 50, MESSAGES)]
    assert page.evaluate("window.shifts") <= LAYOUT_SHIFT_LIMIT


def test_gives_what_was_before_and_keeps_the_place(long_chat: Any, shop: Any) -> None:
    page = long_chat.page
    page.goto(shop.base)
    expect(page.locator(f"[data-id=m{MESSAGES - 1}]")).to_be_in_viewport()
    more = page.get_by_role("button", name="Show earlier messages")
    place = f"document.querySelector('[data-id=m{MESSAGES - 48}]').getBoundingClientRect().top"
    page.mouse.move(640, 400)
    page.evaluate("scrollBy({ top: -40, behavior: 'instant' })")
    page.locator(f"[data-id=m{MESSAGES - 48}]").scroll_into_view_if_needed()
    expect(page.locator(f"[data-id=m{MESSAGES - 150}]")).to_be_attached()
    page.evaluate(DRAWN)  # it is put right before it is painted
    assert 0 <= page.evaluate(place) <= 844
    more.press("Enter")  # later ones come by themselves too, as their button comes into view
    while page.locator(".ic-entry").count() < MESSAGES:
        page.evaluate("document.querySelector('.ic-earlier')?.click()")
    expect(page.locator(".ic-entry")).to_have_count(MESSAGES)
    ids = page.evaluate("[...document.querySelectorAll('.ic-entry')].map((one) => one.dataset.id)")
    assert ids == [f"m{number}" for number in range(MESSAGES)]


def test_an_answer_to_a_thousand_draws_one_entry_more(long_chat: Any, shop: Any) -> None:
    page = long_chat.page
    page.goto(shop.base)
    expect(page.locator(f"[data-id=m{MESSAGES - 1}]")).to_be_in_viewport()
    shop.token_seconds = 0.001
    long_chat.ask("a long answer")
    expect(page.locator(".ic-entry")).to_have_count(52)


def test_cards_come_in_without_moving_what_is_read(new_shopper: Any, shop: Any) -> None:
    shopper = new_shopper(viewport={"width": 390, "height": 844})
    chat = shopper.open(script=WATCH)
    chat.ask("show me tents")
    chat.ask("compare them")
    expect(chat.page.locator("ic-comparison table")).to_be_visible()
    assert chat.page.evaluate("window.shifts") <= LAYOUT_SHIFT_LIMIT
    chat.page.reload()
    expect(chat.page.locator("ic-comparison table")).to_be_visible()
    assert chat.page.evaluate("window.shifts") <= LAYOUT_SHIFT_LIMIT
