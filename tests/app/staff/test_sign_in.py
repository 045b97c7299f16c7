"""The sign-in as a browser sees it: forms, cookies, and what is said to a stranger."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.identity import COOKIE, STAFF_COOKIE
from engine.kit.identity import Role
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.staff import members
from tests.app.staff.conftest import Console, Hire
from tests.engine.staff.people import code_mailed
from tests.shop import Shop

MakeConsole = Callable[..., Console]


def said(page: Any) -> str:
    """The page's main part, without what is different each time."""
    return re.sub(r"\s+", " ", page.text.partition("<main")[2].partition("</main>")[0])


def come(browser: Console, shop: Shop, email: str, wanted: str = "") -> Any:
    query = f"?shop={shop.tenant.slug}" + (f"&next={wanted}" if wanted else "")
    browser.form(f"/staff/sign-in{query}", email=email)
    return browser.form(f"/staff/sign-in/code{query}", email=email, code=code_mailed(shop))


def test_by_code_one_is_in_and_back_where_one_was(shop: Shop, hire: Hire, console: MakeConsole) -> None:
    sam, browser = hire(shop.tenant, Role.SUPPORT, "Sam"), console()
    wanted = browser.page("/staff/people?x=1")
    assert wanted.headers["location"] == "/staff/sign-in?next=/staff/people%3Fx%3D1"

    answer = come(browser, shop, sam.email, "/staff/people%3Fx%3D1")

    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/people?x=1")
    refused = browser.page("/staff/people")
    assert refused.status_code == 403
    assert "not for your role" in refused.text
    assert browser.page("/staff/sign-in?next=/staff/people").headers["location"] == "/staff/people"


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/staff//evil", "/staffx", "/v1/x", "/staff/../x", "\\\\evil"]
)
def test_nobody_is_led_elsewhere(wanted: str, shop: Shop, hire: Hire, console: MakeConsole) -> None:
    answer = come(console(), shop, hire(shop.tenant, Role.SUPPORT, "Sam").email, wanted)

    assert answer.headers["location"] == "/staff"


def test_a_stranger_sees_the_same_page(shop: Shop, hire: Hire, console: MakeConsole) -> None:
    query, email = f"?shop={shop.tenant.slug}", hire(shop.tenant, Role.SUPPORT, "Sam").email
    known, unknown = console(), console()
    asked = (
        known.form(f"/staff/sign-in{query}", email=email),
        unknown.form(f"/staff/sign-in{query}", email="x@y.example"),
    )
    tried = (
        known.form(f"/staff/sign-in/code{query}", email=email, code="000 000x"),
        unknown.form(f"/staff/sign-in/code{query}", email="x@y.example", code="000 000x"),
    )

    for mine, theirs in (asked, tried):
        assert mine.status_code == theirs.status_code
        assert said(mine).replace(email, "E") == said(theirs).replace("x@y.example", "E")
        assert {k: v for k, v in mine.headers.items() if k not in {"set-cookie", "x-request-id", "content-length"}} == {
            k: v for k, v in theirs.headers.items() if k not in {"set-cookie", "x-request-id", "content-length"}
        }
    assert tried[0].status_code == 422
    assert known.cookie is None


def test_a_planted_cookie_is_replaced_and_opens_nothing(shop: Shop, hire: Hire, console: MakeConsole) -> None:
    sam = hire(shop.tenant, Role.SUPPORT, "Sam")
    attacker = console(shop.runtime, hire(shop.tenant, Role.SUPPORT, "Eve"))
    planted, victim = attacker.cookie, console()
    assert planted
    victim.http.cookies.set(STAFF_COOKIE, planted)
    victim.http.cookies.set("ic_staff_asked", "planted", path="/staff/sign-in")

    come(victim, shop, sam.email)

    mine = [one.value for one in victim.http.cookies.jar if one.name == STAFF_COOKIE and one.value != planted]
    assert len(mine) == 1
    assert attacker.get("/v1/staff/me").status_code == 401


