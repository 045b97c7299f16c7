"""Order changes and notes over HTTP: who may quote, who may agree, and what a repeat gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.checkout.complete import complete
from engine.kit.tenancy import Tenant
from tests.app.conftest import Browser
from tests.engine.orders.desk import Desk, broken, buy, held
from tests.shop import Shop

CANCEL = {"kind": "cancel", "reason": "other"}


@pytest.fixture
def desk(shop: Shop) -> Desk:
    shop.add("A", price=5000)
    return buy(shop, "A", 2)


def test_a_shopper_quotes_and_agrees(desk: Desk, mine: Browser) -> None:
    url = f"/v1/orders/{desk.order_id}/changes"
    quoted = mine.post(url, CANCEL, key="one")
    assert quoted.status_code == 201, quoted.text
    view = quoted.json()
    assert (view["status"], view["difference"], view["refund"]["amount"]) == (
        "quoted", {"amount": -11655, "currency": "USD"}, 11655,
    )  # fmt: skip
    assert view["consent_id"].startswith("cnf_")
    again = mine.post(url, CANCEL, key="one")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (view, "true")
    done = mine.post(f"{url}/{view['id']}/confirm", {"approved": True})
    assert (done.status_code, done.json()["status"]) == (200, "applied")
    assert mine.post(f"{url}/{view['id']}/confirm", {"approved": True}).json() == done.json()
    order = mine.get(f"/v1/orders/{desk.order_id}").json()
    assert (order["status"], order["payment_status"], order["due"]["amount"]) == ("canceled", "refunded", 0)
    assert [(one["kind"], one["status"]) for one in order["changes"]] == [("cancel", "applied")]
    assert [one["id"] for one in mine.get(url).json()["items"]] == [view["id"]]
    assert broken(desk.shop) == []


def test_a_decision_claims_its_key(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    url = f"/v1/orders/{desk.order_id}/changes"
    some = CANCEL | {"lines": [{"line_id": desk.line("A").id, "quantity": 1}]}
    change = mine.post(url, some).json()["id"]
    done = mine.post(f"{url}/{change}/confirm", {"approved": True}, key="yes")
    again = mine.post(f"{url}/{change}/confirm", {"approved": True}, key="yes")
    assert (done.status_code, again.content, again.headers["Idempotent-Replayed"]) == (200, done.content, "true")
    other = mine.post(f"{url}/{change}/confirm", {"approved": False}, key="yes")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    staff, key = open_browser(), make_key(tenant, "staff")
    told = staff.post(url, CANCEL, authorization=key).json()["id"]
    applied = staff.post(f"/v1/staff{url[3:]}/{told}/apply", authorization=key, key="do")
    replayed = staff.post(f"/v1/staff{url[3:]}/{told}/apply", authorization=key, key="do")
    assert (applied.json()["status"], replayed.content) == ("applied", applied.content)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert broken(desk.shop) == []


def test_nobody_else_agrees(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    url = f"/v1/orders/{desk.order_id}/changes"
    change = mine.post(url, CANCEL).json()["id"]
    say = {"approved": True}
    stranger, nobody = open_browser(), open_browser()
    stranger.start(tenant)
    key = make_key(tenant, "staff")
    asked: list[tuple[Any, int]] = [
        (stranger.post(f"{url}/{change}/confirm", say), 404),
        (nobody.post(f"{url}/{change}/confirm", say), 404),
        (nobody.post(f"{url}/{change}/confirm", say, authorization=key), 403),
        (nobody.post(f"/v1/staff{url[3:]}/{change}/apply", authorization=key), 422),
        (mine.post(f"/v1/staff{url[3:]}/{change}/apply"), 403),
        (mine.post(f"{url}/{change}/confirm", say, origin="https://evil.example"), 403),
        (stranger.post(url, CANCEL), 404),
    ]
    assert [answer.status_code for answer, _ in asked] == [wanted for _, wanted in asked]
    assert held(desk.shop) == 11655
    assert desk.look().status == "open"


def test_staff_apply_what_charges_nobody(
    desk: Desk, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    staff, key = open_browser(), make_key(tenant, "staff")
    url = f"/v1/orders/{desk.order_id}/changes"
    change = staff.post(url, CANCEL, authorization=key).json()
    assert change["consent_id"] is None
    done = staff.post(f"/v1/staff{url[3:]}/{change['id']}/apply", authorization=key)
    assert (done.status_code, done.json()["status"]) == (200, "applied")
    assert held(desk.shop) == 0


def test_an_outdated_quote_brings_a_fresh_one(desk: Desk, mine: Browser) -> None:
    url = f"/v1/orders/{desk.order_id}/changes"
    stale = mine.post(url, CANCEL).json()
    line = desk.line("A").id
    part = mine.post(url, CANCEL | {"lines": [{"line_id": line, "quantity": 1}]}).json()
    mine.post(f"{url}/{part['id']}/confirm", {"approved": True})
    refused = mine.post(f"{url}/{stale['id']}/confirm", {"approved": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "change_outdated")
    assert refused.json()["fresh"]["refund"]["amount"] == 11655 - 5500


@pytest.mark.parametrize(
    "body",
    [{}, {"kind": "gift"}, {"kind": "cancel"}, CANCEL | {"price": 1}, {"kind": "items", "swaps": []},
     {"kind": "items", "swaps": [{"to_variant_id": "var_x"}]}],
)  # fmt: skip
def test_what_makes_no_sense_is_400(desk: Desk, mine: Browser, body: dict[str, Any]) -> None:
    assert mine.post(f"/v1/orders/{desk.order_id}/changes", body).status_code == 400


def test_notes_are_seen_by_whom_they_are_for(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    staff, key = open_browser(), make_key(tenant, "staff")
    url = f"/v1/orders/{desk.order_id}/notes"
    assert mine.post(url, {"text": "Leave it at the door."}).status_code == 201
    assert mine.post(url, {"text": "x", "audience": "staff"}).status_code == 403
    assert mine.post(url, {"text": "  "}).status_code == 400
    secret = staff.post(url, {"text": "Looks odd.", "audience": "staff"}, authorization=key)
    assert [note["text"] for note in secret.json()["notes"]] == ["Leave it at the door.", "Looks odd."]
    seen = mine.get(f"/v1/orders/{desk.order_id}").json()["notes"]
    assert [(note["author"], note["text"]) for note in seen] == [("you", "Leave it at the door.")]


def test_staff_hold_and_find(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    buyer = desk.shop.shopper()
    complete(desk.shop.runtime, buyer, desk.shop.approved(buyer, "A"))
    staff, key = open_browser(), make_key(tenant, "staff")
    url = f"/v1/staff/orders/{desk.order_id}"
    assert mine.post(f"{url}/hold", {"reason": "x"}).status_code == 403
    assert staff.post(f"{url}/hold", {"reason": "fraud?"}, authorization=key).json()["hold_reason"] == "fraud?"
    assert mine.get(f"/v1/orders/{desk.order_id}").json()["hold_reason"] is None
    found = staff.get("/v1/orders?status=on_hold&payment_status=paid&limit=5", authorization=key).json()
    assert [order["id"] for order in found["items"]] == [desk.order_id]
    assert staff.get("/v1/orders?status=lost", authorization=key).status_code == 400
    assert staff.post(f"{url}/resume", authorization=key).json()["status"] == "open"
    assert staff.post(f"{url}/resume", authorization=key).status_code == 409


def test_a_shopper_sees_nothing_of_staff(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    staff, key = open_browser(), make_key(tenant, "staff")
    url, secret = f"/v1/orders/{desk.order_id}", "between-us"
    staff.post(f"{url}/notes", {"text": secret, "audience": "staff"}, authorization=key)
    staff.post(f"{url}/notes", {"text": "We are on it."}, authorization=key)
    staff.post(f"/v1/staff{url[3:]}/hold", {"reason": secret}, authorization=key)
    told = staff.post(f"{url}/changes", CANCEL, authorization=key).json()
    staff.post(f"/v1/staff{url[3:]}/changes/{told['id']}/apply", authorization=key)
    everything = staff.get(url, authorization=key)
    assert secret in everything.text
    assert "key_" in everything.text
    for path in (url, "/v1/orders", "/v1/orders?status=canceled&limit=1", f"{url}/changes"):
        answer = mine.get(path)
        assert answer.status_code == 200
        assert "items" in answer.json() or answer.json()["id"] == desk.order_id
        for hidden in (secret, "key_", "cost", "routing", "requested_by", "approved_by"):
            assert hidden not in answer.text, (path, hidden)
    assert [note["author"] for note in mine.get(url).json()["notes"]] == ["shop"]
    assert mine.get(f"{url}/routing").status_code == 403


def test_a_card_number_in_a_note_is_masked(desk: Desk, mine: Browser) -> None:
    answer = mine.post(f"/v1/orders/{desk.order_id}/notes", {"text": "Take 4242 4242 4242 4242 instead"})
    assert answer.status_code == 201
    assert "4242 4242 4242 4242" not in answer.text
    assert "instead" in answer.json()["notes"][0]["text"]


def test_a_shopper_writes_and_asks_only_so_often(desk: Desk, mine: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.orders import notes
    from engine.orders.changes import propose

    monkeypatch.setattr(notes, "MOST", 2)
    monkeypatch.setattr(propose, "_QUOTES_AN_HOUR", 2)
    for path, body in (("notes", {"text": "x"}), ("changes", CANCEL)):
        answers = [mine.post(f"/v1/orders/{desk.order_id}/{path}", body) for _ in range(3)]
        assert [one.status_code for one in answers] == [201, 201, 429]
        assert int(answers[-1].headers["retry-after"]) > 0
