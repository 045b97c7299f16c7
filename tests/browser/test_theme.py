"""Light and dark, chosen or the device's; a shop's own look."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LIGHT, DARK = "rgb(246, 244, 239)", "rgb(19, 21, 23)"


@pytest.mark.parametrize(("scheme", "ground"), [("light", LIGHT), ("dark", DARK)])
def test_looks_like_the_device(new_shopper: Any, scheme: str, ground: str) -> None:
    page = new_shopper(color_scheme=scheme).open().page
    expect(page.locator("body")).to_have_css("background-color", ground)


def test_a_chosen_look_is_kept_and_is_there_before_the_script_runs(new_shopper: Any) -> None:
    shopper = new_shopper(color_scheme="light")
    page = shopper.open().page
    page.get_by_role("button", name="Language and appearance").click()
    page.get_by_role("combobox", name="Appearance").select_option("dark")
    expect(page.locator("body")).to_have_css("background-color", DARK)
    shopper.context.route("**/*.js*", lambda route: route.abort())
    page.goto(shopper.shop.base)
    expect(page.locator("body")).to_have_css("background-color", DARK)


def test_back_to_the_device(new_shopper: Any) -> None:
    shopper = new_shopper(color_scheme="dark")
    shopper.context.add_cookies([{"name": "ic_look", "value": "light", "url": shopper.shop.base}])
    page = shopper.open().page
    expect(page.locator("body")).to_have_css("background-color", LIGHT)
    page.get_by_role("button", name="Language and appearance").click()
    page.get_by_role("combobox", name="Appearance").select_option("auto")
    expect(page.locator("body")).to_have_css("background-color", DARK)


def test_another_shop_brings_its_own_color(shopper: Any) -> None:
    page = shopper.open().page
    mark = page.locator(".ic-mark")
    expect(mark).to_have_css("background-color", "rgb(31, 111, 84)")
    page.locator(".ic-head select").select_option("voltage")
    expect(mark).to_have_css("background-color", "rgb(91, 61, 245)")
