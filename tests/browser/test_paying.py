"""The confirmation card: its numbers, and that one press is one payment whatever happens."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def decisions(shop: Any) -> list[tuple[str, bool]]:
    return [(key, body["resume"][0]["payload"]["approved"]) for key, body in shop.posts if "resume" in body]


def test_the_card_shows_everything_agreed_to(chat: Any) -> None:
    card = chat.checkout()
    rows = [row.inner_text().replace("\n", " ") for row in card.locator(".totals .row").all()]
    assert rows == [
        "Items $558.00",
        "Discount SPRING10 -$55.80",
        "Subtotal $502.20",
        "Shipping: Ground Northway, 3\u20135 days $7.95",
        "Tax $27.90",
        "Total $538.05",
    ]
    expect(card.locator(".line")).to_contain_text("2 \u00d7 Fellwalker 2 Tent")
    for words in ("moss green", "$558.00", "Test Visa •••• 4242", "12 Analytical Way", "Portland, OR 97205"):
        expect(card).to_contain_text(words)
    expect(card).to_contain_text("Sold by Summit & Pine")
    expect(card.get_by_role("button", name="Pay $538.05")).to_be_visible()
    expect(card.get_by_role("timer")).to_contain_text("This payment card is open for ")
    expect(card.get_by_role("heading")).to_be_focused()
    expect(card.get_by_role("heading")).to_be_in_viewport()


def test_a_double_click_pays_once(chat: Any, shop: Any) -> None:
    card = chat.checkout()
    card.get_by_role("button", name="Pay $").dblclick()
    expect(chat.page.locator("ic-receipt")).to_contain_text("Thank you for your order")
    expect(card).to_contain_text("Paid")
    confirmation = shop.captures[0]
    assert shop.captures == [confirmation]
    assert decisions(shop) == [(f"{confirmation}:approve", True)]


def test_two_tabs_pay_once_and_agree(shopper: Any, shop: Any) -> None:
    first = shopper.open()
    first.checkout()
    second = shopper.open()
    expect(second.card().get_by_role("button", name="Pay $")).to_be_visible()
    buttons = [chat.card().get_by_role("button", name="Pay $").element_handle() for chat in (first, second)]
    for button in buttons:
        button.evaluate("button => button.click()")
    for chat in (first, second):
        expect(chat.page.locator("ic-receipt")).to_be_visible()
        expect(chat.card().get_by_role("button", name="Pay $")).to_have_count(0)
    assert len(shop.captures) == 1
    assert {key for key, _ in decisions(shop)} == {f"{shop.captures[0]}:approve"}


def test_a_lost_answer_is_asked_again_with_the_same_key(chat: Any, shop: Any) -> None:
    card = chat.checkout()
    shop.lose_answers = 2
    card.get_by_role("button", name="Pay $").click()
    expect(chat.page.locator("ic-receipt")).to_be_visible()
    chat.page.wait_for_timeout(2500)
    assert len(decisions(shop)) == 3
    assert len(set(decisions(shop))) == 1
    assert len(shop.captures) == 1
    expect(card.get_by_role("heading")).to_have_text("Paid")


def test_without_a_network_the_press_can_be_repeated(chat: Any, shop: Any, shopper: Any) -> None:
    card = chat.checkout()
    shopper.context.set_offline(True)
    expect(chat.page.locator(".ic-banner")).to_contain_text("You are offline")
    card.get_by_role("button", name="Pay $").click()
    again = card.get_by_role("button", name="Try again · Pay $538.05")
    expect(again).to_be_visible()
    expect(card).to_contain_text("you will not be charged twice")
    shopper.context.set_offline(False)
    expect(chat.page.locator(".ic-banner")).to_have_count(0)
    again.click()
    expect(chat.page.locator("ic-receipt")).to_be_visible()
    assert len(shop.captures) == 1


def test_not_now_charges_nothing(chat: Any, shop: Any) -> None:
    card = chat.checkout()
    card.get_by_role("button", name="Not now").click()
    expect(card.get_by_role("heading")).to_have_text("Not paid")
    expect(card).to_contain_text("You were not charged.")
    assert shop.captures == []
    assert [approved for _, approved in decisions(shop)] == [False]


def test_a_reload_brings_the_open_card_back_with_its_time(chat: Any, shop: Any) -> None:
    shop.expires_seconds = 300
    chat.checkout()
    chat.page.reload()
    card = chat.card()
    expect(card.get_by_role("button", name="Pay $538.05")).to_be_visible()
    expect(card.get_by_role("timer")).to_contain_text(re.compile(r"4:\d\d"))
    expect(chat.page.locator("ic-confirm")).to_have_count(1)
    expect(chat.page.locator("[data-role=user]")).to_have_count(1)
    card.get_by_role("button", name="Pay $").click()
    expect(chat.page.locator("ic-receipt")).to_be_visible()
    chat.page.reload()
    expect(card.get_by_role("heading")).to_have_text("Paid")


def test_a_card_that_ran_out_offers_a_fresh_one(chat: Any, shop: Any) -> None:
    card = chat.checkout()
    chat.wait(shop.expires_seconds)
    expect(card.get_by_role("heading")).to_have_text("This offer ran out")
    expect(card).to_contain_text("You were not charged.")
    expect(card.get_by_role("button", name="Pay $")).to_have_count(0)
    shop.expires_seconds = 3600
    card.get_by_role("button", name="Review and pay again").click()
    expect(chat.page.locator("ic-confirm")).to_have_count(2)
    expect(chat.page.locator("ic-confirm").first).to_contain_text("Replaced by a newer offer")
    expect(chat.card().get_by_role("button", name="Pay $538.05")).to_be_visible()
    assert shop.captures == []
    assert shop.posts[-1][1] == {"action": {"name": "request_confirmation", "args": {}}}


def test_the_countdown_follows_the_server_not_the_device(shopper: Any, shop: Any) -> None:
    fast_by_an_hour = "const now = Date.now; Date.now = () => now() + 3600_000;"
    card = shopper.open(script=fast_by_an_hour).checkout()
    expect(card.get_by_role("timer")).to_contain_text(re.compile(r"9:\d\d"))


def test_a_refusal_brings_the_truth(chat: Any, shop: Any) -> None:
    card = chat.checkout()
    shop.refuse_runs = 1
    card.get_by_role("button", name="Pay $").click()
    expect(card.get_by_role("alert")).to_have_text("This could not be done.")
    assert shop.captures == []


def test_keyboard_alone_from_load_to_paid(chat: Any, shop: Any) -> None:
    page = chat.page
    expect(page.locator("#composer")).to_be_focused()
    page.keyboard.type("I want to pay")
    page.keyboard.press("Enter")
    expect(page.locator("ic-confirm h2")).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    expect(page.get_by_role("button", name="Pay $")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("ic-receipt")).to_be_visible()
    expect(page.locator("#composer")).to_be_focused()
    assert len(shop.captures) == 1


def test_a_card_does_not_take_the_focus_from_a_writing_shopper(chat: Any, shop: Any) -> None:
    shop.hold_at = "request_confirmation"
    chat.say("I want to pay")
    chat.page.keyboard.type("wait, one thing")
    shop.hold_at = None
    expect(chat.page.locator("ic-confirm .pay")).to_be_visible()
    chat.page.wait_for_timeout(200)
    expect(chat.page.locator("#composer")).to_be_focused()
    expect(chat.page.locator("#composer")).to_have_value("wait, one thing")


def test_another_card_is_entered_at_the_provider_and_only_its_token_comes_back(chat: Any, shop: Any) -> None:
    chat.checkout().get_by_role("button", name="Use another card").click()
    form = chat.page.frame_locator("#card-sheet iframe")
    form.get_by_label("Card number").fill("4242424242424241")
    form.get_by_role("button", name="Use this card").click()
    expect(form.locator("#number-error")).to_have_text("Check the card number.")
    assert chat.page.frames[-1].evaluate("document.activeElement.id") == "number"
    form.get_by_role("button", name="4000 0000 0000 0002").click()
    form.get_by_role("button", name="Use this card").click()
    expect(form.get_by_role("alert")).to_have_text("The card was declined.")
    form.get_by_role("button", name="4242 4242 4242 4242").click()
    form.get_by_role("button", name="Use this card").click()
    expect(chat.page.locator("#card-sheet")).to_be_hidden()
    expect(chat.page.locator("ic-confirm")).to_have_count(2)
    actions = [body["action"] for _, body in shop.posts if "action" in body]
    assert actions == [{"name": "use_payment_method", "args": {"card_token": shop.tokens[0]}}]
    assert "4242424242424242" not in str(shop.posts)


def test_a_token_from_elsewhere_is_ignored(chat: Any, shop: Any) -> None:
    chat.checkout().get_by_role("button", name="Use another card").click()
    expect(chat.page.frame_locator("#card-sheet iframe").get_by_label("Card number")).to_be_visible()
    before = len(shop.posts)
    chat.page.evaluate("postMessage({type: 'icommerce.card', token: 'ctk_evil', brand: 'Visa', last4: '0000'}, '*')")
    chat.page.wait_for_timeout(200)
    assert len(shop.posts) == before
    expect(chat.page.locator("#card-sheet")).to_be_visible()
