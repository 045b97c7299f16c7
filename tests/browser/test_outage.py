"""The real shop goes away in the middle of things and comes back: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.app.test_serve import Server
from tests.browser.real import PAY, TURN_MS, Buyer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MISSED = ("Failed to load resource", "net::ERR_")
"""What a browser says of a server that is not there."""


@contextmanager
def away(server: Server, buyer: Buyer, number: int) -> Iterator[None]:
    """The shop is ended by a signal and comes back; the page says that it is gone, and then no more."""
    banner = buyer.page.locator(".ic-banner")
    server.stop(number)
    try:
        expect(banner).to_contain_text("Reconnecting", timeout=TURN_MS)
        yield
    finally:
        server.start()
    expect(banner).to_have_count(0, timeout=TURN_MS)
    foreign, errors = buyer.complaints()
    assert (foreign, [said for said in errors if not any(words in said for words in MISSED)]) == ([], [])


def begin(page: Page, words: str) -> None:
    """Says it, and returns when the shop has it: the turn has begun, or is about to."""
    page.fill("#composer", words)
    page.press("#composer", "Enter")
    expect(page.locator("[data-role=user]").last).to_contain_text(words)
    expect(page.locator(".ic-sending")).to_have_count(0, timeout=TURN_MS)


def story(page: Page) -> list[str]:
    told: list[str] = page.locator(".ic-own, .ic-words, .ic-card > *").all_inner_texts()
    return told


def broken(server: Server) -> list[dict[str, Any]]:
    """The standing rules that do not hold, and by which rows."""
    return [one for one in json.loads(server.run("check", "--json").stdout)["checks"] if not one["ok"]]


@pytest.mark.long
def test_a_turn_cut_short_ends_once_and_words_of_meanwhile_are_sent_once(buyer: Buyer, server: Server) -> None:
    """Points 12 and 13."""
    page = buyer.page
    begin(page, "show me tents")
    with away(server, buyer, signal.SIGTERM):
        page.fill("#composer", "and sleeping bags")
        page.press("#composer", "Enter")
        expect(page.locator(".ic-unsent")).to_contain_text("Not sent.", timeout=TURN_MS)
    expect(page.locator("ic-products").or_(page.locator(".ic-failed")).first).to_be_visible(timeout=TURN_MS)
    buyer.complaints()
    page.locator(".ic-unsent").get_by_role("button", name="Try again").click()
    expect(page.locator(".ic-unsent")).to_have_count(0, timeout=TURN_MS)
    buyer.settled()
    expect(page.locator(".ic-own")).to_have_text(["show me tents", "and sleeping bags"])
    expect(page.locator("ic-products")).to_have_count(2, timeout=TURN_MS)
    buyer.settled()
    told = story(page)
    assert len(told) == len(set(told))
    page.reload()
    expect(page.locator("ic-products")).to_have_count(2)
    assert story(page) == told


@pytest.mark.long
def test_a_payment_cut_by_a_crash_is_taken_once(buyer: Buyer, server: Server) -> None:
    """Point 13: killed when the shop has just said that it heard of the press."""
    page = buyer.page
    buyer.to_the_card()
    with page.expect_response(lambda answer: answer.url.endswith("/runs") and answer.status == 202):
        buyer.card.get_by_role("button", name=PAY).click()
    with away(server, buyer, signal.SIGKILL):
        expect(page.locator("ic-confirm")).to_have_count(1)
    receipt = page.locator("ic-receipt")
    again = page.get_by_role("button", name=PAY).or_(page.locator(".ic-failed button"))
    expect(receipt.or_(again).first).to_be_visible(timeout=TURN_MS)
    if not receipt.count():
        again.first.click()
    expect(receipt).to_have_count(1, timeout=TURN_MS)
    buyer.settled()
    assert [one["payment_status"] for one in buyer.orders()] == ["paid"]
    assert broken(server) == []
    buyer.ask("hello")
