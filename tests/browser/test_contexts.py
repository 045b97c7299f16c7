"""A context that is given back is as a new one, whatever its pages are about to do."""

from __future__ import annotations

import time

import pytest

from tests.browser import contexts as browser_contexts
from tests.browser.conftest import Shopper
from tests.browser.contexts import RESTING, Contexts
from tests.browser.fake_server import FakeShop

pytestmark = pytest.mark.browser

ON_ITS_WAY = "at => setTimeout(() => { location = '/?at=' + at }, at)"


def test_a_page_that_is_on_its_way_elsewhere_is_given_back(contexts: Contexts, shop: FakeShop) -> None:
    """Chromium forgets a close that comes as another document does; with ``page.close()`` few rounds are survived."""
    for milliseconds in (2, 6, 10):
        shopper = Shopper(contexts.take(), shop)
        for _ in range(3):  # one more than is kept
            page = shopper.visit.page()
            page.goto(shop.base)
            page.evaluate(ON_ITS_WAY, milliseconds)
        contexts.give(shopper.visit)
        assert {one.url for one in shopper.context.pages} <= {"about:blank", shop.base + RESTING}


def test_a_page_that_has_gone_before_we_hear_of_it_is_closed(
    contexts: Contexts, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_contexts, "ASKED_AGAIN", 1)
    visit = contexts.take()
    page = visit.context.new_page()
    page.goto(shop.base)
    monkeypatch.setattr(visit.blank, "wait_for_timeout", lambda _: time.sleep(0.3))
    contexts.give(visit)
    assert page.is_closed()


def test_a_page_that_was_there_before_is_as_large_and_as_dark_as_is_asked_now(contexts: Contexts) -> None:
    look = "[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]"
    first = contexts.take(locale="en-NZ", viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert first.page().evaluate(look) == [390, True]
    contexts.give(first)
    second = contexts.take(locale="en-NZ")
    page = second.page()
    assert (second is first, page.evaluate(look)) == (True, [1280, False])
    contexts.give(second)
