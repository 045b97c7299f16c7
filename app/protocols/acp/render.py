"""A checkout in the protocol's words: only members that the schema knows, no nulls, whole minor units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final

from app.protocols.acp.versions import NEWEST
from engine.agentic.messages import Message
from engine.agentic.order_shape import Shop
from engine.agentic.paying import HANDLER
from engine.agentic.policy import REACHED_BY
from engine.agentic.seen import Bill, Seen, line_id, told_type
from engine.carts.models import Discount, DiscountKind
from engine.carts.promotions import Taken
from engine.checkout.delivery import Way
from engine.checkout.models import SessionStatus
from engine.checkout.pricing import PricedLine
from engine.kit.money import Money
from engine.shipping.service import Option

Body = dict[str, Any]
_PPM: Final = 1_000_000
_ADDRESS: Final = ("name", "line_one", "line_two", "city", "state", "country", "postal_code")
_LOW: Final = 5
_OPEN: Final = frozenset(
    {
        SessionStatus.NOT_READY,
        SessionStatus.READY,
        SessionStatus.AUTHENTICATION_REQUIRED,
        SessionStatus.PENDING_APPROVAL,
        SessionStatus.REQUIRES_ESCALATION,
    }
)
DISCOUNT: Final = {
    "name": "discount",
    "extends": [
        "$.CheckoutSession.discounts",
        "$.CheckoutSessionCreateRequest.discounts",
        "$.CheckoutSessionUpdateRequest.discounts",
    ],
}
_BRANDS: Final = ["visa", "mastercard", "amex", "discover"]


def session(seen: Seen, *, shop: Shop, gateway: str | None) -> Body:
    """The session. ``shop`` is where its pages are, ``gateway`` takes its tokens."""
    checkout, extra = seen.checkout, seen.extra
    body: Body = {
        "id": checkout.id,
        "protocol": {"version": NEWEST},
        "capabilities": capabilities(seen, gateway),
        "status": str(seen.status),
        "currency": checkout.currency.lower(),
        "line_items": [line(one, shop) for one in seen.bill.lines],
        "totals": totals(seen.bill, checkout.currency),
        "fulfillment_options": [option(one) for one in _offered(seen.bill)],
        "messages": [message(one) for one in seen.messages],
        "links": links(seen, shop),
        "created_at": moment(checkout.created_at),
        "updated_at": moment(checkout.updated_at),
        "expires_at": moment(checkout.expires_at),
    }
    body |= {name: value for name in ("locale", "timezone") if (value := getattr(extra, name))}
    body |= _as_said(extra.said)
    if seen.bill.selected is not None:
        body["selected_fulfillment_options"] = _selected(seen.bill, seen.bill.selected)
    if "discount" in extra.said.get("extensions", ()) or extra.said.get("codes") or seen.bill.promotions:
        body["discounts"] = discounts(seen)
    if seen.status == SessionStatus.AUTHENTICATION_REQUIRED:
        body["authentication_metadata"] = authentication(seen)
    if seen.status in _OPEN and (offered := _marketing(seen, shop)):
        body["marketing_consent_options"] = offered
    if seen.continue_path:
        body["continue_url"] = shop.origin + seen.continue_path
    elif seen.status == SessionStatus.REQUIRES_ESCALATION:
        body["continue_url"] = next(
            (row["url"] for row in body["links"] if row["type"] == "contact_us"), shop.address("/")
        )
    if seen.order is not None:
        body["order"] = seen.order
    return body


def line(one: PricedLine, shop: Shop) -> Body:
    """A line item with its own totals."""
    body: Body = {
        "id": line_id(one.variant_id),
        "item": {"id": one.variant_id},
        "quantity": one.quantity,
        "name": one.title,
        "unit_amount": one.unit_price,
        "product_id": one.product_id,
        "variant_id": one.variant_id,
        "sku": one.sku,
        "images": [shop.address(f"/media/products/{one.product_id}.svg")],
        "availability_status": _availability(one),
        "available_quantity": min(max(one.available, 0), 9_999),
        "totals": _line_totals(one),
    }
    if one.options:
        body["variant_options"] = [{"name": name, "value": str(value)} for name, value in one.options.items()]
    if one.category:
        body["category"] = one.category
    if one.weight_g:
        body["weight"] = {"value": one.weight_g, "unit": "g"}
    return body


def totals(bill: Bill, currency: str) -> list[Body]:
    """Ours are the protocol's; tax that is within the prices adds nothing and is told in words."""
    rows, within = [], ""
    for row in bill.totals:
        said: Body = {"type": row["type"], "display_text": row["display_text"], "amount": row["amount"]}
        if row["type"] == "tax" and row.get("included"):
            within = f"{row['display_text']}: {Money(row['amount'], currency)}"
            continue
        if row["type"] == "tax" and (parts := _breakdown(bill.taxes, row["amount"])):
            said["breakdown"] = parts
        if row["type"] == "total" and within:
            said["description"] = within
        rows.append(said)
    return rows


