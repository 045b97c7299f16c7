"""What the cards print beside names and prices: days, things to know, tax within a price, what it costs otherwise."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_checkout_says_when_it_arrives_and_what_to_know(chat: Any) -> None:
    chat.ask("from abroad")
    card = chat.page.locator("ic-checkout").last
    expect(card.locator(".way")).to_have_count(2)
    ways = [row.inner_text() for row in card.locator(".way").all()]
    assert re.search(r"arrives Tue, Dec 1\s\u2013\sThu, Dec 3", ways[0])
    assert "arrives Mon, Nov 30" in ways[1]
    assert "days" not in " ".join(ways)
    expect(card.locator(".notice")).to_have_text("An adult signs for this parcel.")


def test_tax_within_the_prices_is_a_line_that_adds_nothing(chat: Any) -> None:
    chat.ask("from abroad")
    row = chat.page.locator("ic-checkout .totals .row", has_text="Tax included: VAT")
    expect(row).to_contain_text("$31.76")
    expect(row).to_have_class(re.compile("muted"))


def test_what_it_costs_otherwise_is_struck_through_and_said(chat: Any) -> None:
    chat.ask("on sale")
    tile = chat.page.locator("ic-tile").first
    expect(tile.locator("s")).to_have_text("Otherwise $249.00")
    expect(tile.locator(".price")).to_have_text("$199.00")
    tile.get_by_role("button", name="Add to cart").click()
    expect(chat.page.locator(".ic-aside ic-cart .line s")).to_have_text("Otherwise $249.00")


def test_without_a_sale_nothing_is_struck_through(chat: Any) -> None:
    chat.ask("a tent please")
    expect(chat.page.locator("ic-tile")).to_have_count(5)
    expect(chat.page.locator("ic-tile s")).to_have_count(0)


def test_a_gift_card_leaves_its_field_for_the_server_alone(chat: Any) -> None:
    sent: list[Any] = []

    def take(route: Any) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(json={})

    chat.page.route("**/tenders**", take)
    chat.ask("check out")
    card = chat.page.locator("ic-checkout").last
    card.get_by_text("Gift card or store credit").click()
    field = card.get_by_label("Gift card code")
    field.fill(" GC-1234-5678 ")
    card.get_by_role("button", name="Apply").click()
    expect(field).to_have_value("")
    chat.until(lambda: sent)
    assert sent == [{"code": "GC-1234-5678"}]
    expect(chat.page.locator(".ic-log")).not_to_contain_text("GC-1234-5678")
