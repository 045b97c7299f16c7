"""The page on the real server: what a shopper does from the first word to the receipt, and what must not happen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.pages import STATIC, version
from tests.browser.contexts import Contexts
from tests.browser.looks import violations
from tests.browser.real import DETAILS, PAY, TURN_MS, Buyer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_from_hello_to_the_receipt(buyer: Buyer) -> None:
    page = buyer.page
    assert violations(page) == []
    buyer.ask("hello")
    buyer.ask("a warm sleeping bag under $200")
    expect(page.locator("[data-role=user]")).to_have_count(2)
    tile = page.locator("ic-tile").first
    for part in (".price", ".rating", "h3"):
        expect(tile.locator(part)).not_to_be_empty()
    tile.get_by_role("button", name="Add to cart").click()
    title = tile.locator("img").get_attribute("alt")
    expect(page.locator("[aria-live=polite]")).to_contain_text(f"Added 1 \u00d7 {title}. Cart: 1 item")
    page.locator(".ic-aside ic-cart").get_by_role("button", name="Check out").click()
    expect(page.locator("ic-checkout").last).to_contain_text("Still needed: e-mail, name, delivery address")
    buyer.settled()
    buyer.ask("I'm Ada Lovelace, ada@example.com, 12 Analytical Way, Portland, OR 97205")
    page.locator("ic-checkout .way", has_text="Expedited").click()
    expect(buyer.card).to_contain_text("Shipping: Expedited")
    buyer.settled()
    for words in (title, "Tax: Oregon", "•••• 4242", "12 Analytical Way", "Sold by Summit & Pine", "card is open for"):
        expect(buyer.card).to_contain_text(words or "?")
    assert violations(page) == []
    total = buyer.card.locator(".grand dd").inner_text()
    buyer.pay()
    expect(page.locator("ic-receipt")).to_contain_text(total)
    expect(page.locator(".ic-aside ic-cart")).to_contain_text("Your cart is empty")
    buyer.settled()
    assert violations(page) == []
    [order] = buyer.orders()
    assert (order["payment_status"], f"${order['total']['amount'] / 100:.2f}") == ("paid", total)
    page.get_by_role("button", name="Track this order").click()
    expect(page.locator("ic-timeline")).to_contain_text(order["number"])


def test_keyboard_alone_buys(buyer: Buyer) -> None:
    page = buyer.page
    for words in ("show me tents", "add the first one to my cart"):
        page.keyboard.type(words)
        page.keyboard.press("Enter")
        expect(page.locator("[data-role=user]").last).to_contain_text(words)
        buyer.settled()
    page.keyboard.type(DETAILS)
    page.keyboard.press("Enter")
    expect(page.locator("ic-confirm h2")).to_be_focused(timeout=TURN_MS)
    for _ in range(2):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    expect(page.get_by_role("button", name=PAY)).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("ic-receipt")).to_be_visible(timeout=TURN_MS)
    expect(page.locator("#composer")).to_be_focused()
    assert len(buyer.orders()) == 1


def test_two_browsers_of_one_shopper_pay_once(buyer: Buyer, contexts: Contexts) -> None:
    """Point 11: what one has decided, the other shows; two presses at the same moment are one payment."""
    buyer.to_the_card()
    known: Any = buyer.context.storage_state()
    other = contexts.take(viewport={"width": 390, "height": 844})
    other.context.set_storage_state(known)
    phone = other.page()
    phone.goto(buyer.url)
    expect(phone.get_by_role("button", name=PAY)).to_be_visible()
    pressed = [page.get_by_role("button", name=PAY).element_handle() for page in (buyer.page, phone)]
    for button in pressed:
        button.evaluate("button => button.click()")
    for page in (buyer.page, phone):
        expect(page.locator("ic-receipt")).to_have_count(1, timeout=TURN_MS)
        expect(page.get_by_role("button", name=PAY)).to_have_count(0)
        expect(page.locator("ic-confirm").get_by_role("heading")).to_have_text("Paid")
    assert len(buyer.orders()) == 1
    contexts.give(other)


def test_a_reload_keeps_the_open_card_and_then_the_receipt(buyer: Buyer) -> None:
    buyer.to_the_card()
    said = buyer.page.locator("[data-role=user]").all_inner_texts()
    total = buyer.card.locator(".grand dd").inner_text()
    buyer.page.reload()
    expect(buyer.card.locator(".grand dd")).to_have_text(total)
    expect(buyer.card.get_by_role("timer")).to_contain_text("9:")
    expect(buyer.page.locator("ic-confirm")).to_have_count(1)
    assert buyer.page.locator("[data-role=user]").all_inner_texts() == said
    expect(buyer.page.locator(".ic-aside ic-cart .line")).to_have_count(1)
    buyer.pay()
    buyer.page.reload()
    expect(buyer.page.locator("ic-receipt")).to_be_visible()
    expect(buyer.card.get_by_role("heading")).to_have_text("Paid")
    expect(buyer.page.get_by_role("button", name=PAY)).to_have_count(0)


def test_a_declined_card_gives_way_to_another(buyer: Buyer) -> None:
    page = buyer.page
    buyer.to_the_card().get_by_role("button", name="Use another card").click()
    _enter(page, "4000 0000 0000 0002")
    expect(buyer.card).to_contain_text("•••• 0002")
    buyer.settled()
    buyer.card.get_by_role("button", name=PAY).click()
    problem = page.locator("ic-payment-problem")
    expect(problem).to_contain_text("The bank declined this card. You were not charged.", timeout=TURN_MS)
    expect(page.locator("ic-confirm").last).to_contain_text("Payment not completed")
    assert buyer.orders() == []
    problem.get_by_role("button", name="Use another card").click()
    _enter(page, "5555 5555 5555 4444")
    expect(buyer.card).to_contain_text("•••• 4444")
    expect(problem.get_by_role("button")).to_have_count(0)
    buyer.settled()
    buyer.pay()
    expect(page.locator("ic-receipt")).to_contain_text("•••• 4444")
    assert len(buyer.orders()) == 1


def test_each_shop_keeps_its_own_conversation(buyer: Buyer) -> None:
    page, shops = buyer.page, buyer.page.locator(".ic-head select")
    buyer.ask("show me tents")
    shops.select_option("voltage-home")
    expect(page.get_by_role("heading", level=1)).to_have_text("Voltage & Co")
    expect(page.get_by_role("button", name="Show me cables")).to_be_visible()
    buyer.ask("headphones")
    shops.select_option("summit-outdoor")
    expect(page.locator("[data-role=user]")).to_contain_text("show me tents")
    shops.select_option("voltage-home")
    expect(page.locator("[data-role=user]")).to_contain_text("headphones")
    # Each time the page first asked with the other shop's cookie.
    assert all("404" in text for text in buyer.visit.complaints())
    buyer.complaints()


def test_the_page_is_light(buyer: Buyer) -> None:
    served = f"{buyer.url}/static/v-{version()}/"
    scripts = {url.partition("?")[0].removeprefix(served) for url in buyer.asked if ".js" in url}
    assert "ui/chat.js" in scripts
    assert sum((STATIC / path).stat().st_size for path in scripts) <= 80_000


def _enter(page: Page, number: str) -> None:
    """Fills the provider's form in its frame with one of the test cards it offers."""
    form = page.frame_locator("#card-sheet iframe")
    form.get_by_role("button", name=number).click()
    form.get_by_role("button", name="Use this card").click()
    expect(page.locator("#card-sheet")).to_be_hidden()