def option(one: Option) -> Body:
    """A way to deliver."""
    kind = told_type(one)
    body: Body = {
        "type": kind,
        "id": one.id,
        "title": one.title,
        "totals": [{"type": "total", "display_text": one.title, "amount": one.amount}],
    }
    if one.surcharges:
        body["description"] = "; ".join(one.surcharges)
    first, last = _day(one.earliest), _day(one.latest)
    if one.place is not None:
        body |= _place(one, one.place)
    elif kind == "shipping":
        body["carrier"] = one.carrier
        if first and last:
            body |= {"earliest_delivery_time": moment(_begin(first)), "latest_delivery_time": moment(_end(last))}
    elif kind == "local_delivery" and first and last:
        body["delivery_window"] = {"start": moment(_begin(first)), "end": moment(_end(last))}
    return body


def _place(one: Option, place: Mapping[str, Any]) -> Body:
    """Where, how and from when until when it is fetched."""
    address = {name: place[name] for name in _ADDRESS if place.get(name)}
    told = {name: place[name] for name in ("phone", "instructions") if place.get(name)}
    opened = {"description": f"Open {place['hours']}."} if place.get("hours") else {}
    return opened | {
        "location": {"name": place["name"], "address": address} | told,
        "pickup_type": place["kind"],
        "ready_by": moment(datetime.fromisoformat(one.ready_by)),
        "pickup_by": moment(datetime.fromisoformat(one.pickup_by)),
    }


def message(one: Message) -> Body:
    """A message; plain text always."""
    body: Body = {"type": one.type, "content_type": "plain", "content": one.content}
    known = {"code": one.code, "param": one.param, "severity": one.severity, "resolution": one.resolution}
    return body | {name: str(value) for name, value in known.items() if value}


def discounts(seen: Seen) -> Body:
    """The discount extension: what was sent, what took something off and where, what did not and why."""
    said = seen.extra.said
    rejected = [
        {"code": one["code"], "reason": one["why"], "message": one["words"]} for one in said.get("left_out", [])
    ]
    rejected += [
        {"code": one.code, "reason": str(one.why), "message": one.words}
        for one in seen.bill.left_out
        if one.code in [code.strip().upper() for code in said.get("codes", [])]
    ]
    applied = [
        _applied(one, number, seen.checkout.currency) for number, one in enumerate(seen.bill.promotions, 1) if one.row
    ]
    return {"codes": list(said.get("codes", [])), "applied": applied, "rejected": rejected}


def capabilities(seen: Seen, gateway: str | None) -> Body:
    """How it is paid, and which interventions both sides know."""
    handlers = []
    if gateway is not None and seen.status in _OPEN:
        handlers.append(_handler(seen, gateway))
    always = seen.policy.three_d_secure == "always"
    return {
        "payment": {"handlers": handlers},
        "interventions": {
            "supported": list(seen.extra.said.get("interventions", [])),
            "required": ["3ds"] if always else [],
            "enforcement": "always" if always else "conditional",
        },
        "extensions": [dict(DISCOUNT)],
    }


def authentication(seen: Seen) -> Body:
    """What a 3-D Secure authentication has to know."""
    acquirer = seen.policy.acquirer
    details: Body = {
        "acquirer_bin": acquirer.acquirer_bin,
        "acquirer_country": seen.shop.country,
        "acquirer_merchant_id": acquirer.acquirer_merchant_id,
        "merchant_name": seen.shop.name[:40],
    }
    if acquirer.requestor_id:
        details["requestor_id"] = acquirer.requestor_id
    return {
        "acquirer_details": details,
        "directory_server": _directory(seen.checkout.payment_method),
        "flow_preference": {"type": "challenge", "challenge": {"type": "preferred"}},
    }


def links(seen: Seen, shop: Shop) -> list[Body]:
    """The shop's own pages; where it named none, the shop stands for them."""
    named = {str(kind): url for kind, url in seen.policy.links.items()}
    usual = dict.fromkeys(("terms_of_use", "privacy_policy", "return_policy"), shop.address("/"))
    return [{"type": kind, "url": url} for kind, url in {**usual, **named}.items()]


