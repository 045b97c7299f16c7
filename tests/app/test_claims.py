"""Warranties and claims over HTTP: told, shown, decided, put right; nobody else's."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from engine.approvals.policy import ApprovalsPolicy
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.payments.policy import PaymentsPolicy
from tests.app.conftest import Browser
from tests.app.test_returns import desk  # noqa: F401 (fixture)
from tests.engine.orders.desk import Desk, broken
from tests.engine.warranties.fault import hear, refunds, replacements
from tests.pictures import png

PNG = png(b"", noise=300_000)


@pytest.fixture
def unit(desk: Desk, mine: Browser) -> str:  # noqa: F811 (a fixture)
    hear(desk)
    return str(mine.get("/v1/warranties").json()["items"][0]["id"])


@pytest.fixture
def staff(open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant):
    browser, key = open_browser(), make_key(tenant, "staff")

    def post(path: str, body: dict[str, object], **more: str):
        return browser.post(f"/v1/staff/claims/{path}", body, Authorization=key, **more)

    post.get = lambda path: browser.get(path, Authorization=key)  # type: ignore[attr-defined]
    return post


def told(mine: Browser, unit: str) -> str:
    said = mine.post(f"/v1/warranties/{unit}/claims", {"symptom": "defective_part", "description": "It broke."})
    assert said.status_code == 201, said.text
    return str(said.json()["id"])


def test_from_the_fault_to_the_money(desk: Desk, mine: Browser, unit: str, staff) -> None:  # noqa: F811
    claim = told(mine, unit)
    again = mine.post(f"/v1/warranties/{unit}/claims", {"symptom": "other", "description": "It broke."})
    assert (again.status_code, again.json()["code"]) == (409, "claim_open")
    file = {"name": "broken.png", "content": base64.b64encode(PNG).decode()}
    kept = mine.post(f"/v1/claims/{claim}/evidence", file)
    assert (kept.status_code, kept.json()["size"]) == (201, len(PNG))
    shown = mine.get(f"/v1/claims/{claim}/evidence/{kept.json()['id']}")
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert shown.headers["content-disposition"] == 'attachment; filename="broken.png"'
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert staff(f"{claim}/review", {}).status_code == 200
    yes = {"offers": ["refund", "replacement"], "message": "Sorry!", "note": "Known fault."}
    said = staff(f"{claim}/approve", yes, key="y")
    assert (said.status_code, said.json()["claim"]["status"], said.json()["waits_for"]) == (200, "approved", None)
    assert staff(f"{claim}/approve", yes, key="y").json() == said.json()
    mine_now = mine.get(f"/v1/claims/{claim}").json()
    assert (mine_now["offers"], mine_now["staff_note"], mine_now["choose_by"] is not None) == (
        ["refund", "replacement"],
        None,
        True,
    )
    assert "Known fault." not in mine.get(f"/v1/claims/{claim}").text
    assert staff.get(f"/v1/claims/{claim}").json()["staff_note"] == "Known fault."
    done = mine.post(f"/v1/claims/{claim}/choose", {"resolution": "refund"})
    assert (done.status_code, done.json()["status"], done.json()["refund"]["amount"]) == (200, "refunded", 5500)
    hear(desk)
    assert staff.get("/v1/claims?status=closed").json()["items"][0]["id"] == claim
    assert (refunds(desk), replacements(desk), broken(desk.shop)) == ([(5500, 500, "succeeded")], [], [])


def test_above_the_limit_it_waits_for_somebody_elses_yes(
    desk: Desk,  # noqa: F811
    mine: Browser,
    unit: str,
    staff,
    open_browser: Callable[[], Browser],
    make_key: Callable[..., str],
    tenant: Tenant,
) -> None:
    with desk.shop.uow() as session:
        change_policy(session.get_one(Tenant, desk.shop.tenant.id), ApprovalsPolicy, {"warranty_limit": 5000})
    claim = told(mine, unit)
    staff(f"{claim}/review", {})
    said = staff(f"{claim}/approve", {"offers": ["refund"], "note": "Known fault."})
    assert (said.status_code, said.json()["claim"]["status"], refunds(desk)) == (202, "in_review", [])
    other = open_browser()
    bob = make_key(tenant, "admin", person="bob")
    yes = other.post(f"/v1/staff/approvals/{said.json()['waits_for']}/approve", {}, Authorization=bob)
    assert yes.status_code == 200, yes.text
    seen = staff.get(f"/v1/claims/{claim}").json()
    assert (seen["status"], seen["approval_id"]) == ("refunded", said.json()["waits_for"])
    assert (refunds(desk), broken(desk.shop)) == ([(5500, 500, "succeeded")], [])


def test_what_payments_limit_can_be_approved_too(desk: Desk, mine: Browser, unit: str, staff) -> None:  # noqa: F811
    with desk.shop.uow() as session:
        change_policy(session.get_one(Tenant, desk.shop.tenant.id), PaymentsPolicy, {"refund_limit_per_order": 5000})
    claim = told(mine, unit)
    staff(f"{claim}/review", {})
    said = staff(f"{claim}/approve", {"offers": ["refund", "repair"]})
    assert (said.status_code, said.json()["claim"]["status"], refunds(desk)) == (202, "in_review", [])
    assert staff(f"{claim}/approve", {"offers": ["repair"]}).status_code == 200


def test_a_repair_over_http(desk: Desk, mine: Browser, unit: str, staff) -> None:  # noqa: F811
    claim = told(mine, unit)
    staff(f"{claim}/review", {})
    assert staff(f"{claim}/ask", {"question": "Which part?"}).json()["status"] == "need_info"
    assert mine.post(f"/v1/claims/{claim}/answer", {"text": "The handle."}).json()["status"] == "in_review"
    assert staff(f"{claim}/approve", {"offers": ["repair"]}).json()["claim"]["comes_back"] is True
    label = mine.get(f"/v1/claims/{claim}/label.pdf")
    assert (label.status_code, label.content[:5]) == (200, b"%PDF-")
    sent = mine.post(f"/v1/claims/{claim}/sent", {})
    assert (sent.status_code, sent.json()["send_in"]["sent_at"] is not None) == (200, True)
    assert staff(f"{claim}/receive", {}).json()["status"] == "repairing"
    assert mine.post(f"/v1/claims/{claim}/cancel", {}).status_code == 409
    done = staff(f"{claim}/resolve", {"message": "New handle."})
    assert (done.json()["status"], done.json()["sent_back"] is not None) == ("closed", True)
    assert broken(desk.shop) == []


def test_a_denial_is_told_in_words_and_lists_page(desk: Desk, mine: Browser, unit: str, staff) -> None:  # noqa: F811
    claim = told(mine, unit)
    staff(f"{claim}/review", {})
    said = staff(f"{claim}/deny", {"message": "It was dropped.", "note": "Third time."})
    assert (said.status_code, mine.get(f"/v1/claims/{claim}").json()["message"]) == (200, "It was dropped.")
    assert "Third time." not in mine.get("/v1/claims").text
    staff(f"{claim}/close", {})
    other = told(mine, unit)
    page = mine.get("/v1/claims?limit=1").json()
    assert [one["id"] for one in page["items"]] == [other]
    rest = mine.get(f"/v1/claims?limit=1&cursor={page['next_cursor']}").json()
    assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([claim], None)
    assert staff.get("/v1/claims?late=true").json()["items"] == []
    assert len(mine.get("/v1/warranties?limit=1").json()["items"]) == 1


def test_nobody_elses(desk: Desk, mine: Browser, unit: str, open_browser, tenant: Tenant) -> None:  # noqa: F811
    claim = told(mine, unit)
    stranger = open_browser()
    stranger.start(tenant)
    assert stranger.get(f"/v1/claims/{claim}").status_code == 404
    fault = {"symptom": "other", "description": "Mine!"}
    assert stranger.post(f"/v1/warranties/{unit}/claims", fault).status_code == 404
    assert stranger.get("/v1/warranties").json()["items"] == []
    assert mine.post(f"/v1/staff/claims/{claim}/approve", {"offers": ["refund"]}).status_code in {401, 403}
    large = {"name": "a.png", "content": "A" * (3 * 1024 * 1024)}
    assert mine.post(f"/v1/claims/{claim}/evidence", large).status_code == 413


def test_an_offer_of_two_shows_itself_in_the_conversation(desk: Desk, mine: Browser, unit: str, staff) -> None:  # noqa: F811
    thread = mine.post("/v1/threads", {}).json()["id"]
    claim = told(mine, unit)
    assert staff(f"{claim}/review", {}).status_code == 200
    assert staff(f"{claim}/approve", {"offers": ["refund", "replacement"]}).status_code == 200
    seen = mine.get(f"/v1/threads/{thread}").json()
    (card,) = [one["data"] for one in seen["messages"] if one.get("activity_type") == "claim_choice"]
    assert [one["resolution"] for one in card["offers"]] == ["refund", "replacement"]
    assert (card["status"], [one["id"] for one in seen["interrupts"]]) == ("open", [card["id"]])
    hear(desk)
    again = mine.get(f"/v1/threads/{thread}").json()["messages"]
    assert len([one for one in again if one.get("activity_type") == "claim_choice"]) == 1
