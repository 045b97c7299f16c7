"""Canned cards for the fake server, shaped as the engine's views (a test reads them back through those models)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

JSON = dict[str, Any]
MERCHANT = "Summit & Pine"
ADDRESS: JSON = {
    "name": "Ada Lovelace",
    "line_one": "12 Analytical Way",
    "line_two": "Apt 4",
    "city": "Portland",
    "state": "OR",
    "postal_code": "97205",
    "country": "US",
}
BUYER: JSON = {"name": "Ada Lovelace", "email": "ada@example.com", "phone": ""}
VISA: JSON = {"brand": "visa", "last4": "4242", "label": "Test Visa •••• 4242"}
GROUND: JSON = {
    "id": "ful_ground",
    "title": "Ground",
    "carrier": "Northway",
    "amount": 795,
    "min_days": 3,
    "max_days": 5,
    "selected": True,
}
EXPRESS: JSON = GROUND | {
    "id": "ful_express",
    "title": "Express",
    "amount": 1895,
    "min_days": 1,
    "max_days": 2,
    "selected": False,
}
CONFIG: JSON = {
    "tenant": {
        "slug": "summit-pine",
        "name": MERCHANT,
        "tagline": "Tents, packs and warm layers, picked by people who sleep outside.",
        "accent": "#1f6f54",
        "currency": "USD",
        "locale": "en-US",
    },
    "suggestions": [
        "A two-person tent under $300",
        "Something warm for November nights",
        "Compare your two lightest packs",
        "Where is my order?",
    ],
    "demo": True,
    "tenants": [
        {"slug": "summit-pine", "name": MERCHANT},
        {
            "slug": "voltage",
            "name": "Voltage & Co",
            "accent": "#5b3df5",
            "theme": "/theme/voltage.css",
            "tagline": "Small electronics that last.",
        },
    ],
}


def usd(amount: int) -> JSON:
    return {"amount": amount, "currency": "USD"}


def product(
    number: int,
    title: str,
    price: int,
    *,
    colors: tuple[str, ...] = ("moss green", "orange"),
    sizes: tuple[str, ...] = (),
    stock: tuple[int, ...] = (34, 12),
    rating: int = 47,
) -> JSON:
    options = {"color": list(colors)} | ({"size": list(sizes)} if sizes else {})
    combinations = [(color, size) for color in colors for size in (sizes or ("",))]
    variants = [
        {
            "id": f"var_{number}_{index}",
            "sku": f"SKU-{number}-{index}",
            "title": " / ".join(part for part in (color, size) if part),
            "options": {"color": color} | ({"size": size} if size else {}),
            "price": usd(price),
            "available": stock[index % len(stock)],
        }
        for index, (color, size) in enumerate(combinations)
    ]
    return {
        "id": f"prd_{number}",
        "title": title,
        "category": "tents",
        "description": "Two doors and two vestibules mean nobody climbs over anybody at 3 a.m., and the steep walls "
        "give both people room. It stands up to ordinary mountain rain and wind.",
        "image": f"/media/{number}.svg",
        "price": usd(price),
        "brand": "Tarnhollow",
        "rating": rating,
        "rating_count": 612 - number * 71,
        "options": options,
        "variants": variants,
    }


TENTS = [
    product(1, "Fellwalker 2 Tent", 27900),
    product(2, "Fellwalker 1 Tent", 24900, stock=(3, 2)),
    product(3, "Stormcairn Four-Season Mountain Tent", 54900, colors=("red",), stock=(8,), rating=49),
    product(4, "Larkfield Family Tent", 38900, colors=("sand", "sky"), sizes=("4", "6"), stock=(5, 0, 21), rating=41),
    product(5, "Glimmer Tarp Shelter", 11900, colors=("olive",), stock=(0,), rating=0),
]
DETAIL = TENTS[0] | {
    "features": ["Two doors, two vestibules", "Fits two wide pads side by side", "Six stakes and a repair sleeve"],
    "materials": ["20D ripstop nylon fly", "30D nylon floor", "7000-series aluminum poles"],
    "compatibility": ["Footprint: Tarnhollow Tent Footprint, fits Fellwalker 2"],
    "care": "Dry fully before storing. Sponge with cool water and mild soap.",
    "constraints": ["Not for snow loads"],
    "safety": ["Keep stoves and flames out of the tent"],
    "attributes": {"sleeps": 2, "season": "3-season", "freestanding": True},
    "units": {},
    "dimensions": {"length_mm": 2200, "width_mm": 1300, "height_mm": 1050, "weight_g": 1900},
    "faqs": [{"question": "Does it stand alone?", "answer": "Yes, it is freestanding."}],
    "restrictions": [],
    "warranty_months": 60,
    "weight_g": 1990,
}
COMPARISON = {
    "items": [
        {key: item[key] for key in ("id", "title", "image", "price", "rating", "rating_count")} for item in TENTS[:3]
    ],
    "rows": [
        {"name": "sleeps", "values": ["2", "1", "2"]},
        {"name": "weight", "values": ["1.9 kg", "1.4 kg", "2.8 kg"]},
        {"name": "season", "values": ["3-season", "3-season", "4-season"]},
    ],
}
HOSTILE = product(6, "<img src=x onerror=alert(1)><b>Bold</b> Tent", 19900) | {
    "brand": "<script>window.hacked=1</script>",
    "description": "</p><svg onload=alert(1)>",
}


ON_SALE = product(7, "Vorland 2 Tent", 19900) | {
    "variants": [one | {"compare_at": usd(24900)} for one in product(7, "Vorland 2 Tent", 19900)["variants"]]
}
"""At a price for a time."""


def cart(lines: dict[str, int]) -> JSON:
    views = [_cart_line(variant_id, quantity) for variant_id, quantity in lines.items() if quantity]
    total = sum(line["line_total"]["amount"] for line in views)
    return {
        "id": "crt_1" if views else None,
        "lines": views,
        "total": usd(total),
        "item_count": sum(line["quantity"] for line in views),
        "discount_codes": [],
        "notices": [],
    }


def _cart_line(variant_id: str, quantity: int) -> JSON:
    item, variant = next((p, v) for p in [*TENTS, HOSTILE, ON_SALE] for v in p["variants"] if v["id"] == variant_id)
    return {
        "variant_id": variant_id,
        "product_id": item["id"],
        "sku": variant["sku"],
        "title": item["title"],
        "options": variant["options"],
        "image": item["image"],
        "quantity": quantity,
        "unit_price": variant["price"],
        "compare_at": variant.get("compare_at"),
        "line_total": usd(variant["price"]["amount"] * quantity),
        "available": variant["available"],
    }


def checkout_lines(held: JSON) -> list[JSON]:
    return [_checkout_line(line) for line in held["lines"]]


def _checkout_line(line: JSON) -> JSON:
    base = line["line_total"]["amount"]
    discount, tax = base // 10, base // 20
    kept = ("variant_id", "product_id", "sku", "title", "options", "image", "quantity", "unit_price")
    return {key: line[key] for key in kept} | {
        "base_amount": base,
        "discount": discount,
        "tax": tax,
        "total": base - discount + tax,
    }


def totals(lines: list[JSON]) -> list[JSON]:
    base = sum(line["base_amount"] for line in lines)
    off, tax = sum(line["discount"] for line in lines), sum(line["tax"] for line in lines)
    rows = [
        ("items_base_amount", "Items", base),
        ("items_discount", "Discount SPRING10", off),
        ("subtotal", "Subtotal", base - off),
        ("fulfillment", f"Shipping: {GROUND['title']}", GROUND["amount"]),
        ("tax", "Tax", tax),
        ("total", "Total", base - off + GROUND["amount"] + tax),
    ]
    return [{"type": kind, "display_text": text, "amount": amount} for kind, text, amount in rows]


def checkout(held: JSON, *, ready: bool) -> JSON:
    lines = checkout_lines(held)
    return {
        "id": "cs_1",
        "status": "ready_for_payment" if ready else "not_ready_for_payment",
        "currency": "USD",
        "lines": lines,
        "totals": totals(lines),
        "total": usd(totals(lines)[-1]["amount"]),
        "buyer": BUYER if ready else {"name": "", "email": "", "phone": ""},
        "ship_to": ADDRESS if ready else None,
        "fulfillment_options": [GROUND, EXPRESS],
        "payment_method": VISA if ready else None,
        "discount_codes": ["SPRING10"],
        "missing": [] if ready else ["email", "address", "payment_method"],
        "problems": [],
        "expires_at": in_minutes(60),
    }


def abroad(held: JSON) -> JSON:
    """A checkout in a shop whose prices include the tax, with days that are known and something to be told."""
    session = checkout(held, ready=True)
    rows = [row for row in session["totals"] if row["type"] != "tax"]
    tax = {"type": "tax", "display_text": "Tax included: VAT", "amount": 3176, "included": True}
    ways = [
        GROUND | {"earliest": "2026-12-01", "latest": "2026-12-03"},
        EXPRESS | {"earliest": "2026-11-30", "latest": "2026-11-30"},
    ]
    notices = ["An adult signs for this parcel."]
    return session | {"totals": [*rows[:-1], tax, rows[-1]], "fulfillment_options": ways, "notices": notices}


def confirmation(held: JSON, confirmation_id: str, *, seconds: float) -> JSON:
    session = checkout(held, ready=True)
    summary = {key: session[key] for key in ("lines", "totals", "total", "ship_to", "payment_method", "buyer")}
    return {
        "id": confirmation_id,
        "status": "open",
        "expires_at": in_minutes(seconds / 60),
        "checkout": summary | {"session_id": "cs_1", "fulfillment": GROUND, "merchant": MERCHANT, "digest": "d1"},
    }


def order(held: JSON, *, shipped: bool = False) -> JSON:
    lines = checkout_lines(held)
    parcel = {
        "id": "shp_1",
        "status": "shipped",
        "carrier": "Northway",
        "tracking_number": "NW123456789US",
        "lines": [{"order_line_id": "oli_0", "title": lines[0]["title"], "quantity": 1}],
        "events": [
            {"at": in_minutes(-1500), "status": "shipped", "text": "Left our warehouse in Reno"},
            {"at": in_minutes(-300), "status": "in_transit", "text": "Arrived at the Portland depot"},
        ],
        "shipped_at": in_minutes(-1500),
        "delivered_at": None,
    }
    kept = ("product_id", "variant_id", "sku", "title", "options", "image", "unit_price", "discount", "tax")
    return {
        "id": "ord_1",
        "number": "SP-1042",
        "status": "open",
        "payment_status": "paid",
        "fulfillment_status": "partially_shipped" if shipped else "unfulfilled",
        "lines": [
            {key: line[key] for key in kept}
            | {"id": f"oli_{index}", "ordered": line["quantity"]}
            | dict.fromkeys(("canceled", "shipped", "delivered", "returned"), 0)
            for index, line in enumerate(lines)
        ],
        "totals": totals(lines),
        "total": usd(totals(lines)[-1]["amount"]),
        "shipments": [parcel] if shipped else [],
        "adjustments": [],
        "ship_to": ADDRESS,
        "fulfillment": GROUND,
        "created_at": in_minutes(-1),
    }


def receipt(held: JSON) -> JSON:
    return order(held) | {"payment_method": VISA, "email": BUYER["email"]}


STOCK = {
    "items": [
        {
            "sku": "TH-FELL2-MGRN",
            "title": "Fellwalker 2 Tent",
            "locations": [
                {"code": "RNO", "name": "Reno", "on_hand": 43, "reserved": 2, "available": 41},
                {"code": "ATL", "name": "Atlanta", "on_hand": 7, "reserved": 0, "available": 7},
            ],
            "available": 48,
        }
    ]
}


def in_minutes(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def picture(number: int) -> str:
    """A drawn tent at dusk, another hue for each product."""
    hue = (number * 47 + 130) % 360
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400"><defs><linearGradient id="s" x2="0" y2="1">'
        f'<stop stop-color="hsl({hue} 45% 82%)"/><stop offset="1" stop-color="hsl({hue + 30} 55% 66%)"/>'
        "</linearGradient></defs>"
        '<rect width="400" height="400" fill="url(#s)"/>'
        f'<path d="M0 300 120 190 210 260 320 150 400 230V400H0z" fill="hsl({hue} 25% 45%)" opacity=".35"/>'
        f'<path d="M80 320 200 150 320 320z" fill="hsl({hue} 50% 38%)"/>'
        f'<path d="M200 150 160 320h80z" fill="hsl({hue} 40% 20%)"/></svg>'
    )