def moment(at: datetime) -> str:
    """RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _as_said(said: Mapping[str, Any]) -> Body:
    names = {
        "buyer": "buyer",
        "details": "fulfillment_details",
        "groups": "fulfillment_groups",
        "metadata": "metadata",
        "quote_id": "quote_id",
    }
    body = {wire: said[name] for name, wire in names.items() if said.get(name)}
    wrong = {one["param"] for one in said.get("faults", ())}
    if "$.buyer.email" in wrong:  # the schema knows no buyer without a good one
        body.pop("buyer")
    if "$.fulfillment_details.email" in wrong:
        body["fulfillment_details"] = {k: v for k, v in body["fulfillment_details"].items() if k != "email"}
    return body


def _line_totals(one: PricedLine) -> list[Body]:
    rows = [("items_base_amount", "Items", one.base)]
    if one.discount:
        rows.append(("items_discount", "Discount", one.discount))
    rows.append(("subtotal", "Subtotal", one.base - one.discount))
    if not one.tax_included:
        rows.append(("tax", "Tax", one.tax))
    rows.append(("total", "Total", one.total))
    return [{"type": kind, "display_text": words, "amount": amount} for kind, words, amount in rows]


def _availability(one: PricedLine) -> str:
    if one.later and one.promise:
        return "pre_order" if str(one.promise.kind) == "preorder" else "backorder"
    if one.available < 1:
        return "out_of_stock"
    return "low_stock" if one.available <= _LOW else "in_stock"


def _breakdown(taxes: Sequence[Mapping[str, Any]], tax: int) -> list[Body]:
    """By jurisdiction, where they make up the tax."""
    if not taxes or sum(row["amount"] for row in taxes) != tax:
        return []
    return [
        {"jurisdiction": row["jurisdiction"], "rate": row["rate_ppm"] / _PPM, "amount": row["amount"]} for row in taxes
    ]


def _offered(bill: Bill) -> list[Option]:
    """Every way that can be selected, and those that some lines go by themselves."""
    known = {one.id for one in bill.options}
    return [*bill.options, *(way.option for way in bill.ways if way.option and way.option.id not in known)]


def _selected(bill: Bill, whole: Option) -> list[Body]:
    ways = bill.ways or (Way(tuple(line.variant_id for line in bill.lines), whole),)
    return [
        {
            "type": told_type(way.option),
            "option_id": way.option.id,
            "item_ids": [line_id(one) for one in way.variant_ids],
        }
        for way in ways
        if way.option
    ]


def _applied(one: Taken, number: int, currency: str) -> Body:
    row = one.row
    assert row is not None
    body: Body = {
        "id": row.id,
        "coupon": _coupon(row, currency),
        "amount": one.amount or one.shipping,
        "automatic": row.code is None,
        "method": "each" if row.kind == DiscountKind.BUY_GET else "across",
        "priority": number,
    }
    if row.code:
        body["code"] = row.code
    parts = [(f"$.line_items[{at}]", amount) for at, amount in enumerate(one.per_line) if amount]
    if one.shipping:
        parts.append(("$.totals.fulfillment", one.shipping))
    if sum(amount for _, amount in parts) != body["amount"]:  # of an order it is not known which took what off where
        return body
    return body | {"allocations": [{"path": path, "amount": amount} for path, amount in parts]}


def _coupon(row: Discount, currency: str) -> Body:
    body: Body = {"id": row.id, "name": row.title}
    if row.kind == DiscountKind.OFF and row.percent_off is not None:
        body["percent_off"] = row.percent_off
    elif row.kind == DiscountKind.OFF and row.amount_off is not None:
        terms = (row.amounts or {}).get(currency) or {}
        body |= {"amount_off": terms.get("amount_off", row.amount_off), "currency": currency.lower()}
    return body


def _handler(seen: Seen, gateway: str) -> Body:
    return {
        "id": HANDLER,
        "name": "dev.acp.tokenized.card",
        "display_name": "Card",
        "version": "2026-01-22",
        "spec": "https://acp.dev/handlers/tokenized.card",
        "requires_delegate_payment": True,
        "requires_pci_compliance": False,
        "psp": gateway,
        "config_schema": "https://acp.dev/schemas/handlers/tokenized.card/config.json",
        "instrument_schemas": ["https://acp.dev/schemas/handlers/tokenized.card/instrument.json"],
        "config": {
            "merchant_id": seen.checkout.tenant_id,
            "psp": gateway,
            "accepted_brands": list(_BRANDS),
            "supports_3ds": True,
            "environment": "sandbox" if seen.shop.demo else "production",
        },
        "display_order": 0,
    }


def _directory(method: Mapping[str, Any] | None) -> str:
    brand = str((method or {}).get("brand", ""))
    return {"amex": "american_express", "mastercard": "mastercard"}.get(brand, "visa")


def _marketing(seen: Seen, shop: Shop) -> list[Body]:
    policy = seen.policy
    privacy = policy.links.get("privacy_policy", shop.address("/"))
    return [
        {"channel": channel, "display_text": words, "privacy_policy_url": privacy}
        for channel, words in policy.marketing.items()
        if seen.checkout.buyer.get(REACHED_BY[channel])
    ]


def _day(value: str) -> date | None:
    return date.fromisoformat(value[:10]) if value else None


def _begin(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _end(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)
