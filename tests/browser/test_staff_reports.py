"""The console's reports, catalog and shop on the real server: worked, and sound at every size and look."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.looks import sound
from tests.browser.real import AGAIN, Guest
from tests.pictures import png

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SMALL = """() => [...document.querySelectorAll('main :is(button, .button, select, summary, textarea, input)')]
  .filter(e => e.type !== 'hidden' && e.checkVisibility({visibilityProperty: true}))
  .map(e => [e.textContent.trim() || e.ariaLabel || e.name, (e.closest('label') ?? e).getBoundingClientRect()])
  .filter(([, r]) => r.width && (r.width < 43.5 || r.height < 43.5)).map(([name, r]) => [name, r.width, r.height])"""

DRAWN_ANEW = "former => !former.isConnected"


@pytest.mark.long
def test_reports_after_a_sale(person: Any) -> None:
    noor, shopper = person("Noor"), person()
    Guest(shopper.visit, shopper.url).buys()
    page = noor.go("/staff/reports")
    expect(page.get_by_role("link", name="Reports", exact=True)).to_have_attribute("aria-current", "page")
    tax = page.locator("#tax")
    expect(tax).to_contain_text("Ties to the trial balance")
    expect(tax.get_by_role("img", name="Tax: collected, by day")).to_be_visible()
    tax.get_by_text("The numbers").press("Enter")
    owed = tax.locator(".rp-total td").last
    expect(owed).to_contain_text("$")
    sound(noor.page, "staff/reports", small=SMALL, full_page=True)
    page.get_by_role("link", name="7 days").press("Enter")
    expect(page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
    expect(page.locator("#tax .rp-bar")).to_have_count(7)
    with page.expect_download() as file:
        page.get_by_role("link", name="Tax as CSV").click()
    lines = Path(file.value.path()).read_text().splitlines()
    assert lines[0] == "day,collected USD,given_back USD,owed USD"
    assert len(lines) == 9
    page.locator("#rp-from").fill("2026-03-02")
    page.locator("#rp-to").fill("2026-03-01")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("The first day comes after the last.")


@pytest.mark.long
def test_a_product_is_found_changed_and_refused(person: Any) -> None:
    ops = person("Ola")
    page = ops.go("/staff/catalog")
    page.get_by_label("Title, slug or SKU").fill("fellwalker 2")
    page.get_by_role("button", name="Search").press("Enter")
    expect(page.locator("#ct-found tbody tr")).to_have_count(1)
    sound(ops.page, "staff/catalog", small=SMALL, full_page=True)
    page.get_by_role("link", name=re.compile("^Fellwalker")).click()
    words = page.get_by_role("region", name="The product")
    price = page.get_by_label("Price").first
    before = price.input_value()
    brand = words.get_by_label("Brand").input_value()
    words.get_by_label("Category").fill("NO")
    words.get_by_role("button", name="Save").click()
    expect(words.get_by_text("2 to 80 small letters and spaces, such as sleeping bags")).to_be_visible()
    expect(words.get_by_label("Category")).to_have_attribute("aria-invalid", "true")
    sound(ops.page, "staff/product", small=SMALL, full_page=True)
    page.once("dialog", lambda asked: asked.dismiss())
    page.evaluate("location.reload()")
    expect(words.get_by_label("Category")).to_have_value("NO")
    words.get_by_label("Category").fill("tents")
    price.fill("12.345")
    words.get_by_label("Description").fill("A tent for two that stands in any wind, and packs small.")
    with _while_it_is_saved(page, "**/v1/products/*"):
        words.get_by_role("button", name="Save").click()
        words.get_by_label("Brand").fill("Fell & Co")
    expect(page.locator(".st-toast")).to_contain_text("Saved.")
    expect(words.get_by_role("button", name="Save")).to_be_enabled()
    words.get_by_label("Brand").fill(brand)
    expect(words.get_by_role("button", name="Save")).to_be_disabled()
    expect(words.get_by_label("Description")).to_have_value(re.compile("^A tent for two"))
    expect(price).to_have_value("12.345")
    page.get_by_role("region", name="Variants").get_by_role("button", name="Save").first.click()
    expect(page.get_by_label("Price").first).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("An amount such as 12.50.")).to_be_visible()
    price.fill(before)
    page.get_by_role("button", name=re.compile("^Correct the stock")).first.click()
    card = page.get_by_role("dialog")
    card.get_by_label("Units more; with a minus: fewer").fill("2")
    card.get_by_label("Reason").fill("Found behind the shelf")
    had = int(page.get_by_role("cell").first.inner_text())
    page.route("**/v1/staff/inventory/adjust", _no_answer)
    card.get_by_role("button", name="Correct it").click()
    expect(card.get_by_role("alert")).to_contain_text("No answer from the server.")
    page.unroute("**/v1/staff/inventory/adjust")
    card.get_by_role("button", name="Correct it").click()
    expect(page.locator(".st-toast").last).to_contain_text("The stock is corrected.")
    expect(page.get_by_role("cell").first).to_have_text(str(had + 2))


def _somebody_else_sets(page: Page, values: dict[str, Any]) -> None:
    told = {"X-Staff": "1", "Idempotency-Key": str(values), "Content-Type": "application/json"}
    send = "async ([path, headers, body]) => (await fetch(path, {method: 'PATCH', headers, body})).ok"
    assert page.evaluate(send, ["/v1/staff/policies/approvals", told, json.dumps(values)])


def _square() -> Any:
    """A picture as somebody picks it."""
    return {"name": "logo.png", "mimeType": "image/png", "buffer": png()}


@contextmanager
def _while_it_is_saved(page: Page, path: str) -> Iterator[None]:
    """What is sent there is answered once the block is over."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(path, hold)
    with page.expect_request(path):
        yield
    while not held:  # A request is told of before it is held.
        page.wait_for_timeout(5)
    held[0].continue_()
    page.unroute(path)


