"""Canned cards of what comes after a purchase, shaped as the engine's views (a test reads them back through those)."""

from __future__ import annotations

from typing import Any

from tests.browser import fake_data as data
from tests.browser.fake_data import JSON, usd

HELD = data.cart({"var_1_0": 1, "var_3_0": 1})


def _sign(minutes: float, status: str, text: str) -> JSON:
    return {"at": data.in_minutes(minutes), "status": status, "text": text}


def split_order() -> JSON:
    """Two parcels, one of a carrier with a page of its own, a return under way, and money that went back."""
    order = data.order(HELD, shipped=True)
    first = order["shipments"][0] | {
        "carrier": "UPS",
        "tracking_number": "1Z999AA10123456784",
        "tracking_url": "https://www.ups.com/track?tracknum=1Z999AA10123456784",
        "expected_on": "2026-12-01",
    }
    second = first | {
        "id": "shp_2",
        "status": "delivered",
        "carrier": "Northway",
        "tracking_number": "NW0000000017",
        "tracking_url": None,
        "expected_on": None,
        "lines": [{"order_line_id": "oli_1", "title": "Stormcairn Four-Season Mountain Tent", "quantity": 1}],
        "events": [_sign(-2900, "shipped", "Accepted by the carrier"), _sign(-90, "delivered", "At the front door")],
    }
    refund = {
        "id": "ref_1", "type": "refund", "status": "succeeded", "amount": 2790, "reason": "goodwill",
        "occurred_at": data.in_minutes(-60),
    }  # fmt: skip
    lane = {name: return_card("in_transit")[name] for name in LANE}
    return order | {"shipments": [first, second], "returns": [lane], "adjustments": [refund]}


LANE = ("id", "number", "kind", "status", "lines", "carrier", "tracking_number", "parcel", "created_at")


def return_card(status: str = "label_ready", **more: Any) -> JSON:
    line = {
        "id": "rel_1", "order_line_id": "oli_0", "component_variant_id": None, "title": "Fellwalker 2 Tent",
        "quantity": 1, "reason": "damaged", "condition": "used", "credit": usd(27900), "fee": usd(0), "received": 0,
        "inspected": 0, "rejected": 0, "settled": 0, "exchange_variant_id": None, "exchange_title": None,
        "outcome": None,
    }  # fmt: skip
    moving = [_sign(-400, "in_transit", "Picked up at your door"), _sign(-30, "in_transit", "At the Reno depot")]
    sums = {name: usd(0) for name in ("fee", "replacement", "charge", "given")}
    return {
        "id": "ret_1", "number": "SP-1042-R1", "order_id": "ord_1", "order_number": "SP-1042", "kind": "return",
        "status": status, "lines": [line], "credit": usd(27900), "refund": usd(27900), "refund_to": "original",
        "refund_at": "received", "keep": False, "carrier": "Sandbox Post", "tracking_number": "SP7K2M9QX4TD3HB",
        "label": True, "parcel": moving if status == "in_transit" else [], "message": "", "evidence_wanted": True,
        "evidence": [], "send_by": data.in_minutes(14 * 1440), "created_at": data.in_minutes(-500),
        "approved_at": None, "received_at": None, "closed_at": None, "version": 2,
    } | sums | more  # fmt: skip


def claim_card(status: str = "in_review", **more: Any) -> JSON:
    return {
        "id": "clm_1", "number": "SP-1042-W1", "warranty_id": "wty_1", "order_id": "ord_1",
        "title": "Fellwalker 2 Tent", "status": status, "symptom": "defective_part", "description": "A pole broke.",
        "offers": [], "resolution": None, "choose_by": None, "comes_back": False, "send_in": None, "sent_back": None,
        "refund": usd(0), "replacement_order_id": None, "message": "", "answer_by": None, "evidence": [], "steps": [],
        "created_at": data.in_minutes(-300), "decided_at": None, "resolved_at": None,
        "closed_at": None, "staff_note": None, "problem": None, "due_at": None, "approval_id": None,
    } | more  # fmt: skip


def claim_choice(card_id: str = "cnf_9") -> JSON:
    offers = [("repair", None), ("replacement", None), ("refund", usd(27900))]
    return {
        "id": card_id,
        "status": "open",
        "expires_at": data.in_minutes(14 * 1440),
        "claim": {"id": "clm_1", "number": "SP-1042-W1", "title": "Fellwalker 2 Tent", "merchant": data.MERCHANT},
        "offers": [{"resolution": name, "refund": refund} for name, refund in offers],
    }


