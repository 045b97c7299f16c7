"""How a page looks and whether everybody can use it: axe, room for fingers, nothing wider than the window, pictures."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Error, Frame, Page, expect

ARTIFACTS: Final = Path(__file__).parents[2] / "artifacts"
AXE: Final = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text(encoding="utf-8")
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLORS: Final = ["color-contrast", "link-in-text-block"]
"""The rules that may fail in one look and not in the other."""
RUN: Final = """only => axe.run(document, {preload: false, resultTypes: ['violations'], runOnly: only})
  .then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))]))"""
SMALL_TARGETS: Final = """() => [...document.querySelectorAll('button, select, summary, textarea')]
  .filter(e => e.checkVisibility({visibilityProperty: true}))
  .map(e => [e.textContent.trim() || e.ariaLabel, e.getBoundingClientRect()])
  .filter(([, r]) => r.width && (r.width < 43.5 || r.height < 43.5)).map(([name, r]) => [name, r.width, r.height])"""
DRAWN: Final = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
LOADING: Final = ".ic-wait, [data-state=loading]"
WHOLE: Final = "Math.min(Math.max(innerHeight, document.documentElement.scrollHeight), 12_000)"
PACKED: Final = {"format": "jpeg", "quality": 90}
"""Half the work of PNG."""
OVERFLOW: Final = "document.documentElement.scrollWidth - innerWidth"
LOADED_MS: Final = 45_000
SIZES: Final = ((1280, 800), (768, 1024), (390, 844), (320, 640))
SHOWN: Final = (1280, 768, 390)
"""Of these there are pictures: of each page, and where the colors are looked at also in dark."""
THOROUGH: Final = {(1280, "light"), (390, "dark")}
"""Where axe does all it can: once in each look and each layout. Where only the colors are other, it looks at those."""
BY_COLOR: Final = {(1280, "dark"), (390, "light")}


def violations(page: Page | Frame, rules: list[str] | None = None) -> list[Any]:
    """What axe finds, by all rules of WCAG 2.2 AA and good practice, or by some."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE + ";0")
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    found: list[Any] = page.evaluate(RUN, only)
    return found


def picture(page: Page, name: str) -> None:
    """A picture for people to look at, in ``artifacts``. When Chromium fails to take one, it is asked again."""
    path = ARTIFACTS / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    devtools = page.context.new_cdp_session(page)
    try:
        taken = devtools.send("Page.captureScreenshot", PACKED)
    except Error as error:
        if "Unable to capture screenshot" not in str(error):
            raise
        taken = devtools.send("Page.captureScreenshot", PACKED)
    devtools.detach()
    path.write_bytes(base64.b64decode(taken["data"]))


def sound(
    page: Page,
    name: str,
    *,
    sizes: tuple[tuple[int, int], ...] = SIZES,
    small: str = SMALL_TARGETS,
    full_page: bool = False,
) -> None:
    """From a desk to a small phone, in light and dark: nothing that axe finds, nothing too small for a finger, nothing
    wider than the window. Leaves a picture of each, and the page as wide as it was, in light. ``full_page`` is for what
    scrolls as a whole: it is seen in a window that holds it, where what is stuck to an edge covers nothing.
    """
    expect(page.locator(LOADING)).to_have_count(0, timeout=LOADED_MS)
    before = page.viewport_size
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        if full_page and width in SHOWN:
            page.evaluate(DRAWN)
            page.set_viewport_size({"width": width, "height": page.evaluate(WHOLE)})
        for look in ("light", "dark"):
            if look == "dark" and (width, look) not in THOROUGH | BY_COLOR:
                continue
            page.emulate_media(color_scheme=look, reduced_motion="reduce")
            page.evaluate(DRAWN)
            if width in SHOWN:
                picture(page, f"{name}-{width}-{look}")
            if (width, look) in THOROUGH | BY_COLOR:
                found = violations(page, None if (width, look) in THOROUGH else COLORS)
                assert found == [], (name, width, look, found)
        too_small = page.evaluate(small)
        assert too_small == [], (name, width, too_small)
        assert page.evaluate(OVERFLOW) <= 0, (name, width)
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)
