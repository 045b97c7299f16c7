"""A shop's style sheet and voice on its page."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from typing import Any

from app.theme import look, style
from engine.kit.tenancy import Tenant
from engine.policies import set_policy
from engine.theme.colors import Color, contrast
from engine.theme.models import LARGEST
from engine.theme.policy import ThemePolicy
from tests.app.conftest import Browser
from tests.pictures import png
from tests.shop import Shop


def told(page: str) -> dict[str, Any]:
    found = re.search(r'data-config="([^"]*)"', page)
    assert found
    config: dict[str, Any] = json.loads(unescape(found[1]))
    return config["tenant"]  # type: ignore[no-any-return]


def hosted(shop: Shop) -> dict[str, str]:
    """The shop gets a host; the header that names it."""
    name = f"{shop.tenant.slug}.example"
    with shop.runtime.store.without_tenant() as session:
        session.get_one(Tenant, shop.tenant.id).host = name
    return {"host": name}


def give(browser: Browser, key: str, content: bytes) -> Any:
    body = {"name": "logo.png", "content": base64.b64encode(content).decode()}
    return browser.post("/v1/staff/theme/logo", body, authorization=key)


def rule(shop: Shop, section: str, **values: Any) -> None:
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, section, values, actor="key_test")


def test_an_old_color_is_made_readable() -> None:
    sheet = dict(re.findall(r"(--ic-[\w-]+): (#\w{6});", style(ThemePolicy(), {"accent": "#ffd400"})))
    assert contrast(Color.of(sheet["--ic-accent"]), Color.of("#ffffff")) >= 4.5
    assert contrast(Color.of(sheet["--ic-accent-ink-light"]), Color.of("#eeece6")) >= 4.5
    assert contrast(Color.of(sheet["--ic-accent-ink-dark"]), Color.of("#2a2e33")) >= 4.5
    assert style(ThemePolicy(), {"accent": "}body{"}) == style(ThemePolicy(), {})


def test_the_sheet_is_kept_until_the_theme_changes(browser: Browser, shop: Shop) -> None:
    host = hosted(shop)
    page = browser.http.get("/", headers=host)
    first = told(page.text)["theme"]
    assert f'href="{first}"' in page.text
    answer = browser.http.get(first)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    rule(shop, "theme", accent="#5b3df5", second="#a8261c", corners="square", tint_percent=3)
    rule(shop, "theme", assistant_name="Piney", greeting={"en": "Off to the hills?"})
    shown = told(browser.http.get("/", headers=host).text)
    assert shown["theme"] != first
    assert (shown["assistant"], shown["greeting"]) == ("Piney", "Off to the hills?")
    assert browser.http.get(first).headers["cache-control"] == "no-cache"
    sheet = browser.http.get(shown["theme"]).text
    for said in ("--ic-accent: #5b3df5", "--ic-mark: #a8261c", "--ic-round: 0.125rem", "--ic-bg: light-dark(#"):
        assert said in sheet


def test_a_shop_offers_the_languages_it_names(browser: Browser, shop: Shop) -> None:
    host = hosted(shop)
    rule(shop, "languages", offered=["es", "en"], home="es")
    page = browser.http.get("/?lang=ar", headers=host)
    assert '<html lang="es" dir="ltr"' in page.text
    assert "set-cookie" not in page.headers
    assert told(page.text)["languages"] == [["es", "Español"], ["en", "English"]]
    assert page.headers["content-language"] == "es"
    arabic = browser.http.get("/order/X-1?lang=ar", headers=host | {"accept-language": "ar"})
    assert '<html lang="es"' in arabic.text


def test_a_hosted_page_is_in_the_browsers_language(browser: Browser, shop: Shop) -> None:
    page = browser.http.get(f"/order/X-1?shop={shop.tenant.slug}", headers={"accept-language": "ar"})
    assert '<html lang="ar" dir="rtl"' in page.text
    assert "الطلب X-1" in page.text
    assert browser.http.get("/confirm/nothing?t=x", headers={"accept-language": "es"}).text.count("Su pedido") == 2


def test_a_logo_is_a_picture_and_nothing_else(browser: Browser, shop: Shop, make_key: Any) -> None:
    host = hosted(shop)
    admin, support = make_key(shop.tenant, "admin"), make_key(shop.tenant, "staff")
    refused = give(browser, admin, b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert (refused.status_code, refused.json()["code"]) == (422, "logo_refused")
    large = give(browser, admin, png() + b"x" * LARGEST)
    assert large.status_code == 422
    assert give(browser, support, png()).status_code == 403
    assert "logo" not in told(browser.http.get("/", headers=host).text)
    taken = give(browser, admin, png() + b"<script>")
    assert taken.status_code == 200
    shown = told(browser.http.get("/", headers=host).text)["logo"]
    picture = browser.http.get(shown)
    assert (picture.content, picture.headers["content-type"]) == (png(extra=b""), "image/png")
    assert picture.headers["content-security-policy"] == "default-src 'none'; sandbox"
    rule(shop, "theme", logo=None)
    assert "logo" not in told(browser.http.get("/", headers=host).text)


def test_there_is_no_sheet_of_a_shop_that_is_not(browser: Browser) -> None:
    assert browser.http.get("/theme/nobody.css?v=1").status_code == 404


def test_a_look_is_light_or_dark_and_nothing_else() -> None:
    def kept(value: str) -> str:
        from fastapi import Request

        headers = [(b"cookie", f"ic_look={value}".encode())]
        return look(Request({"type": "http", "headers": headers}))

    assert [kept(value) for value in ("dark", "light", "auto", '"><b>')] == ["dark", "light", "", ""]
