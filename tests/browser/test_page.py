"""The page itself: quick, whole, and deaf to markup in data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

APP = Path(__file__).parents[2] / "app"
JS_BUDGET_BYTES = 80_000
AT_REST = """async () => {
  const frame = () => new Promise((drawn) => requestAnimationFrame(drawn)), before = scrollY;
  for (let left = 10; left; left--) await frame();
  return scrollY === before;
}"""


def test_is_interactive_and_within_the_script_budget(shopper: Any) -> None:
    chat = shopper.open()
    expect(chat.page.locator(".ic-starts button")).to_have_count(4)
    loaded = chat.page.evaluate("performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)")
    # A page does not list its worker among its own.
    scripts = {path for path in loaded if path.endswith(".js")} | {"/static/ui/sse-worker.js"}
    assert len(scripts) > 10
    assert sum((APP / path.lstrip("/")).stat().st_size for path in scripts) <= JS_BUDGET_BYTES


def test_shows_words_as_they_come_and_keeps_what_was_said(chat: Any, shop: Any) -> None:
    shop.hold_at = "I can"
    chat.say("hello there")
    words = chat.page.locator(".ic-words").last
    expect(words).to_contain_text("I can")
    assert "orders." not in words.inner_text()
    shop.hold_at = None
    expect(words).to_contain_text("I can help with tents, your cart and your orders.")
    expect(words.locator("strong")).to_have_text("tents")
    expect(chat.page.locator("[data-role=user]")).to_have_count(1)
    chat.page.reload()
    expect(chat.page.locator(".ic-words")).to_contain_text("I can help with tents")
    expect(chat.page.locator("[data-role=user]")).to_have_text(re.compile("hello there"))


def test_words_that_the_shop_masked_are_shown_once(chat: Any) -> None:
    chat.ask("is")
    chat.say("my card is 4242424242424242")
    expect(chat.page.locator(".ic-words")).to_have_count(2)
    expect(chat.page.locator("[data-role=user]")).to_have_text([re.compile("is"), re.compile("my card is ••••$")])


def test_a_tool_at_work_is_named(chat: Any, shop: Any) -> None:
    shop.hold_at = "search_products"
    chat.say("a tent please")
    expect(chat.page.locator(".ic-working")).to_contain_text("Searching the shop…")
    shop.hold_at = None
    expect(chat.page.locator("ic-tile")).to_have_count(5)
    expect(chat.page.locator(".ic-working")).to_have_count(0)


def test_a_product_tells_price_rating_stock_and_is_added_aloud(chat: Any, shop: Any) -> None:
    chat.ask("a tent please")
    first = chat.page.locator("ic-tile").first
    expect(first.locator("img")).to_have_attribute("alt", "Fellwalker 2 Tent")
    expect(first.locator(".price")).to_have_text("$279.00")
    expect(first.locator(".rating")).to_have_attribute("aria-label", "Rated 4.7 out of 5 by 541 shoppers")
    expect(first).to_contain_text("In stock")
    expect(chat.page.locator("ic-tile").nth(1)).to_contain_text("Only 3 left")
    first.get_by_role("button", name="orange").click()
    first.get_by_role("button", name="Add to cart").click()
    expect(chat.page.locator("[aria-live=polite]")).to_have_text(
        "Added 1 \u00d7 Fellwalker 2 Tent. Cart: 1 item, $279.00"
    )
    expect(chat.page.locator(".ic-aside ic-cart .line")).to_contain_text("orange")
    assert shop.posts[-1][1] == {"action": {"name": "add_to_cart", "args": {"variant_id": "var_1_1", "quantity": 1}}}


def test_what_is_sold_out_cannot_be_added(chat: Any, shop: Any) -> None:
    chat.ask("a tent please")
    before = len(shop.posts)
    button = chat.page.locator("ic-tile").nth(4).get_by_role("button", name="Sold out")
    expect(button).to_be_disabled()
    button.click(force=True)
    assert len(shop.posts) == before


def test_the_cart_changes_by_its_buttons(chat: Any, shop: Any) -> None:
    chat.ask("a tent please")
    chat.page.locator("ic-tile").first.get_by_role("button", name="Add to cart").click()
    cart = chat.page.locator(".ic-aside ic-cart")
    cart.get_by_role("button", name="One more").click()
    expect(cart).to_contain_text("$558.00")
    cart.get_by_role("button", name="Remove: Fellwalker 2 Tent").click()
    expect(cart).to_contain_text("Your cart is empty")


def test_markup_in_data_stays_text(chat: Any) -> None:
    chat.page.on("dialog", lambda _: pytest.fail("a script of the data ran"))
    chat.ask("something hostile")
    tile = chat.page.locator("ic-tile")
    expect(tile.locator("h3")).to_contain_text("<img src=x onerror=alert(1)><b>Bold</b> Tent")
    expect(tile).to_contain_text("<script>window.hacked=1</script>")
    words = chat.page.locator(".ic-words").last
    expect(words).to_contain_text("<img src=x onerror=alert(1)>")
    assert words.locator("img, b, svg").count() == 0
    links = words.locator("a").evaluate_all("links => links.map(link => [link.getAttribute('href'), link.rel])")
    assert links == [["https://example.com/x", "noopener noreferrer"], ["/help", ""]]
    assert chat.page.evaluate("window.hacked") is None


def test_scrolling_up_stops_the_following(chat: Any, shop: Any) -> None:
    for _ in range(3):
        chat.ask("a tent please")
    shop.hold_at = "Word 20 "
    chat.say("a long answer")
    words, jump = chat.page.locator(".ic-words").last, chat.page.get_by_role("button", name="Jump to latest")
    expect(words).to_contain_text("Word 20 ")
    chat.page.mouse.move(400, 300)
    chat.page.mouse.wheel(0, -600)
    expect(jump).to_be_visible()
    chat.page.wait_for_function(AT_REST)
    there = chat.page.evaluate("scrollY")
    shop.hold_at = "Word 40 "
    expect(words).to_contain_text("Word 40 ")
    assert chat.page.evaluate("scrollY") == there
    jump.click()
    expect(jump).to_have_count(0)


@pytest.mark.parametrize(("language", "width"), [("en", 390), ("es", 320)])
def test_a_press_for_a_person_does_not_miss_as_the_way_down_comes_or_goes(
    new_shopper: Any, shop: Any, language: str, width: int
) -> None:
    chat = new_shopper(viewport={"width": width, "height": 640}).open(f"/?lang={language}")
    chat.ask("I want to pay")
    jump, person = chat.page.locator(".ic-jump"), chat.page.locator(".ic-foot .ic-person")
    chat.page.evaluate("scrollTo(0, 0)")
    expect(jump).to_be_visible()
    before, beside = person.bounding_box(), jump.bounding_box()
    assert before["x"] + before["width"] <= beside["x"]
    jump.click()
    expect(jump).to_have_count(0)
    assert person.bounding_box() == pytest.approx(before, abs=0.5)


def test_a_failed_turn_can_be_tried_again(chat: Any, shop: Any) -> None:
    chat.ask("break it")
    failed = chat.page.locator(".ic-failed")
    expect(failed).to_contain_text("The assistant could not finish this answer.")
    failed.get_by_role("button", name="Try again").click()
    expect(chat.page.locator(".ic-words").last).to_have_text("Here we are again.")
    expect(failed).to_have_count(0)
    assert shop.posts[-1][1] == {"action": {"name": "retry", "args": {}}}


def test_a_refused_message_keeps_its_words_and_key(chat: Any, shop: Any) -> None:
    shop.refuse_runs = 1
    chat.say("hello")
    expect(chat.page.locator(".ic-unsent")).to_contain_text("Not sent. This could not be done.")
    chat.page.locator(".ic-unsent").get_by_role("button", name="Try again").click()
    expect(chat.page.locator(".ic-words")).to_contain_text("I can help")
    assert len({key for key, _ in shop.posts}) == 1
    expect(chat.page.locator("[data-role=user]")).to_have_count(1)


def test_a_person_is_one_press_away(new_shopper: Any) -> None:
    for width in (1280, 390):
        chat = new_shopper(viewport={"width": width, "height": 800}).open()
        chat.page.get_by_role("button", name="Talk to a person").click()
        expect(chat.page.locator("ic-handoff")).to_contain_text("HND-2201")
        expect(chat.page.locator(".ic-badge")).to_contain_text("Waiting for a person")


def test_a_new_conversation_starts_empty_and_the_shop_can_be_changed(chat: Any, shop: Any) -> None:
    chat.ask("hello")
    chat.page.get_by_role("button", name="New conversation").click()
    expect(chat.page.get_by_role("heading", name="What are you looking for?")).to_be_visible()
    assert len(shop.threads) == 2
    with chat.page.expect_response(lambda response: "/v1/threads/" in response.url):
        chat.page.locator(".ic-head select").select_option("voltage")
    expect(chat.page.get_by_role("heading", level=1)).to_have_text("Voltage & Co")
    chat.page.reload()
    expect(chat.page.get_by_role("heading", level=1)).to_have_text("Voltage & Co")
    assert len(shop.threads) == 3


def test_every_card_of_the_contract_is_shown(chat: Any) -> None:
    asks = {
        "show detail": ("ic-product", "Two doors, two vestibules"),
        "compare": ("ic-comparison", "4-season"),
        "my orders": ("ic-orders", "Order SP-1042"),
        "where is it": ("ic-timeline", "Arrived at the Portland depot"),
        "check out": ("ic-checkout", "Still needed:"),
        "decline": ("ic-payment-problem", "Your bank declined the card."),
        "stock": ("ic-stock", "Reno"),
    }
    for text, (element, words) in asks.items():
        chat.ask(text)
        expect(chat.page.locator(element)).to_contain_text(words)