def _no_answer(route: Route) -> None:
    """It is done, and nobody hears of it."""
    assert route.fetch(max_retries=AGAIN).ok
    route.abort()


def test_a_product_is_made_with_what_it_costs_elsewhere(person: Any) -> None:
    """Made of a form, one variant more, units in stock, a price in another currency; and given away three for two."""
    page = person("Ola").go("/staff/catalog/new")
    page.get_by_label("Title", exact=True).fill("Trail cup")
    page.get_by_label("Description").fill("A cup that is light and keeps tea warm.")
    page.get_by_role("button", name="Add an option").press("Enter")
    page.keyboard.type("Size")
    page.get_by_label("Its values, with commas between").fill("S, M")
    small = page.get_by_role("group", name="S", exact=True)
    small.get_by_label("Price in USD").fill("12.50")
    small.get_by_label("Weight in g").fill("120")
    medium = page.get_by_role("group", name="M", exact=True)
    expect(medium.get_by_label("Price in USD")).to_have_value("12.50")
    expect(medium.get_by_label("SKU")).to_have_value("TRAIL-CUP-M")
    page.get_by_role("button", name="Make the product").press("Enter")
    expect(page.get_by_label("Category")).to_have_attribute("aria-invalid", "true")
    sound(page, "staff/product-new", small=SMALL, full_page=True)
    page.get_by_label("Category").fill("cups")
    page.get_by_role("button", name="Make the product").press("Enter")
    expect(page.get_by_role("heading", name="Trail cup", exact=True)).to_be_visible()
    page.get_by_role("button", name="Add a variant").click()
    card = page.get_by_role("dialog")
    for label, words in (("Size", "XL"), ("SKU", "trail-xl"), ("Price in USD", "15"), ("Weight in g", "150")):
        card.get_by_label(label).fill(words)
    card.get_by_role("button", name="Add it").click()
    page.get_by_role("button", name="Correct the stock of TRAIL-XL").click()
    card.get_by_label("Units more; with a minus: fewer").fill("5")
    card.get_by_label("Reason").fill("First delivery")
    card.get_by_role("button", name="Correct it").click()
    expect(page.get_by_role("table", name="Stock of TRAIL-XL").get_by_role("cell").first).to_have_text("5")
    page.get_by_role("button", name="Set a price").click()
    card.get_by_label("Currency").fill("jpy")
    card.get_by_label("Price", exact=True).fill("1800")
    card.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("table", name="Other prices").get_by_role("row").last).to_contain_text("¥1,800")
    page.goto(page.url.partition("/products")[0] + "/promotions")
    page.get_by_role("button", name="New promotion").press("Enter")
    card.get_by_label("Title, as buyers see it").fill("Three for two")
    card.get_by_label("What it gives").select_option(label="Buy some, get some for less")
    expect(card.get_by_label("How much")).to_be_hidden()
    card.get_by_label("What it is for").select_option(label="Some products")
    card.get_by_label("Products: title").fill("no such cup")
    card.get_by_role("button", name="Create").click()
    expect(card.get_by_role("alert")).to_contain_text("There is no product “no such cup”.")
    card.get_by_label("Products: title").fill("trail-xl")
    card.get_by_role("button", name="Create").click()
    expect(page.get_by_role("row", name="Three for two")).to_contain_text("Buy 2, get 1 free")


def test_a_promotion_is_made_and_ended(person: Any) -> None:
    page = person("Ada").go("/staff/catalog/promotions")
    page.get_by_role("button", name="New promotion").press("Enter")
    card = page.get_by_role("dialog")
    card.get_by_label("Title, as buyers see it").fill("Winter")
    card.get_by_label("Code; empty: it is given by itself").fill("winter5")
    card.get_by_label("How much").fill("500")
    card.get_by_role("button", name="Create").click()
    expect(card.get_by_role("alert")).to_contain_text("percent_off")
    card.get_by_label("How much").fill("5")
    card.get_by_label("How much").press("Enter")
    row = page.get_by_role("row", name=re.compile(r"Winter \(WINTER5\)"))
    expect(row).to_contain_text("5 % off")
    row.get_by_role("button", name="End Winter").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(row).to_contain_text("ended")


