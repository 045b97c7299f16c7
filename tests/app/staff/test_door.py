"""Signing in to the console, and what a cookie of it opens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.identity import STAFF_COOKIE
from engine.demo.staff import add_staff
from engine.kit.identity import Role
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from tests.app.staff.conftest import WEB, Console, Hire

MakeConsole = Callable[..., Console]


def test_without_a_session_the_console_leads_to_the_sign_in(tenant: Tenant, console: MakeConsole) -> None:
    answer = console().page("/staff")

    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/sign-in")


def test_a_demo_person_comes_in_with_one_press(tenant: Tenant, runtime: Runtime, console: MakeConsole) -> None:
    with runtime.unit_of_work(tenant.id) as session:
        add_staff(session, tenant.id)
    browser = console()

    page = browser.page(f"/staff/sign-in?shop={tenant.slug}")
    assert page.text.index("Sam") < page.text.index("Noor") < page.text.index("Ola") < page.text.index("Ada")
    member = page.text.partition('name="member" value="')[2].partition('"')[0]
    answer = browser.form(f"/staff/sign-in/demo?shop={tenant.slug}", member=member)

    assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    home = browser.page("/staff")
    assert home.status_code == 200
    assert "Sam" in home.text
    assert tenant.name in home.text


def test_the_cookie_is_the_console_s_alone(tenant: Tenant, runtime: Runtime, hire: Hire, console: MakeConsole) -> None:
    browser = console(runtime, hire(tenant, Role.SUPPORT))

    assert browser.get("/v1/approvals").status_code == 200
    assert browser.get("/v1/approvals", X_Staff="0").status_code == 401
    assert browser.get("/v1/approvals?as=staff", X_Staff="0").status_code == 200


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
def test_a_write_says_where_it_comes_from(
    origin: str | None, tenant: Tenant, runtime: Runtime, hire: Hire, console: MakeConsole
) -> None:
    browser = console(runtime, hire(tenant, Role.SUPPORT))
    sent: dict[str, Any] = {"X-Staff": "1", "Idempotency-Key": "one"} | ({"Origin": origin} if origin else {})

    answer = browser.http.post("/v1/staff/macros", json={"name": "Hello", "body": "Hello."}, headers=sent)

    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")
    good = browser.http.post(
        "/v1/staff/macros", json={"name": "Hello", "body": "Hello."}, headers=sent | {"Origin": WEB}
    )
    assert good.status_code == 201
    assert browser.http.cookies.get(STAFF_COOKIE)


@pytest.mark.parametrize(
    ("role", "places"), [(Role.SUPPORT, {"Queue"}), (Role.ADMIN, {"Queue", "People"})], ids=["support", "admin"]
)
def test_the_navigation_shows_what_is_theirs(
    role: Role, places: set[str], tenant: Tenant, runtime: Runtime, hire: Hire, console: MakeConsole
) -> None:
    page = console(runtime, hire(tenant, role)).page("/staff").text.partition("<nav")[2].partition("</nav>")[0]

    shown = set(re.findall(r">(\w+)</a>", page))
    assert places <= shown
    assert ("People" in shown) == (role == Role.ADMIN)
    assert 'href="/staff" aria-current="page"' in page


def test_who_works_for_a_shop_is_nobody_elses_guest(
    runtime: Runtime, hire: Hire, console: Callable[..., Console], make_tenant: Callable[..., Tenant]
) -> None:
    theirs, other = make_tenant(), make_tenant()
    browser = console(runtime, hire(theirs, Role.SUPPORT))
    refused = browser.post("/v1/threads", {"tenant": other.slug})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert "set-cookie" not in refused.headers
    assert browser.post("/v1/threads", {"tenant": theirs.slug}).json()["tenant"] == theirs.slug
