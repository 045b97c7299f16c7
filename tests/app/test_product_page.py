"""``/products/{handle}``: what people and readers of pages see of a product, and the way into the chat."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from app.identity import COOKIE
from engine.catalog.models import Product
from engine.conversations.models import Run, Thread
from engine.kit.tenancy import Tenant
from tests.app.conftest import WEB, Browser, counted
from tests.conftest import MakeTenant
from tests.shop import Shop


def handle_of(shop: Shop) -> tuple[str, str]:
    with shop.uow() as session:
        row = session.scalars(select(Product).where(Product.tenant_id == shop.tenant.id)).one()
        return row.slug, row.id


def look(browser: Browser, shop: Shop, handle: str, **headers: str) -> Any:
    return browser.http.get(f"/products/{handle}?shop={shop.tenant.slug}", headers=headers)


def press(browser: Browser, shop: Shop, handle: str, *, origin: str = WEB, **fields: str) -> Any:
    path = f"/products/{handle}/ask?shop={shop.tenant.slug}"
    return browser.http.post(path, data=fields, headers={"origin": origin}, follow_redirects=False)


def test_a_product_by_handle_id_and_variant(browser: Browser, shop: Shop) -> None:
    variant = shop.add("A", price=129_900, stock={"EAST": 3})
    handle, product_id = handle_of(shop)
    for name in (handle, product_id, variant):
        page = look(browser, shop, name)
        assert page.status_code == 200
        assert "Thing A" in page.text
        assert "$1,299.00" in page.text
        assert "Only 3 left" in page.text
        assert f'<link rel="canonical" href="{WEB}/products/{handle}?shop={shop.tenant.slug}" />' in page.text
        assert f"/theme/{shop.tenant.slug}.css?v=" in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_it_describes_itself_to_readers_of_pages(browser: Browser, shop: Shop) -> None:
    shop.add("A", price=4950, stock={"EAST": 3})
    handle, product_id = handle_of(shop)
    page = look(browser, shop, handle).text
    told = re.search(r'<script type="application/ld\+json">(.+?)</script>', page)
    assert told
    data = json.loads(told[1])
    assert (data["@type"], data["name"]) == ("Product", "Thing A")
    assert data["image"] == [f"{WEB}/media/products/{product_id}.svg?shop={shop.tenant.slug}"]
    (offer,) = data["offers"]
    assert (offer["price"], offer["priceCurrency"], offer["availability"]) == (
        "49.50",
        shop.tenant.currency,
        "https://schema.org/InStock",
    )
    assert '<meta property="og:title" content="Thing A" />' in page
    assert browser.http.get(data["image"][0].removeprefix(WEB)).status_code == 200


def test_in_the_readers_language(browser: Browser, shop: Shop) -> None:
    shop.add("A", stock={})
    handle, _ = handle_of(shop)
    assert "Agotado" in look(browser, shop, handle, **{"accept-language": "es"}).text
    arabic = look(browser, shop, handle, **{"accept-language": "ar"}).text
    assert 'lang="ar" dir="rtl"' in arabic


@pytest.mark.parametrize("handle", ["nothing-here", "prd_nothing", "<script>", "a" * 81, "%00"])
def test_what_is_not_there_is_said_in_the_shops_look(browser: Browser, shop: Shop, handle: str) -> None:
    page = look(browser, shop, handle)
    assert page.status_code == 404
    assert f"/theme/{shop.tenant.slug}.css" in page.text
    assert "<script>" not in page.text


def test_another_shops_product_is_not_there(browser: Browser, shop: Shop, make_tenant: MakeTenant) -> None:
    shop.add("A")
    _, product_id = handle_of(shop)
    other: Tenant = make_tenant()
    assert browser.http.get(f"/products/{product_id}?shop={other.slug}").status_code == 404


def test_asking_opens_the_chat_with_its_card(browser: Browser, shop: Shop, woken: Any) -> None:
    shop.add("A")
    handle, product_id = handle_of(shop)
    first = press(browser, shop, handle)
    thread_id = first.headers["location"].partition("#")[2]
    assert (first.status_code, first.headers["location"]) == (303, f"/?shop={shop.tenant.slug}#{thread_id}")
    with shop.uow() as session:
        (run,) = session.scalars(select(Run).where(Run.thread_id == thread_id)).all()
        assert run.input["action"] == {"name": "view_product", "args": {"product_id": product_id}}
    assert woken.keys == [(shop.tenant.id, thread_id)]
    assert browser.http.get(f"/v1/threads/{thread_id}").status_code == 200


def test_adding_goes_on_in_the_conversation_that_there_is(browser: Browser, shop: Shop) -> None:
    variant = shop.add("A")
    handle, _ = handle_of(shop)
    thread_id = browser.start(shop.tenant) if shop.runtime.demo else ""
    first = press(browser, shop, handle, add=variant).headers["location"].partition("#")[2]
    again = press(browser, shop, handle, add=variant).headers["location"].partition("#")[2]
    assert again == first == (thread_id or first)
    assert counted(shop, Thread) == 1


def test_another_sites_form_and_a_foreign_variant_are_refused(browser: Browser, shop: Shop) -> None:
    shop.add("A")
    handle, _ = handle_of(shop)
    assert press(browser, shop, handle, origin="https://evil.example").status_code == 403
    assert press(browser, shop, handle, add="var_nothing").status_code == 404
    assert browser.http.post(f"/products/{handle}/ask?shop={shop.tenant.slug}").status_code == 403
    assert (counted(shop, Thread), browser.http.cookies.get(COOKIE)) == (0, None)


def test_markup_in_a_product_stays_words(browser: Browser, shop: Shop) -> None:
    shop.add("A")
    handle, product_id = handle_of(shop)
    with shop.uow() as session:
        row = session.get_one(Product, (shop.tenant.id, product_id))
        row.title = row.description = "</script><script>alert(1)</script>"
    page = look(browser, shop, handle).text
    assert "<script>alert" not in page
    assert "\\u003c/script>" in page
