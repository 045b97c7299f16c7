"""What each role may do is decided by the API; the navigation only shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.chat.stream import _read
from engine.approvals.models import Approval
from engine.kit import clock
from engine.kit.errors import Unauthenticated
from engine.kit.identity import Role
from engine.kit.members import StaffMember
from engine.kit.tenancy import Tenant
from engine.policies import set_policy
from engine.runtime import Runtime
from engine.staff import members, sessions
from tests.app.conftest import Browser, paid_order
from tests.app.staff.conftest import Console, Hire
from tests.shop import Shop

MakeConsole = Callable[..., Console]
SUPPORT, SUPERVISOR, OPS, ADMIN = Role

MATRIX = (
    ("refund", {SUPPORT: 200, SUPERVISOR: 200, OPS: 200, ADMIN: 200}),
    ("refund above", {SUPPORT: 202, SUPERVISOR: 202, OPS: 202, ADMIN: 202}),
    ("approve", {SUPPORT: 403, SUPERVISOR: 200, OPS: 200, ADMIN: 200}),
    ("policies", {SUPPORT: 403, SUPERVISOR: 403, OPS: 403, ADMIN: 200}),
    ("read policies", {SUPPORT: 200, SUPERVISOR: 200, OPS: 200, ADMIN: 200}),
    ("people", {SUPPORT: 403, SUPERVISOR: 403, OPS: 403, ADMIN: 200}),
    ("invite", {SUPPORT: 403, SUPERVISOR: 403, OPS: 403, ADMIN: 201}),
    ("people's page", {SUPPORT: 403, SUPERVISOR: 403, OPS: 403, ADMIN: 200}),
    ("home", {SUPPORT: 200, SUPERVISOR: 200, OPS: 200, ADMIN: 200}),
)


@pytest.fixture
def sold(shop: Shop) -> str:
    """An order of 50 dollars in a shop where 10 are one person's limit."""
    shop.add("A")
    order = paid_order(shop, "A")
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "approvals", {"refund_limit": 1000}, actor="test")
    return order


def refund(order: str, amount: int) -> dict[str, Any]:
    return {"order_id": order, "amount": amount, "reason": "goodwill", "destination": "original"}


def ask_above(browser: Console, order: str, amount: int = 1500) -> str:
    answer = browser.post("/v1/staff/refunds", refund(order, amount))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["approval"]["id"])


def attempt(what: str, browser: Console, order: str, other: Console) -> Any:
    asks: dict[str, Callable[[], Any]] = {
        "refund": lambda: browser.post("/v1/staff/refunds", refund(order, 100)),
        "refund above": lambda: browser.post("/v1/staff/refunds", refund(order, 1500)),
        "approve": lambda: browser.post(f"/v1/staff/approvals/{ask_above(other, order)}/approve", {"note": "Yes."}),
        "policies": lambda: browser.http.patch(
            "/v1/staff/policies/approvals",
            json={"refund_limit": 2000},
            headers={"X-Staff": "1", "Origin": "http://127.0.0.1:8000", "Idempotency-Key": "one"},
        ),
        "read policies": lambda: browser.get("/v1/staff/policies"),
        "people": lambda: browser.get("/v1/staff/members"),
        "invite": lambda: browser.post("/v1/staff/members", {"email": "new@people.example", "role": "admin"}),
        "people's page": lambda: browser.page("/staff/people"),
        "home": lambda: browser.page("/staff"),
    }
    return asks[what]()


@pytest.mark.parametrize("what", [what for what, _ in MATRIX])
def test_each_role_may_what_it_may(what: str, sold: str, shop: Shop, hire: Hire, console: MakeConsole) -> None:
    found = {}
    for role in Role:
        other = console(shop.runtime, hire(shop.tenant, SUPPORT))
        found[role] = attempt(what, console(shop.runtime, hire(shop.tenant, role)), sold, other).status_code

    assert found == dict(MATRIX)[what]


def test_nobody_decides_what_they_asked_for(sold: str, shop: Shop, hire: Hire, console: MakeConsole) -> None:
    noor = hire(shop.tenant, SUPERVISOR, "Noor")
    first, second = console(shop.runtime, noor), console(shop.runtime, noor)
    approval = ask_above(first, sold)

    for browser in (first, second):
        answer = browser.post(f"/v1/staff/approvals/{approval}/approve")
        assert (answer.status_code, answer.json()["code"]) == (403, "own_request")
    done = console(shop.runtime, hire(shop.tenant, ADMIN)).post(f"/v1/staff/approvals/{approval}/approve")
    assert (done.status_code, done.json()["status"]) == (200, "approved")


def test_a_key_that_names_a_member_is_that_member(
    sold: str, shop: Shop, hire: Hire, console: MakeConsole, browser: Browser, make_key: Callable[..., str]
) -> None:
    approval = ask_above(console(shop.runtime, hire(shop.tenant, SUPERVISOR, "Noor")), sold)
    hers, another = make_key(shop.tenant, "admin", person="noor"), make_key(shop.tenant, "staff", person="ann")

    answer = browser.post(f"/v1/staff/approvals/{approval}/approve", Authorization=hers)
    assert (answer.status_code, answer.json()["code"]) == (403, "own_request")
    assert browser.post(f"/v1/staff/approvals/{approval}/approve", Authorization=another).status_code == 200