@pytest.fixture
def ada(person: Any) -> Iterator[Any]:
    """An admin, after whom the limit that other tests know stands again."""
    made = person("Ada")
    yield made
    _somebody_else_sets(made.go("/staff/tenant"), {"refund_limit": {"USD": 20_000}})


@pytest.mark.long
def test_rules_are_changed_after_a_look_at_the_difference(ada: Any) -> None:
    page = ada.go("/staff/tenant?section=returns")
    days = page.get_by_label("Window days", exact=True)
    days.fill("-1")
    page.get_by_role("button", name="See what changes").click()
    card = page.get_by_role("dialog")
    expect(card).to_contain_text("→ -1")
    card.get_by_role("button", name="Change them").click()
    expect(days).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert").filter(has_text="At least 0.")).to_be_visible()
    days.fill("45")
    page.get_by_role("button", name="See what changes").click()
    card.get_by_role("button", name="Change them").click()
    expect(page.locator(".st-toast")).to_contain_text("The rules are changed.")
    expect(days).to_have_value("45")
    targets = ada.go("/staff/tenant?section=support").get_by_role("group", name="Urgent")
    targets.get_by_label("First response minutes").fill("20")
    page.get_by_role("button", name="See what changes").click()
    expect(card).to_contain_text("Targets, urgent, first response minutes")
    expect(card).to_contain_text("30 → 20")
    card.get_by_role("button", name="Cancel").click()
    page.once("dialog", lambda asked: asked.accept())
    limit = ada.go("/staff/tenant?section=approvals").get_by_role("group", name="Goodwill limit")
    limit.get_by_role("button", name="Goodwill limit: add a currency").press("Enter")
    expect(limit.get_by_text("This currency is there already.").last).to_be_visible()
    limit.get_by_role("textbox", name="Currency").last.fill("JPY")
    limit.get_by_label("At most").last.fill("9000")
    _somebody_else_sets(page, {"refund_limit": {"USD": 30000}})
    page.get_by_role("button", name="See what changes").click()
    expect(card).to_contain_text("USD 50.00 → USD 50.00, JPY 9000")
    card.get_by_role("button", name="Change them").click()
    expect(page.get_by_role("alert").filter(has_text="Somebody else changed")).to_be_visible()
    page.get_by_role("button", name="Read theirs, and keep mine to look at").click()
    expect(page.get_by_role("group", name="Refund limit").get_by_label("At most")).to_have_value("300.00")
    sound(ada.page, "staff/approvals-rules", small=SMALL, full_page=True)
    page.get_by_role("button", name="See what changes").click()
    card.get_by_role("button", name="Change them").click()
    expect(page.locator(".st-toast").last).to_contain_text("The rules are changed.")
    expect(limit.get_by_label("At most").first).to_have_value("9000")
    ada.go("/staff/tenant")
    page.get_by_label("A picture").set_input_files(_square())
    expect(page.get_by_role("img", name="The logo as it is now")).to_be_visible()
    page.get_by_role("button", name="Take it off").click()
    expect(page.get_by_text("None: the first letter of the name is shown.")).to_be_visible()
    page.get_by_label("Accent", exact=True).fill("#ffee00")
    expect(page.get_by_role("status").filter(has_text="White words")).to_contain_text("too little")
    page.get_by_label("Accent", exact=True).fill("#1f6f54")
    expect(page.get_by_role("status").filter(has_text="White words")).to_contain_text("readable")
    sound(ada.page, "staff/tenant", small=SMALL, full_page=True)


def test_what_is_typed_while_rules_are_saved_is_still_to_be_saved(person: Any) -> None:
    page = person("Ada").go("/staff/tenant?section=warranties")
    files = page.get_by_label("Evidence files", exact=True)
    days = page.get_by_label("Replacement min days", exact=True)
    look = page.get_by_role("button", name="See what changes")
    card = page.get_by_role("dialog")
    files.fill("12")
    look.click()
    former = days.element_handle()
    with _while_it_is_saved(page, "**/v1/staff/policies/warranties"):
        card.get_by_role("button", name="Change them").click()
        days.fill("1")
    page.wait_for_function(DRAWN_ANEW, arg=former)
    expect(days).to_be_focused()
    page.keyboard.type("20")
    expect(days).to_have_value("120")
    expect(files).to_have_value("12")
    look.click()
    expect(card).to_contain_text("90 → 120")
    expect(card).not_to_contain_text("Evidence files")
