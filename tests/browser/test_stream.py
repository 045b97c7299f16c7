"""The event stream: shared by all tabs, resumed where it broke, nothing lost and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

ANSWER = "I can help with tents, your cart and your orders."
NO_SHARED_WORKER = "delete globalThis.SharedWorker"
UNSEEN = "Object.defineProperty(document, 'hidden', { get: () => window.unseen ?? false })"


def staff_says(shop: Any, text: str) -> None:
    def work() -> None:
        thread = shop.newest()
        message_id = f"hum_{len(thread.log)}"
        thread.add("TEXT_MESSAGE_START", messageId=message_id, role="assistant", name="Sam (support)")
        thread.add("TEXT_MESSAGE_CONTENT", messageId=message_id, delta=text)
        thread.add("TEXT_MESSAGE_END", messageId=message_id)

    shop.do(work)


@pytest.mark.parametrize("script", ["", NO_SHARED_WORKER], ids=["shared worker", "one stream a tab"])
def test_a_broken_stream_loses_and_doubles_nothing(shopper: Any, shop: Any, script: str) -> None:
    chat = shopper.open(script=script)
    chat.ask("hello")
    shop.drop_streams = True
    expect(chat.page.locator(".ic-banner")).to_contain_text("Reconnecting")
    staff_says(shop, "I read what you wrote.")
    shop.drop_streams = False
    words = chat.page.locator(".ic-words")
    expect(words.last).to_have_text("I read what you wrote.")
    expect(words).to_have_count(2)
    expect(words.first).to_have_text(ANSWER)
    expect(chat.page.locator(".ic-name").last).to_have_text("Sam (support)")
    expect(chat.page.locator(".ic-banner")).to_have_count(0)
    assert shop.streams_opened > 1


def test_a_break_in_the_middle_of_an_answer(chat: Any, shop: Any) -> None:
    shop.hold_at = "I can"
    chat.say("hello")
    expect(chat.page.locator(".ic-words")).to_have_text("I can")
    shop.drop_streams = True
    expect(chat.page.locator(".ic-banner")).to_contain_text("Reconnecting")
    shop.hold_at = None
    shop.drop_streams = False
    expect(chat.page.locator(".ic-words")).to_have_text(ANSWER)


def test_a_reload_in_the_middle_of_an_answer(chat: Any, shop: Any) -> None:
    shop.hold_at = "I can"
    chat.say("hello")
    expect(chat.page.locator(".ic-words")).to_have_text("I can")
    chat.page.reload()
    expect(chat.page.locator(".ic-words")).to_have_text("I can")
    shop.hold_at = None
    expect(chat.page.locator(".ic-words")).to_have_text(ANSWER)
    expect(chat.page.locator("[data-role=user]")).to_have_count(1)


@pytest.mark.long
def test_ten_tabs_share_one_stream(shopper: Any, shop: Any) -> None:
    tabs = [shopper.open() for _ in range(10)]
    expect(tabs[-1].page.locator(".ic-starts")).to_be_visible()
    assert shop.streams == 1
    tabs[-1].ask("hello")
    for tab in tabs:
        expect(tab.page.locator(".ic-words")).to_have_text(ANSWER)
        expect(tab.page.locator("[data-role=user]")).to_have_count(1)


def test_seven_tabs_without_a_worker_hold_one_stream(shopper: Any, shop: Any) -> None:
    """Browsers allow six connections: a tab that is not looked at gives its own back, and catches up later."""
    tabs = []
    for _ in range(7):
        tabs.append(shopper.open(script=f"{NO_SHARED_WORKER}; {UNSEEN}"))
        expect(tabs[-1].page.locator(".ic-starts")).to_be_visible()
        _look(tabs[-1], hidden=True)
    _look(tabs[4], hidden=False)
    tabs[4].ask("hello")
    assert shop.streams == 1
    _look(tabs[4], hidden=True)
    for tab in tabs:
        _look(tab, hidden=False)
        expect(tab.page.locator(".ic-words")).to_have_text(ANSWER)
        expect(tab.page.locator("[data-role=user]")).to_have_count(1)
        _look(tab, hidden=True)


def _look(tab: Any, *, hidden: bool) -> None:
    change = "hidden => { window.unseen = hidden; document.dispatchEvent(new Event('visibilitychange')); }"
    tab.page.evaluate(change, hidden)


@pytest.mark.parametrize("script", ["", NO_SHARED_WORKER], ids=["shared worker", "one stream a tab"])
def test_a_network_that_is_cut_in_the_middle_of_an_answer(shopper: Any, shop: Any, script: str) -> None:
    """Point 12: what was said while the shopper was offline is there afterwards, whole and once."""
    chat = shopper.open(script=script)
    shop.hold_at = "I can"
    chat.say("hello")
    expect(chat.page.locator(".ic-words")).to_have_text("I can")
    shopper.context.set_offline(True)
    shop.drop_streams = True
    expect(chat.page.locator(".ic-banner")).to_contain_text("You are offline")
    shop.hold_at = None
    staff_says(shop, "You were away for a moment.")
    shop.drop_streams = False
    shopper.context.set_offline(False)
    words = chat.page.locator(".ic-words")
    expect(words).to_have_text([ANSWER, "You were away for a moment."])
    expect(chat.page.locator(".ic-banner")).to_have_count(0)
    expect(chat.page.locator("[data-role=user]")).to_have_count(1)


def test_a_late_tab_catches_up_from_the_worker(shopper: Any, shop: Any) -> None:
    first = shopper.open()
    shop.hold_at = "I can"
    first.say("hello")
    expect(first.page.locator(".ic-words")).to_have_text("I can")
    second = shopper.open()
    expect(second.page.locator(".ic-words")).to_have_text("I can")
    shop.hold_at = None
    for tab in (first, second):
        expect(tab.page.locator(".ic-words")).to_have_text(ANSWER)
    assert shop.streams == 1


def test_a_thread_that_is_gone_gives_way_to_a_new_one(chat: Any, shop: Any) -> None:
    chat.ask("hello")
    shop.threads.clear()
    chat.page.reload()
    expect(chat.page.get_by_role("heading", name="What are you looking for?")).to_be_visible()
    assert len(shop.threads) == 1


def test_a_shop_that_does_not_answer_can_be_tried_again(shopper: Any) -> None:
    shopper.context.route("**/v1/threads", lambda route: route.abort())
    page = shopper.context.new_page()
    page.goto(shopper.shop.base)
    expect(page.get_by_text("The shop could not be reached.")).to_be_visible()
    shopper.context.unroute("**/v1/threads")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".ic-starts button")).to_have_count(4)