def test_a_shop_says_which_roles_decide(sold: str, shop: Shop, hire: Hire, console: MakeConsole) -> None:
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "approvals", {"approver_roles": ["admin"]}, actor="test")
    approval = ask_above(console(shop.runtime, hire(shop.tenant, SUPPORT)), sold)
    path = f"/v1/staff/approvals/{approval}/approve"

    refused = console(shop.runtime, hire(shop.tenant, SUPERVISOR)).post(path)
    assert (refused.status_code, refused.json()["code"]) == (403, "may_not_approve")
    with shop.uow() as session:
        assert session.get_one(Approval, (shop.tenant.id, approval)).status == "pending"
    assert console(shop.runtime, hire(shop.tenant, ADMIN)).post(path).status_code == 200


def test_a_role_that_changes_or_ends_is_felt_at_the_next_request(shop: Shop, hire: Hire, console: MakeConsole) -> None:
    ada, sam = hire(shop.tenant, ADMIN, "Ada"), hire(shop.tenant, ADMIN, "Sam")
    hers, his = console(shop.runtime, ada), console(shop.runtime, sam)

    assert hers.post(f"/v1/staff/members/{sam.id}/role", {"role": "support"}).json()["role"] == "support"
    assert his.get("/v1/staff/me").status_code == 401
    his = console(shop.runtime, sam)
    assert his.get("/v1/staff/me").json()["scopes"] == ["staff"]
    assert hers.post(f"/v1/staff/members/{sam.id}/disable").json()["status"] == "disabled"
    assert his.get("/v1/staff/me").status_code == 401
    assert his.page("/staff").headers["location"] == "/staff/sign-in"
    last = hers.post(f"/v1/staff/members/{ada.id}/disable")
    assert (last.status_code, last.json()["code"]) == (409, "last_admin")
    assert hers.get("/v1/staff/me").status_code == 200


def test_an_open_stream_ends_with_its_sign_in(shop: Shop, hire: Hire, console: MakeConsole, site: Any) -> None:
    sam = hire(shop.tenant, SUPPORT, "Sam")
    browser = console(shop.runtime, sam)
    with shop.runtime.store.without_tenant() as session:
        identity = sessions.who(session, browser.cookie or "")
    assert identity is not None
    thread = console().start(shop.tenant)
    assert _read(site, identity, thread, 0) is not None
    with shop.uow() as session:
        members.disable(session, shop.tenant.id, sam.id, actor="test")

    with pytest.raises(Unauthenticated):
        _read(site, identity, thread, 0)


def test_the_idle_are_signed_out(shop: Shop, hire: Hire, console: MakeConsole) -> None:
    browser = console(shop.runtime, hire(shop.tenant, SUPPORT))
    with clock.stopped(), clock.shifted(sessions.IDLE + timedelta(seconds=1)):
        assert browser.get("/v1/staff/me").status_code == 401


def test_of_two_shops_neither_sees_the_other(
    shop: Shop, runtime: Runtime, make_tenant: Callable[..., Tenant], hire: Hire, console: MakeConsole
) -> None:
    host = f"b-{shop.tenant.slug}.example"
    other = make_tenant(host=host)
    ada, eve = hire(shop.tenant, ADMIN, "Ada"), hire(other, ADMIN, "Eve")
    hers = console(runtime, ada)

    assert [one["name"] for one in hers.get("/v1/staff/members").json()["items"]] == ["Ada"]
    assert hers.get("/v1/staff/members", Host=host).status_code == 401
    for act in ("disable", "enable"):
        assert hers.post(f"/v1/staff/members/{eve.id}/{act}").status_code == 404
    assert hers.post(f"/v1/staff/members/{eve.id}/role", {"role": "support"}).status_code == 404
    page = hers.http.get("/staff", headers={"Host": host}, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/staff/sign-in")
    assert members_of(runtime, other) == [("Eve", "admin", "active")]


def test_a_suspended_shop_lets_nobody_in(
    make_tenant: Callable[..., Tenant], runtime: Runtime, hire: Hire, console: MakeConsole
) -> None:
    host = "closed-door.example"
    tenant = make_tenant(host=host)
    browser = console(runtime, hire(tenant, ADMIN))
    with runtime.store.without_tenant() as session:
        session.get_one(Tenant, tenant.id).status = "suspended"

    assert browser.get("/v1/staff/me").status_code == 403
    page = browser.page("/staff")
    assert page.status_code == 403
    assert "closed" in page.text
    outside = console()
    for path in (f"/staff/sign-in?shop={tenant.slug}", f"/staff/join?shop={tenant.slug}&token=x"):
        assert outside.page(path).status_code == 404
        assert outside.form(path, email="sam@people.example", token="x").status_code == 404
    named = outside.http.post(
        "/staff/sign-in", data={"email": "a@b.example"}, headers={"Host": host, "Origin": f"http://{host}"}
    )
    assert named.status_code == 403


def members_of(runtime: Runtime, tenant: Tenant) -> list[tuple[str, str, str]]:
    with runtime.unit_of_work(tenant.id) as session:
        rows: list[StaffMember] = members.everybody(session, tenant.id)
        return [(row.name, row.role, row.status) for row in rows]
