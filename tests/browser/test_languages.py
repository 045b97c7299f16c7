"""The page in every language: chosen, remembered, whole, and in Arabic from right to left."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from app.wording import words

pytestmark = pytest.mark.browser

FLOW = ("show me tents", "I want to pay", "where is my order")
SIZES = [(390, 844), (1280, 800)]


def wide(page: Any) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return found


@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_the_page_is_in_the_language_of_the_address_and_stays_in_it(new_shopper: Any, language: str) -> None:
    told, shopper = words(language), new_shopper()
    chat = shopper.open(f"/?lang={language}")
    for address in ("", "/"):
        if address:
            chat.page.goto(shopper.shop.base + address)
        html = chat.page.locator("html")
        expect(html).to_have_attribute("lang", language)
        expect(html).to_have_attribute("dir", told.direction)
        expect(chat.page.get_by_role("heading", level=2).first).to_have_text(told.say("page.hello"))
        expect(chat.page.get_by_label(told.say("page.composer"))).to_be_visible()
    assert [one["name"] for one in shopper.context.cookies() if one["name"].startswith("ic_l")] == ["ic_lang"]


def test_the_browsers_language_counts_until_one_is_chosen_in_the_page(new_shopper: Any) -> None:
    shopper = new_shopper(locale="es-MX")
    page = shopper.open().page
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.get_by_role("button", name=words("es").say("page.settings")).click()
    page.get_by_role("combobox", name=words("es").say("page.language")).select_option("ar")
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    page.goto(shopper.shop.base)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_arabic_runs_from_right_to_left_and_fits(new_shopper: Any, width: int, height: int) -> None:
    chat = new_shopper(viewport={"width": width, "height": height}).open("/?lang=ar")
    for text in FLOW:
        chat.ask(text)
        assert wide(chat.page) <= 0
    pay = chat.page.locator("ic-confirm .pay")
    expect(pay).to_have_text(re.compile(r"^ادفع \W*538\.05"))
    mark, tools = chat.page.locator(".ic-mark").bounding_box(), chat.page.locator(".ic-tools").bounding_box()
    assert mark["x"] > tools["x"]
    send, box = chat.page.locator(".ic-box button").bounding_box(), chat.page.locator(".ic-box").bounding_box()
    assert send["x"] - box["x"] < box["width"] / 2
    chat.shot(f"arabic-{width}")


def test_what_the_shop_names_keeps_its_direction_in_arabic(new_shopper: Any) -> None:
    chat = new_shopper().open("/?lang=ar")
    chat.ask("I want to pay")
    card = chat.card()
    expect(card.locator("dd > div", has_text="Analytical Way").first).to_have_css("unicode-bidi", "plaintext")
    total = card.locator(".grand dd").inner_text()
    assert (total[0], total[-1]) == ("\u2066", "\u2069")


def test_plurals_and_sums_are_those_of_the_language(new_shopper: Any) -> None:
    chat = new_shopper().open("/?lang=es")
    chat.ask("show me tents")
    expect(chat.page.locator("ic-products .row .num").first).to_have_text("5 productos")
    chat.ask("I want to pay")
    names = chat.card().locator("dl.totals dt").all_inner_texts()
    assert names[-1] == "Total"
    assert {"Artículos", "Impuestos"} <= set(names)
    expect(chat.card().locator(".pay")).to_have_text("Pagar $538.05")


def test_a_page_in_another_language_says_so_with_each_message(new_shopper: Any, shop: Any) -> None:
    spanish = new_shopper().open("/?lang=es")
    spanish.ask("show me tents")
    assert shop.posts[-1][1] == {"message": "show me tents", "language": "es"}
    english = new_shopper().open()
    english.ask("show me tents")
    assert shop.posts[-1][1] == {"message": "show me tents"}
