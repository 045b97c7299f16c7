"""Returns over HTTP: a shopper asks, agrees, prints and hands in; staff receive and inspect; nobody sees another's."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from engine.kit.pictures import bare
from engine.kit.tenancy import Tenant
from engine.policies import set_policy
from tests.app.conftest import Browser
from tests.engine.orders.desk import Desk, broken, buy
from tests.engine.returns.coming import deliver, lines_of, rule, the_return
from tests.pictures import SECRET, jpeg, png
from tests.shop import Shop


@pytest.fixture
def desk(shop: Shop) -> Desk:
    shop.add("A", price=5000)
    desk = buy(shop, "A", 2)
    deliver(desk)
    return desk


def agreed(desk: Desk, mine: Browser, quantity: int = 1) -> str:
    body = {"lines": [{"line_id": desk.line("A").id, "quantity": quantity, "reason": "changed_mind"}]}
    quoted = mine.post(f"/v1/orders/{desk.order_id}/returns", body)
    assert quoted.status_code == 201, quoted.text
    view = quoted.json()
    assert (view["kind"], view["terms"]["refund"]["amount"]) == ("return", 5500 * quantity)
    done = mine.post(f"/v1/orders/{desk.order_id}/changes/{view['id']}/confirm", {"approved": True})
    assert (done.status_code, done.json()["status"]) == (200, "applied")
    return the_return(desk).id


def test_from_what_can_come_back_to_the_money(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    can = mine.get(f"/v1/orders/{desk.order_id}/returnable").json()
    assert (can["possible"], can["lines"][0]["units"], can["lines"][0]["worth"]["amount"]) == (True, 2, 11000)
    found = agreed(desk, mine)
    label = mine.get(f"/v1/returns/{found}/label.pdf")
    assert (label.status_code, label.content[:5]) == (200, b"%PDF-")
    assert mine.post(f"/v1/returns/{found}/sent", {}).status_code == 200
    assert mine.post(f"/v1/returns/{found}/cancel", {}).status_code == 409
    staff, key = open_browser(), make_key(tenant, "staff")
    line = lines_of(desk, the_return(desk))[0]
    who = {"Authorization": key}
    came = staff.post(f"/v1/staff/returns/{found}/receive", {"units": {line.id: 1}}, key="r", **who)
    assert (came.status_code, came.json()["given"]["amount"]) == (200, 5500)
    again = staff.post(f"/v1/staff/returns/{found}/receive", {"units": {line.id: 1}}, key="r", **who)
    assert again.json() == came.json()
    looked = {"findings": [{"return_line_id": line.id, "outcome": {"restock": 1}}]}
    done = staff.post(f"/v1/staff/returns/{found}/inspect", looked, **who)
    assert (done.status_code, done.json()["status"]) == (200, "closed")
    seen = mine.get(f"/v1/returns/{found}").json()
    assert (seen["status"], seen["steps"], seen["lines"][0]["outcome"]) == ("closed", [], None)
    listed = staff.get("/v1/returns?status=closed", **who).json()
    assert [one["id"] for one in listed["items"]] == [found]
    assert staff.get("/v1/returns?status=requested", **who).json()["items"] == []
    assert broken(desk.shop) == []


def test_pages_follow_each_other(desk: Desk, mine: Browser) -> None:
    first, second = agreed(desk, mine), agreed(desk, mine)
    page = mine.get("/v1/returns?limit=1").json()
    assert [one["id"] for one in page["items"]] == [second]
    rest = mine.get(f"/v1/returns?limit=1&cursor={page['next_cursor']}").json()
    assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([first], None)


def test_nobody_else_sees_or_does_anything(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    found = agreed(desk, mine)
    stranger = open_browser()
    stranger.start(tenant)
    assert stranger.get(f"/v1/returns/{found}").status_code == 404
    assert stranger.get(f"/v1/returns/{found}/label.pdf").status_code == 404
    assert stranger.get(f"/v1/orders/{desk.order_id}/returnable").status_code == 404
    assert stranger.post(f"/v1/returns/{found}/cancel", {}).status_code == 404
    assert stranger.get("/v1/returns").json()["items"] == []
    for act in ("approve", "receive", "close", "settle"):
        assert mine.post(f"/v1/staff/returns/{found}/{act}", {}).status_code in {401, 403}


def test_the_shop_declines_in_words(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    rule(desk.shop, auto_approve=False)
    body = {"lines": [{"line_id": desk.line("A").id, "reason": "changed_mind"}]}
    view = mine.post(f"/v1/orders/{desk.order_id}/returns", body).json()
    url = f"/v1/orders/{desk.order_id}/changes/{view['id']}/confirm"
    assert mine.post(url, {"approved": True}).json()["status"] == "requested"
    found = the_return(desk).id
    who = {"Authorization": make_key(tenant, "staff")}
    said = open_browser().post(f"/v1/staff/returns/{found}/decline", {"words": "It was worn."}, **who)
    assert (said.status_code, said.json()["status"], said.json()["message"]) == (200, "declined", "It was worn.")
    assert broken(desk.shop) == []


def test_staff_heard_that_the_parcel_is_on_its_way(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    rule(desk.shop, refund_at="in_transit")
    found = agreed(desk, mine)
    staff, who = open_browser(), {"Authorization": make_key(tenant, "staff")}
    assert mine.post(f"/v1/staff/returns/{found}/scanned", {}).status_code in {401, 403}
    assert staff.post("/v1/staff/returns/ret_none/scanned", {}, **who).status_code == 404
    heard = staff.post(f"/v1/staff/returns/{found}/scanned", {}, key="s", **who)
    assert (heard.status_code, heard.json()["status"], heard.json()["given"]["amount"]) == (200, "in_transit", 5500)
    assert staff.post(f"/v1/staff/returns/{found}/scanned", {}, key="s", **who).json() == heard.json()
    again = staff.post(f"/v1/staff/returns/{found}/scanned", {}, key="t", **who).json()
    assert (again["status"], again["given"]["amount"]) == ("in_transit", 5500)
    assert broken(desk.shop) == []


def test_goods_set_apart_move_at_once_or_wait_for_a_yes(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    rule(desk.shop, quarantine_location="STORE", return_to="EAST")
    found = agreed(desk, mine, 2)
    line = lines_of(desk, the_return(desk))[0].id
    staff = open_browser()
    ann, bob = ({"Authorization": make_key(tenant, "staff", person=name)} for name in ("ann", "bob"))
    staff.post(f"/v1/staff/returns/{found}/receive", {"units": {line: 2}}, **ann)
    looked = {"findings": [{"return_line_id": line, "outcome": {"quarantine": 2}}]}
    assert staff.post(f"/v1/staff/returns/{found}/inspect", looked, **ann).status_code == 200
    url = f"/v1/staff/returns/{found}/move"
    said = {"return_line_id": line, "source": "quarantine", "outcome": "restock", "units": 1, "reason": "Fine"}
    assert mine.post(url, said).status_code in {401, 403}
    assert staff.post(url, said | {"source": "restock"}, **ann).status_code == 400
    assert staff.post(url, said | {"units": 3}, **ann).status_code in {409, 422}
    done = staff.post(url, said, key="m", **ann)
    assert (done.status_code, done.json()["status"], done.json()["outcome"]["return_id"]) == (200, "done", found)
    assert staff.post(url, said, key="m", **ann).json() == done.json()
    with desk.shop.uow() as session:
        set_policy(session, tenant.id, "inventory", {"adjust_limit_units": 0}, actor="test")
    waits = staff.post(url, said | {"outcome": "scrap", "reason": "Broken"}, **ann)
    assert (waits.status_code, waits.json()["approval"]["kind"]) == (202, "set_apart")
    row = lines_of(desk, the_return(desk))[0]
    assert (row.restocked, row.quarantined, row.scrapped) == (1, 1, 0)
    yes = staff.post(f"/v1/staff/approvals/{waits.json()['approval']['id']}/approve", {}, **bob)
    assert yes.json()["status"] == "approved"
    row = lines_of(desk, the_return(desk))[0]
    assert (row.restocked, row.quarantined, row.scrapped) == (1, 0, 1)
    assert broken(desk.shop) == []


def test_a_picture_shows_the_fault_and_nothing_more(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    body = {"lines": [{"line_id": desk.line("A").id, "quantity": 1, "reason": "damaged"}]}
    quoted = mine.post(f"/v1/orders/{desk.order_id}/returns", body).json()
    assert mine.post(f"/v1/orders/{desk.order_id}/changes/{quoted['id']}/confirm", {"approved": True}).is_success
    found = the_return(desk).id
    assert mine.get(f"/v1/returns/{found}").json()["evidence_wanted"] is True
    photo = {"name": "broken.html", "content": base64.b64encode(jpeg()).decode()}
    kept = mine.post(f"/v1/returns/{found}/evidence", photo, key="p")
    assert (kept.status_code, kept.json()["name"], kept.json()["media_type"]) == (201, "broken.jpg", "image/jpeg")
    assert mine.post(f"/v1/returns/{found}/evidence", photo, key="p").json() == kept.json()
    assert mine.post(f"/v1/returns/{found}/evidence", photo, key="q").json()["id"] == kept.json()["id"]
    path = f"/v1/returns/{found}/evidence/{kept.json()['id']}"
    staff, who = open_browser(), {"Authorization": make_key(tenant, "staff")}
    for shown in (mine.get(path), staff.get(path, **who)):
        assert (shown.status_code, shown.content) == (200, bare(jpeg()))
        assert SECRET not in shown.content
        assert shown.headers["content-disposition"] == 'attachment; filename="broken.jpg"'
        assert shown.headers["x-content-type-options"] == "nosniff"
    assert [one["id"] for one in mine.get(f"/v1/returns/{found}").json()["evidence"]] == [kept.json()["id"]]
    stranger = open_browser()
    stranger.start(tenant)
    assert stranger.get(path).status_code == 404
    assert stranger.post(f"/v1/returns/{found}/evidence", photo).status_code == 404


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (base64.b64encode(b"%PDF-1.7").decode(), 422, "evidence_refused"),
        (base64.b64encode(b"<svg onload=alert(1)>").decode(), 422, "evidence_refused"),
        (base64.b64encode(jpeg()[:60]).decode(), 422, "evidence_refused"),
        ("not base64!", 400, "invalid_request"),
        ("A" * (3 * 1024 * 1024), 413, "payload_too_large"),
    ],
)
def test_what_is_no_picture_is_refused(desk: Desk, mine: Browser, content: str, status: int, code: str) -> None:
    found = agreed(desk, mine)
    said = mine.post(f"/v1/returns/{found}/evidence", {"name": "a.png", "content": content})
    assert (said.status_code, said.json()["code"]) == (status, code)
    assert mine.get(f"/v1/returns/{found}").json()["evidence"] == []


def test_a_return_holds_so_many_pictures_and_none_once_it_ended(desk: Desk, mine: Browser, shop: Shop) -> None:
    rule(shop, evidence_files=1)
    found = agreed(desk, mine)
    assert mine.get(f"/v1/returns/{found}").json()["evidence_wanted"] is False

    def show(noise: int):
        content = base64.b64encode(png(noise=noise)).decode()
        return mine.post(f"/v1/returns/{found}/evidence", {"name": "a.png", "content": content})

    assert show(0).status_code == 201
    assert (show(1).status_code, show(1).json()["code"]) == (422, "evidence_refused")
    assert mine.post(f"/v1/returns/{found}/cancel", {}).is_success
    assert (show(0).status_code, show(0).json()["code"]) == (409, "wrong_step")
