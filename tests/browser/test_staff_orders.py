"""The console's orders and approvals on the real server: cards before acts, somebody else's yes, the shopper hears."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.app.test_serve import Server
from tests.browser.contexts import Contexts
from tests.browser.looks import sound, violations
from tests.browser.real import AGAIN, Guest, Person

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TURN_MS = 60_000
APPROVAL: Any = {
    "approval": {
        "amount": {"amount": 100, "currency": "USD"}, "reason": "", "needed": 1, "agreed": [], "status": "pending",
        "case_id": None, "created_at": "2026-11-26T07:00:00Z", "expires_at": "2026-11-29T07:00:00Z", "note": "",
    },
    "asked_by": "Noor", "order_number": None, "buyer": "", "facts": [], "limit": None, "limit_words": "none",
    "may_decide": False, "why_not": "Somebody else must decide.", "decided_by": None,
}  # fmt: skip
"""One that waits, as the page reads it."""


@pytest.fixture(scope="module")
def buyer(contexts: Contexts, server: Server) -> Iterator[Person]:
    """A shopper who has paid for three tents, and still has the conversation open."""
    made = Person(contexts.take(), server.url)
    guest = Guest(made.visit, server.url)
    guest.buys(3)
    made.page = guest.comes()
    expect(made.page.locator("ic-receipt")).to_be_visible(timeout=TURN_MS)
    yield made
    contexts.give(made.visit)
    assert made.errors == []


def number_of(buyer: Person) -> str:
    (order,) = buyer.context.request.get(f"{buyer.url}/v1/orders", max_retries=AGAIN).json()["items"]
    return str(order["number"])


def panel(page: Page) -> Any:
    found = page.locator("ic-order-panel")
    expect(found.locator(".op-focus")).to_be_visible()
    return found


def ask_refund(page: Page, amount: str) -> None:
    """From the panel to the card."""
    panel(page).get_by_role("button", name="Refund", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Amount")).fill(amount)
    dialog.get_by_label("Note for whoever approves it").fill("Second complaint this year")
    dialog.get_by_role("button", name="See the card").click()


def test_above_the_limit_a_supervisor_decides_and_the_shopper_hears(buyer: Person, person: Any) -> None:
    number = number_of(buyer)
    sam, noor = person("Sam"), person("Noor")
    page = sam.go(f"/staff/orders/{number}")
    expect(panel(page)).to_contain_text("Ada Lovelace")
    ask_refund(page, "250.00")
    card = page.get_by_role("dialog")
    for words in ("Refund $250.00", "•••• 4242", "It arrived damaged", "somebody else has to approve it"):
        expect(card).to_contain_text(words)
    assert violations(page) == []
    card.get_by_role("button", name="Ask for approval").dblclick()
    expect(page.locator(".st-toast")).to_contain_text("Somebody else has to approve it")
    expect(panel(page)).to_contain_text("waits for an approval")

    mine = sam.go("/staff/approvals")
    item = mine.locator(".op-approval", has_text=number)
    expect(item).to_contain_text("Somebody else must decide what you asked for.")
    expect(item.get_by_role("button", name="Approve")).to_have_count(0)

    hers = noor.go("/staff/approvals")
    item = hers.locator(".op-approval", has_text=number)
    for words in ("Refund of $250.00", "Sam", "Second complaint this year", "$200.00 (refund limit)"):
        expect(item).to_contain_text(words)
    assert violations(hers) == []
    item.get_by_role("button", name="Approve").click()
    dialog = hers.get_by_role("dialog")
    expect(dialog).to_contain_text("The shopper reads the outcome, never who decided or why.")
    dialog.get_by_label("Reason").fill("Fine")
    dialog.get_by_role("button", name="Approve").click()
    expect(hers.locator(".st-toast")).to_contain_text("Approved, and done.")
    expect(buyer.page.locator(".ic-log")).to_contain_text("Good news: the refund of $250.00 is approved.")
    expect(hers.locator(".op-approval", has_text=number)).to_have_count(0)
    again = sam.go(f"/staff/orders/{number}")
    expect(panel(again)).to_contain_text("$250.00")
    expect(again.locator("#op-trail")).to_contain_text("Noor · Said yes to an approval")
    assert [one["amount"]["amount"] for one in sam_refunds(sam, number)].count(25000) == 1


def sam_refunds(who: Person, number: str) -> list[dict[str, Any]]:
    answer = who.context.request.get(f"{who.url}/v1/staff/orders/{number}", headers={"X-Staff": "1"}, max_retries=AGAIN)
    found: list[dict[str, Any]] = answer.json()["refunds"]
    return found


def test_a_denied_refund_is_told_and_moves_nothing_by_keyboard_alone(buyer: Person, person: Any) -> None:
    number = number_of(buyer)
    sam, noor = person("Sam"), person("Noor")
    page, before = sam.go(f"/staff/orders/{number}"), sam_refunds(sam, number)
    panel(page).get_by_role("button", name="Refund", exact=True).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("radio").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("201.00")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("heading", name="Refund $201.00")).to_be_focused()
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Back")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".st-toast")).to_contain_text("Somebody else has to approve it")
    expect(panel(page).get_by_role("button", name="Refund", exact=True)).to_be_focused()

    hers = noor.go("/staff/approvals")
    deny = hers.locator(".op-approval", has_text=number).get_by_role("button", name="Deny")
    deny.focus()
    hers.keyboard.press("Enter")
    hers.get_by_role("dialog").get_by_label("Reason").fill("No photo was sent")
    hers.keyboard.press("Tab")
    hers.keyboard.press("Tab")
    hers.keyboard.press("Enter")
    expect(hers.locator(".st-toast")).to_contain_text("Denied. Nothing was done.")
    log = buyer.page.locator(".ic-log")
    expect(log).to_contain_text("the refund of $201.00 was not approved")
    expect(log).not_to_contain_text("No photo")
    assert sam_refunds(sam, number) == before
    hers.get_by_role("button", name="Decided").click()
    denied = hers.locator(".op-approval", has_text=number).filter(has_text="$201.00")
    expect(denied).to_contain_text("decided by Noor")


def test_within_the_limit_one_yes_is_enough_and_a_stale_card_shows_itself_anew(buyer: Person, person: Any) -> None:
    number = number_of(buyer)
    sam, other = person("Sam"), person("Noor")
    page, second = sam.go(f"/staff/orders/{number}"), other.go(f"/staff/orders/{number}")
    before = {one["id"] for one in sam_refunds(sam, number)}
    ask_refund(page, "10.00")
    expect(page.get_by_role("dialog")).to_contain_text("Your own yes is enough.")
    ask_refund(second, "5.00")
    second.get_by_role("button", name="Refund $5.00").dblclick()
    expect(second.locator(".st-toast")).to_contain_text("Done.")

    page.get_by_role("button", name="Refund $10.00").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Nothing was done: look at a fresh one.")
    page.route("**/acts", _put_away)
    dialog.get_by_role("button", name="Refund $10.00").click()
    expect(page.locator(".st-toast")).to_contain_text("Done.")
    expect(dialog).to_have_count(0)
    made = [one["amount"]["amount"] for one in sam_refunds(sam, number) if one["id"] not in before]
    assert sorted(made) == [500, 1000]


def _put_away(route: Route) -> None:
    """Escape while it is being done: what became of it is told all the same."""
    page = route.request.frame.page
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    route.continue_()


def test_an_address_a_letter_and_a_cancel(buyer: Person, person: Any) -> None:
    number = number_of(buyer)
    sam = person("Sam")
    page = sam.go(f"/staff/orders/{number}")
    dialog = page.get_by_role("dialog")
    panel(page).get_by_role("button", name="Change the address").click()
    dialog.get_by_label("Street and number").fill("14 Analytical Way")
    dialog.get_by_role("button", name="See the card").click()
    expect(dialog).to_contain_text("14 Analytical Way")
    dialog.get_by_role("button", name="Change the address").click()
    expect(panel(page)).to_contain_text("14 Analytical Way")

    panel(page).get_by_role("button", name="Hold", exact=True).click()
    dialog.get_by_label("Why, for the shop").fill("Ask about the street")
    dialog.get_by_role("button", name="See the card").click()
    dialog.get_by_role("button", name="Hold it").click()
    expect(panel(page)).to_contain_text("On hold: Ask about the street")
    panel(page).get_by_role("button", name="Resume").click()
    dialog.get_by_role("button", name="Resume it").click()
    expect(panel(page)).not_to_contain_text("On hold: Ask about the street")

    panel(page).get_by_text(re.compile(r"^Notes \(")).click()
    note = panel(page).get_by_label("A note for the shop")
    note.fill("Called back at ")
    with page.expect_response("**/v1/staff/panel?*"):
        page.evaluate("document.querySelector('ic-order-panel').load()")
    expect(note).to_be_focused()
    page.keyboard.type("noon")
    panel(page).get_by_role("button", name="Keep the note").click()
    expect(panel(page).locator(".op-said")).to_contain_text("Called back at noon")
    assert violations(page) == []


def test_more_approvals_stay_open_while_others_come(person: Any) -> None:
    """What "Show more" brought is there after the page has asked again by itself."""
    sam = person("Sam")
    page, asked = sam.page, []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        second = "cursor=" in route.request.url
        item = APPROVAL | {"title": "Second" if second else "First"}
        item["approval"] = item["approval"] | {"id": f"apv_{second}"}
        route.fulfill(json={"items": [item], "next_cursor": None if second else "next", "waiting": 1 + len(asked)})

    page.route(re.compile("/v1/staff/approvals[?]state"), answer)
    page.clock.install()
    sam.go("/staff/approvals")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".op-approval")).to_have_count(2)
    before = len(asked)
    page.clock.fast_forward(16_000)
    expect(page.get_by_role("button", name="Waiting (4)")).to_be_visible()
    assert len(asked) == before + 2
    expect(page.locator(".op-approval h2")).to_have_text(["First of $1.00", "Second of $1.00"])


def test_orders_are_found(buyer: Person, person: Any) -> None:
    number = number_of(buyer)
    sam = person("Sam")
    page = sam.go("/staff/orders")
    expect(page.locator(".op-table tbody tr").first).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Number, e-mail or name")).to_be_focused()
    page.keyboard.type(number)
    page.keyboard.press("Enter")
    expect(page.locator(".op-table tbody tr")).to_have_count(1)
    page.go_back()
    expect(page.get_by_label("Number, e-mail or name")).to_have_value("")
    page.get_by_label("Number, e-mail or name").fill("nobody@nowhere.example")
    page.keyboard.press("Enter")
    expect(page.locator("#op-found")).to_contain_text("No order fits.")


@pytest.mark.usefixtures("buyer")
def test_no_violation_and_no_overflow(person: Any) -> None:
    who = person("Sam")
    page = who.go("/staff/orders")
    expect(page.locator(".op-table tbody tr").first).to_be_visible()
    sound(page, "staff/orders", full_page=True)
    page.locator(".op-table tbody a").first.click()
    expect(panel(page)).to_be_visible()
    expect(page.locator("#op-trail li").first).to_be_visible()
    sound(page, "staff/order", full_page=True)
    panel(page).get_by_role("button", name="Refund", exact=True).click()
    sound(page, "staff/form")
    page.get_by_role("dialog").get_by_label(re.compile("^Amount")).fill("1.00")
    page.get_by_role("button", name="See the card").click()
    expect(page.locator(".op-yes")).to_be_visible()
    sound(page, "staff/card")
    page = who.go("/staff/approvals")
    expect(page.locator("#op-approvals .st-state, #op-approvals li").first).to_be_visible()
    sound(page, "staff/approvals", full_page=True)