def change(kind: str = "return", card_id: str = "cnf_8") -> JSON:
    unit = {
        "line_id": "oli_0", "variant_id": "var_1_0", "title": "Fellwalker 2 Tent",
        "options": {"color": "moss green"}, "quantity": 1, "total": usd(27900), "notice": "",
    }  # fmt: skip
    terms = {
        "refund": usd(27405), "fee": usd(495), "shipping": usd(0), "refund_at": "received", "keep": False,
        "reviewed": False, "label": "shop", "send_within_days": 14,
    }  # fmt: skip
    sums = {name: usd(0) for name in ("difference", "charge", "refund", "kept_fee", "bank_gave", "set_aside")}
    told = {
        "id": "chg_1", "order_id": "ord_1", "order_number": "SP-1042", "kind": kind, "status": "quoted",
        "ended": [], "added": [], "refund_to": "original", "refund_label": "Test Visa •••• 4242", "totals": [],
        "balance_after": usd(0), "payment_method": None, "ship_to": None, "fulfillment": None, "reason": None,
        "needs_partner": False, "message": "", "consent_id": card_id, "expires_at": data.in_minutes(30),
        "digest": "d", "order_version": 1, "returned": [unit], "terms": terms, "return_path": None,
    } | sums  # fmt: skip
    return {"id": card_id, "status": "open", "expires_at": told["expires_at"], "change": told}


def handoff(**more: Any) -> JSON:
    return {
        "mode": "waiting_human", "reference": "HND-2201", "reason": "asked_for_person",
        "hours": "Monday to Friday, 9 to 5", "position": 3, "opens_at": None,
        "answer_by": data.in_minutes(240),
    } | more  # fmt: skip


STAFF_ACT = {
    "id": "cnf_7",
    "status": "open",
    "title": "Move 12 units of Fellwalker 2 Tent",
    "words": ["From Reno to Atlanta", "12 units of TH-FELL2-MGRN leave Reno today"],
}
AVAILABILITY = {
    "title": "Fellwalker 2 Tent", "options": {"color": "moss green"}, "price": "$279.00", "in_stock": 34,
    "ways": [
        {"title": "Ground", "price": "$7.95", "earliest": "2026-12-01", "latest": "2026-12-03", "ready_by": None},
        {"title": "Pick up in Portland", "price": "$0.00", "earliest": None, "latest": None,
         "ready_by": "2026-11-30T18:00:00Z"},
    ],
    "holds_until": "2026-11-28T20:00:00Z", "problems": [], "notices": ["An adult signs for this parcel."],
}  # fmt: skip
RETURNABLE = {
    "order_id": "ord_1", "possible": True, "message": "",
    "lines": [
        {"line_id": "oli_0", "variant_id": "var_1_0", "title": "Fellwalker 2 Tent", "options": {}, "units": 1,
         "units_for_fault": 1, "until": "2026-12-26T00:00:00Z", "worth": usd(27900), "code": None, "message": "",
         "parts": []},
    ],
    "reasons": [], "conditions": ["unopened"], "refund_to": ["original"], "exchanges": True,
}  # fmt: skip
WARRANTIES = {
    "items": [
        {"id": "wty_1", "order_id": "ord_1", "order_number": "SP-1042", "line_id": "oli_0", "unit": 1, "sku": "X",
         "title": "Fellwalker 2 Tent", "serial": None, "starts_on": "2026-11-20", "ends_on": "2031-11-20",
         "status": "active", "follows_id": None, "claimable": True, "code": None, "message": ""},
    ],
    "symptoms": [], "next_cursor": None,
}  # fmt: skip
COMPLAINT = {"reference": "CAS-1188", "order_number": "SP-1042"}
CHANGE_PROBLEM = {
    "code": "return_window_closed", "message": "It can no longer be sent back.", "retryable": False, "retry": None,
}  # fmt: skip
SIGN_IN = {"email": "ada@example.com"}
SUGGESTIONS = {"items": ["Send it back", "Talk about the warranty"]}


def everything() -> list[tuple[str, str, JSON]]:
    """(message id, activity type, data) of every card that comes after a purchase or beside it."""
    waiting = {"expires_at": data.in_minutes(30)}
    return [
        ("ord_1", "order_timeline", split_order()),
        ("m-able", "returnable", RETURNABLE),
        ("cnf_8", "change", change()),
        ("ret_1", "return", return_card()),
        ("m-returns", "returns", {"items": [return_card("in_transit")]}),
        ("m-wty", "warranties", WARRANTIES),
        ("clm_1", "claim", claim_card("need_info", message="Which pole broke?")),
        ("cnf_9", "claim_choice", claim_choice()),
        ("m-problem", "change_problem", CHANGE_PROBLEM),
        ("m-avail", "availability", AVAILABILITY),
        ("m-stock", "stock", data.STOCK),
        ("cnf_7", "staff_act", STAFF_ACT | waiting),
        ("m-complaint", "complaint", COMPLAINT),
        ("m-hand", "handoff", handoff()),
        ("m-sugg", "suggestions", SUGGESTIONS),
        ("m-sign", "sign_in", SIGN_IN),
    ]
