"""Every letter there is, with facts as it gets them: what a shop's own words are tried on before they are kept."""

from __future__ import annotations

from typing import Any, Final

_ORDER: Final[dict[str, Any]] = {
    "order": {
        "number": "TS10001",
        "placed_on": "2026-03-01",
        "total": "$55.00",
        "address": "A. B., Portland WA, US",
        "place": "",
        "held": False,
    }
}
_ITEMS: Final[dict[str, Any]] = {"head": ["Item", "Quantity", "Price"], "rows": [["Thing", "1", "$50.00"]]}
_TOTALS: Final[dict[str, Any]] = {"head": ["", "Amount"], "rows": [["Total", "$55.00"]]}
_PARCEL: Final[dict[str, Any]] = {
    "parcel": {
        "pickup": False,
        "carrier": "Parcel",
        "tracking_number": "PX1",
        "expected_on": "2026-03-05",
        "rest": 0,
    }
}
_CHANGE: Final[dict[str, Any]] = {
    "change": {"kind": "items", "message": "", "charged": "$5.00", "returned": "", "total": "$60.00"}
}
_WAITING: Final[dict[str, Any]] = {"head": ["Item", "Quantity", "Expected"], "rows": [["Thing", "1", "2026-04-01"]]}
_GIVEN: Final[dict[str, Any]] = {
    "head": ["Item", "Quantity", "How to get it"],
    "rows": [["Thing", "1", "https://shop.example/thing - code AAAA-BBBB"]],
}

SAMPLES: Final[dict[str, dict[str, Any]]] = {
    "order_confirmation": _ORDER | {"tables": {"items": _ITEMS, "totals": _TOTALS, "waiting": _WAITING}},
    "order_allocated": _ORDER | {"units": 1, "tables": {"waiting": _WAITING}},
    "order_shipped": _ORDER | _PARCEL | {"tables": {"items": _ITEMS}},
    "order_delivered": _ORDER | _PARCEL | {"tables": {"items": _ITEMS}},
    "digital_delivery": _ORDER | {"notes": "", "tables": {"given": _GIVEN}},
    "order_canceled": _ORDER | {"reason": "No longer needed", "returned": "$55.00"},
    "order_changed": _ORDER | _CHANGE | {"tables": {"items": _ITEMS, "totals": _TOTALS}},
    "order_change_failed": _ORDER | _CHANGE,
    "refund": _ORDER | {"refund": {"amount": "$5.00", "to": "your Visa ending in 4242"}},
    "warranty_decision": _ORDER | {"claim": {"number": "A-1-W1", "words": "Warranty claim A-1-W1 is approved."}},
    "return_label": _ORDER | {"return": {"number": "R1", "instructions": ""}},
    "email_code": {"code": "123456", "minutes": 10},
    "staff_code": {"code": "123456", "minutes": 10},
    "staff_invite": {
        "name": "Sam",
        "role": "support",
        "link": "https://shop.example/staff/join",
        "days": 7,
    },
    "sync_alert": {
        "heading": "Needs somebody",
        "lines": ["shopifyToNetsuite stopped at “order” 3 times: vendor_rejected."],
        "more": 0,
        "link": "https://shop.example/ops",
    },
    "gift_card": {"code": "ABCD-EFGH", "amount": "$50.00", "expires_on": "", "message": ""},
}
