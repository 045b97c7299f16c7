"""The console's people and orders: what a role may decide, and the pages for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.kit.identity import Role
from engine.policies import set_policy
from engine.runtime import Runtime
from tests.app.staff.conftest import Console, Hire
from tests.engine.orders.desk import Desk, broken, buy
from tests.shop import Shop

REFUND = {"action": "refund", "how": "amount", "amount": 3000, "because": "damaged"}
PAGES = ("/staff/orders", "/staff/orders/10001", "/staff/approvals")


@pytest.fixture
def desk(shop: Shop) -> Desk:
    shop.add("TENT", price=10000)
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "approvals", {"refund_limit": 2000}, actor="test")
    return buy(shop, "TENT")


@pytest.fixture
def signed_in(runtime: Runtime, shop: Shop, hire: Hire, console: Callable[..., Console]) -> Callable[..., Console]:
    return lambda role, name: console(runtime, hire(shop.tenant, role, name))


def ask(desk: Desk, by: Console) -> Any:
    card = by.post(f"/v1/staff/orders/{desk.order_id}/cards", REFUND).json()
    body = {"asked": REFUND, "card_id": card["id"], "seen": card["seen"]}
    answer = by.post(f"/v1/staff/orders/{desk.order_id}/acts", body, key=card["id"])
    assert answer.status_code == 202, answer.text
    return answer.json()["approval"]


def test_a_supervisor_decides_and_support_does_not(
    desk: Desk, signed_in: Callable[..., Console], make_key: Callable[..., str]
) -> None:
    sam, sue, noor = (
        signed_in(Role.SUPPORT, "Sam"),
        signed_in(Role.SUPPORT, "Sue"),
        signed_in(Role.SUPERVISOR, "Noor"),
    )
    approval = ask(desk, sam)

    (seen,) = sue.get("/v1/staff/approvals").json()["items"]
    assert (seen["may_decide"], seen["asked_by"]) == (False, "Sam")
    assert seen["why_not"] == "This is decided by the roles supervisor, ops, admin."
    for path in ("approve", "decline"):
        refused = sue.post(f"/v1/staff/approvals/{approval['id']}/{path}", {})
        assert (refused.status_code, refused.json()["code"]) == (403, "may_not_approve")
    (hers,) = noor.get("/v1/staff/approvals").json()["items"]
    assert hers["may_decide"]

    done = noor.post(f"/v1/staff/approvals/{approval['id']}/approve", {"note": "Fine"})

    assert (done.status_code, done.json()["status"]) == (200, "approved")
    (decided,) = noor.get("/v1/staff/approvals?state=decided").json()["items"]
    assert (decided["decided_by"], decided["asked_by"]) == ("Noor", "Sam")
    assert broken(desk.shop) == []


def test_nobody_decides_what_they_asked_for_whatever_they_are(desk: Desk, signed_in: Callable[..., Console]) -> None:
    for role in (Role.SUPERVISOR, Role.ADMIN):
        who = signed_in(role, f"One {role}")
        approval = ask(desk, who)
        own = who.post(f"/v1/staff/approvals/{approval['id']}/approve", {})
        assert (own.status_code, own.json()["code"]) == (403, "own_request")
        other = signed_in(Role.OPS, f"Other {role}")
        assert other.post(f"/v1/staff/approvals/{approval['id']}/decline", {}).json()["status"] == "declined"
    assert desk.look().adjustments == []


def test_the_pages_are_for_the_shops_people(desk: Desk, signed_in: Callable[..., Console], mine: Any) -> None:
    sam = signed_in(Role.SUPPORT, "Sam")
    for path in PAGES:
        page = sam.page(path)
        assert (page.status_code, "unsafe-inline" in page.headers["content-security-policy"]) == (200, False), path
        stranger = mine.http.get(path, follow_redirects=False)
        assert (stranger.status_code, stranger.headers["location"].partition("?")[0]) == (303, "/staff/sign-in"), path
    assert sam.page("/staff/orders/<script>").status_code == 404


def test_the_navigation_leads_to_what_is_built(desk: Desk, signed_in: Callable[..., Console]) -> None:
    page = signed_in(Role.SUPPORT, "Sam").page("/staff/orders/10001").text
    for path in ("/staff", "/staff/approvals", "/staff/orders"):
        assert f'<a href="{path}"' in page, path
    assert '<a href="/staff/orders" aria-current="page">' in page
    assert '"/staff/tenant"' not in page


def test_the_trail_calls_people_by_their_names(desk: Desk, signed_in: Callable[..., Console]) -> None:
    sam = signed_in(Role.SUPPORT, "Sam")
    ask(desk, sam)
    steps = sam.get(f"/v1/staff/orders/{desk.order_id}/trail").json()["items"]
    assert ("Sam", "Said yes on a card: refund") in [(one["who"], one["what"]) for one in steps]
