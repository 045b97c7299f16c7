"""WCAG 2.2 AA by axe, room for fingers, and nothing wider than a small phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.looks import sound, violations

pytestmark = pytest.mark.browser

SHOPPING = ["show detail", "compare", "check out", "decline"]
EVERYTHING = [*SHOPPING, "my orders", "where is it", "stock", "break it"]
PHONE = ((390, 844),)


def test_no_violation_and_no_overflow(new_shopper: Any) -> None:
    """One conversation with everything in it, looked over at its beginning, before a payment and after it."""
    chat = new_shopper(reduced_motion="reduce").open()
    sound(chat.page, "chat/empty")
    chat.ask("a tent")
    chat.page.locator("ic-tile").first.get_by_role("button", name="Add to cart").click()
    for text in EVERYTHING:
        chat.ask(text)
    chat.checkout()
    expect(chat.page.locator(".ic-shown")).to_have_count(0)
    sound(chat.page, "chat/confirm")
    chat.card().get_by_role("button", name="Pay $").click()
    expect(chat.page.locator("ic-receipt")).to_be_visible()
    sound(chat.page, "chat/receipt")


def test_the_sheets_have_no_violation(new_shopper: Any) -> None:
    chat = new_shopper(viewport={"width": 390, "height": 844}).open()
    chat.ask("a tent")
    chat.page.locator("ic-tile").first.get_by_role("button", name="Add to cart").click()
    chat.page.get_by_role("button", name="Open cart, 1 item").click()
    expect(chat.page.locator("#cart-sheet ic-cart")).to_contain_text("Fellwalker 2 Tent")
    sound(chat.page, "chat/cart", sizes=PHONE)
    chat.page.keyboard.press("Escape")
    expect(chat.page.get_by_role("button", name="Open cart, 1 item")).to_be_focused()
    chat.checkout().get_by_role("button", name="Use another card").click()
    expect(chat.page.frame_locator("#card-sheet iframe").get_by_label("Card number")).to_be_visible()
    sound(chat.page, "chat/card-entry", sizes=PHONE)
    form = chat.page.frames[-1]
    for look in ("light", "dark"):
        chat.page.emulate_media(color_scheme=look)
        assert violations(form) == []
    assert form.evaluate("document.documentElement.scrollWidth <= innerWidth")