def test_cookies_are_strict_hidden_and_secure_behind_https(shop: Shop, hire: Hire, console: MakeConsole) -> None:
    email, query = hire(shop.tenant, Role.SUPPORT, "Sam").email, f"?shop={shop.tenant.slug}"
    browser, secure = console(), {"Origin": "https://127.0.0.1:8000"}
    base = "https://127.0.0.1:8000/staff/sign-in"
    asked = browser.http.post(f"{base}{query}", data={"email": email}, headers=secure)
    done = browser.http.post(
        f"{base}/code{query}", data={"code": code_mailed(shop)}, headers=secure, follow_redirects=False
    )

    for answer, name in ((asked, "ic_staff_asked"), (done, STAFF_COOKIE)):
        cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{name}="))
        assert {"HttpOnly", "SameSite=strict", "Secure"} <= set(cookie.split("; "))
    assert "Path=/" in done.headers.get_list("set-cookie")[0]
    policy = asked.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "frame-ancestors 'none'" in policy
    assert asked.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    "path", ["/staff/sign-in", "/staff/sign-in/code", "/staff/sign-in/demo", "/staff/join", "/staff/sign-out"]
)
@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_a_form_of_another_site_does_nothing(
    path: str, headers: dict[str, str], shop: Shop, hire: Hire, console: MakeConsole
) -> None:
    browser = console(shop.runtime, hire(shop.tenant, Role.SUPPORT, "Sam"))

    answer = browser.http.post(path, data={"email": "sam@people.example", "everywhere": "1"}, headers=headers)

    assert answer.status_code == 403
    assert browser.get("/v1/staff/me").status_code == 200


def test_signing_out_ends_this_browser_and_everywhere_all(shop: Shop, hire: Hire, console: MakeConsole) -> None:
    sam = hire(shop.tenant, Role.SUPPORT, "Sam")
    first, second, third = (console(shop.runtime, sam) for _ in range(3))

    answer = first.form("/staff/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/sign-in")
    assert [one.get("/v1/staff/me").status_code for one in (first, second, third)] == [401, 200, 200]
    second.form("/staff/sign-out", everywhere="1")
    assert [one.get("/v1/staff/me").status_code for one in (first, second, third)] == [401, 401, 401]


def test_an_invitation_is_looked_at_often_and_taken_once(shop: Shop, console: MakeConsole) -> None:
    with shop.uow() as session:
        made = members.invite(
            session, shop.runtime, shop.tenant.id, email="sam@people.example", role=Role.OPS, actor="test", name="Sam"
        )
    path = made.link.removeprefix("http://127.0.0.1:8000")
    browser = console()
    for _ in range(2):
        page = browser.page(path)
        assert page.status_code == 200
        assert "Welcome, Sam" in page.text
        assert "Operations" in page.text
    token = path.partition("token=")[2]

    answer = browser.form(f"/staff/join?shop={shop.tenant.slug}", token=token)
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
    assert browser.get("/v1/staff/me").json()["role"] == "ops"
    again = console()
    assert again.form(f"/staff/join?shop={shop.tenant.slug}", token=token).status_code == 422
    assert again.page(path).status_code == 422
    assert again.cookie is None


def test_both_cookies_live_side_by_side(shop: Shop, hire: Hire, console: MakeConsole) -> None:
    browser = console(shop.runtime, hire(shop.tenant, Role.SUPPORT, "Sam"))
    sent = {"Idempotency-Key": "one"}
    thread = browser.http.post("/v1/threads", json={"tenant": shop.tenant.slug}, headers=sent).json()["id"]

    assert browser.http.cookies.get(COOKIE)
    assert browser.get(f"/v1/threads/{thread}", X_Staff="0").json()["id"] == thread
    assert browser.get("/v1/staff/me").json()["name"] == "Sam"
    assert browser.get("/v1/orders", X_Staff="0").status_code == 200


def test_nobody_is_a_demo_person_but_in_a_demo(
    runtime: Runtime, make_tenant: Callable[..., Tenant], hire: Hire, console: MakeConsole
) -> None:
    demo, real = make_tenant(), make_tenant(demo=False)
    for tenant in (demo, real):
        member = hire(tenant, Role.ADMIN)
        page = console().page(f"/staff/sign-in?shop={tenant.slug}")
        assert member.name not in page.text
        browser = console()
        answer = browser.form(f"/staff/sign-in/demo?shop={tenant.slug}", member=member.id)
        assert answer.status_code == (422 if tenant is demo else 404)
        assert browser.cookie is None
