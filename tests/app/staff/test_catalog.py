"""The console's pages of products and promotions: for operations and admins; search finds what a merchant types."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.kit.identity import Role
from engine.runtime import Runtime
from tests.app.conftest import Browser
from tests.app.staff.conftest import Console, Hire
from tests.conftest import MakeTenant
from tests.shop import Shop, open_shop

PAGES = ("/staff/catalog", "/staff/catalog/new", "/staff/catalog/promotions", "/staff/catalog/products/prd_1")


@pytest.mark.parametrize("role", list(Role))
def test_pages_are_for_operations_and_admins(
    runtime: Runtime, shop: Shop, hire: Hire, console: Callable[..., Console], role: Role
) -> None:
    by = console(runtime, hire(shop.tenant, role))
    status = 200 if role in {Role.OPS, Role.ADMIN} else 403
    assert [by.page(path).status_code for path in PAGES] == [status] * 4
    assert ('href="/staff/catalog"' in by.page("/staff/orders").text) == (status == 200)


@pytest.mark.parametrize(
    ("q", "found"),
    [("thing te", ["TENT"]), ("ent", ["TENT"]), ("MU", ["MUG"]), ("T%", []), ("thing", ["TENT", "MUG"]), ("_", [])],
)
def test_products_are_found_by_words_and_sku(
    shop: Shop, browser: Browser, make_key: Callable[..., str], make_tenant: MakeTenant, q: str, found: list[str]
) -> None:
    shop.add("TENT")
    shop.add("MUG")
    open_shop(shop.runtime, make_tenant()).add("TENTPOLE")
    key = make_key(shop.tenant, "staff")
    answer = browser.http.get("/v1/staff/products", params={"q": q}, headers={"Authorization": key})
    assert [one["variants"][0]["sku"] for one in answer.json()["items"]] == found
