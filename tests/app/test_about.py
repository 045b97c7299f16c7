"""``/about``: says how it is, and every door it names is there."""

from __future__ import annotations

import re

from app.site import Site
from tests.app.conftest import Browser
from tests.shop import Shop


def test_every_door_opens(browser: Browser, shop: Shop) -> None:
    page = browser.http.get("/about")
    doors = re.findall(r'<a class="si-order" href="([^"]+)"', page.text)
    assert len(doors) == 11
    for door in doors:
        assert browser.http.get(door).status_code == 200, door
    assert browser.http.get("/acp/mcp").status_code in {401, 405}
    assert "https://" not in page.text
    assert shop.tenant.name not in page.text


def test_it_says_when_it_is_not_ready(browser: Browser, site: Site) -> None:
    assert "Ready" in browser.http.get("/about").text
    site.ready, site.step = False, "indexing"
    page = browser.http.get("/about").text
    assert "Starting" in page
    assert "indexing" in page
    site.opened = None
    assert browser.http.get("/about").status_code == 200
