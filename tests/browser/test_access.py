"""WCAG 2.2 AA by axe, room for fingers, and nothing wider than a small phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = f"""axe.run(document, {{runOnly: {TAGS}}})
  .then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))]))"""
SHOPPING = ["a tent", "show detail", "compare", "check out", "decline"]
EVERYTHING = [*SHOPPING, "my orders", "where is it", "stock", "break it"]
SMALL_TARGETS = """() => [...document.querySelectorAll('button, select, summary, textarea')]
  .filter(e => e.checkVisibility({visibilityProperty: true}))
  .map(e => [e.textContent.trim() || e.ariaLabel, e.getBoundingClientRect()])
  .filter(([, r]) => r.width && (r.width < 43.5 || r.height < 43.5)).map(([name, r]) => [name, r.width, r.height])"""


def violations(page: Any) -> list[Any]:
    page.evaluate(AXE + ";0")
    found: list[Any] = page.evaluate(RUN)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (320, 640)], ids=["wide", "phone", "small"])
def test_no_violation_and_no_overflow(new_shopper: Any, size: tuple[int, int], scheme: str) -> None:
    width, height = size
    chat = new_shopper(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce").open()
    name = f"{width}-{scheme}"
    chat.shot(f"{name}-empty")
    assert violations(chat.page) == []
    for text in EVERYTHING:
        chat.ask(text)
    chat.page.locator("ic-tile").first.get_by_role("button", name="Add to cart").click()
    chat.checkout()
    expect(chat.page.locator(".ic-shown")).to_have_count(0, timeout=6000)
    chat.shot(f"{name}-confirm")
    assert violations(chat.page) == []
    assert chat.page.evaluate(SMALL_TARGETS) == []
    assert chat.page.evaluate("document.documentElement.scrollWidth") <= width
    chat.card().get_by_role("button", name="Pay $").click()
    expect(chat.page.locator("ic-receipt")).to_be_visible()
    chat.shot(f"{name}-receipt")
    assert violations(chat.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sheets_have_no_violation(new_shopper: Any, scheme: str) -> None:
    chat = new_shopper(viewport={"width": 390, "height": 844}, color_scheme=scheme).open()
    chat.ask("a tent")
    chat.page.locator("ic-tile").first.get_by_role("button", name="Add to cart").click()
    chat.page.get_by_role("button", name="Open cart, 1 item").click()
    expect(chat.page.locator("#cart-sheet ic-cart")).to_contain_text("Fellwalker 2 Tent")
    chat.shot(f"390-{scheme}-cart")
    assert violations(chat.page) == []
    chat.page.keyboard.press("Escape")
    expect(chat.page.get_by_role("button", name="Open cart, 1 item")).to_be_focused()
    chat.checkout().get_by_role("button", name="Use another card").click()
    expect(chat.page.frame_locator("#card-sheet iframe").get_by_label("Card number")).to_be_visible()
    chat.shot(f"390-{scheme}-card-entry")
    assert violations(chat.page) == []
    form = chat.page.frames[-1]
    assert violations(form) == []
    assert form.evaluate("document.documentElement.scrollWidth <= innerWidth")
