"""An order as a sales order of the ERP: its names, its lines and charges, and whether the two are equal."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import lru_cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from pydantic import ValidationError

from engine.sync import mapping, mappings
from engine.sync.canonical import OURS, OrderCreated, SalesOrder
from engine.sync.connectors.netsuite.wire import CustomerBody, SalesOrderBody
from engine.sync.errors import FieldFault, Rejected
from engine.sync.mapping import Compiled
from engine.sync.models import System
from engine.workflows.run import Run

MAPPING: Final = "shopify_to_netsuite"
"""A shop's mapping of this name takes the default's place."""
CHARGES: Final = {"tax": "SALES-TAX", "discount": "SHOP-DISCOUNT"}
"""What charges are called in the ERP where the settings say nothing else (``charge_items``)."""
_PREFIXES: Final = {System.SHOPIFY: "SHOP", System.WOOCOMMERCE: "WOO", OURS: "IC"}
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")
_PARENT: Final = {"id": "1"}
"""The subsidiary where the settings name none: an account's first."""


def external_id(order: OrderCreated) -> str:
    """``SHOP-{shop}-{order}``; of our own ``IC-{number}``."""
    if order.source == OURS:
        return f"IC-{_fit(order.source_ref)}"
    return f"{_prefix(order)}-{_shop(order)}-{_fit(order.source_id)}"


def customer_id(order: OrderCreated) -> str:
    """By the platform's customer; a guest by the e-mail address, which is not said; nobody by the order."""
    buyer = order.buyer
    if buyer.source_id:
        who = f"C{_fit(buyer.source_id)}"
    elif buyer.email:
        who = "E" + hashlib.sha256(buyer.email.strip().lower().encode()).hexdigest()[:20]
    else:
        who = f"O{_fit(order.source_id)}"
    return f"{_prefix(order)}-{_shop(order)}-{who}"


def items_of(run: Run, order: OrderCreated) -> dict[str, str]:
    """SKU → item in the ERP, of the order's lines and charges. Raises ``Rejected`` that names every line whose SKU is
    none of the ERP's.
    """
    wanted = {line.sku: f"lines.{place}.sku" for place, line in enumerate(order.lines) if line.quantity}
    charged = {sku: f"settings.charge_items.{name}" for name, sku, _ in charges(run, order)}
    known = run.erp().items([*wanted, *charged])
    faults = [
        FieldFault(where, f"{sku[:60]} is no item of the ERP" if sku else "the line has no SKU")
        for sku, where in {**charged, **wanted}.items()
        if sku not in known
    ]
    if faults:
        raise Rejected(f"{len(faults)} of {order.source_ref} the ERP does not know.", fields=faults)
    return known


def charges(run: Run, order: OrderCreated) -> list[tuple[str, str, int]]:
    """What is charged beside goods and shipping: name, item's SKU, amount in minor units."""
    named = {**CHARGES, **run.settings.charge_items}
    off = sum(line.discount for line in order.lines if line.quantity)
    tax = 0 if order.taxes_included else order.tax
    found = [("discount", named["discount"], -off), ("tax", named["tax"], tax)]
    return [row for row in found if row[2]]


def put_customer(run: Run, order: OrderCreated) -> str:
    """The ERP's id of the buyer."""
    first, _, last = (order.buyer.name or (order.ship_to.name if order.ship_to else "")).strip().rpartition(" ")
    given = {
        "subsidiary": run.settings.erp_defaults.get("subsidiary", _PARENT),
        "firstName": (first or last or "Guest")[:32],
        "lastName": (last if first else "-")[:32],
        "email": order.buyer.email or None,
        "phone": order.buyer.phone[:32] or None,
    }
    body = _valid(CustomerBody, {name: value for name, value in given.items() if value is not None})
    return run.erp().put_customer(customer_id(order), body)


def body_of(run: Run, order: OrderCreated, customer: str, known: dict[str, str]) -> SalesOrderBody:
    """The ERP's document by the shop's mapping; ``erp_defaults`` of the settings fill what it leaves open."""
    with run.runtime.unit_of_work(run.tenant_id) as session:
        compiled = mappings.ready(session, run.tenant_id, MAPPING) or default()
    made = mapping.apply(compiled, document(run, order, customer, known))
    body: SalesOrderBody = _valid(SalesOrderBody, {**run.settings.erp_defaults, **made})
    return body


def opened(body: SalesOrderBody) -> SalesOrderBody:
    """The same, its lines said to be open: a line that is written anew where a closed one was may stay closed."""
    lines = [line.model_copy(update={"is_closed": False}) for line in body.item.items]
    return body.model_copy(update={"item": body.item.model_copy(update={"items": lines})})


def document(run: Run, order: OrderCreated, customer: str, known: dict[str, str]) -> dict[str, Any]:
    """What the mapping reads."""
    settings = run.settings
    code = order.shipping[0].code if order.shipping else ""
    goods = [
        {
            "item_id": known[line.sku],
            "sku": line.sku,
            "quantity": line.quantity,
            "rate": line.unit_price,
            "title": line.title,
            "source_line_id": line.source_line_id,
            "location": settings.default_location or None,
        }
        for line in order.lines
        if line.quantity
    ]
    extra = [{"item_id": known[sku], "sku": sku, "quantity": 1, "rate": rate} for _, sku, rate in charges(run, order)]
    return {
        "order": order.model_dump(mode="json", exclude={"raw"}),
        "raw": order.raw,
        "customer_id": customer,
        "placed_on": order.placed_at.astimezone(ZoneInfo(settings.time_zone)).date().isoformat(),
        "currency_id": _currency(run, order.currency),
        "ship_method": settings.ship_methods.get(code),
        "shipping_cost": shipping_cost(order),
        "location": settings.default_location or None,
        "lines": goods + extra,
    }


def shipping_cost(order: OrderCreated) -> int:
    return sum(one.price - one.discount for one in order.shipping)


def same_goods(order: OrderCreated, found: SalesOrder) -> bool:
    """Whether the sales order has the order's goods, piece for piece."""
    wanted: Counter[str] = Counter()
    for line in order.lines:
        wanted[line.sku] += line.quantity
    there: Counter[str] = Counter()
    for one in found.lines:
        there[one.sku] += one.quantity if one.sku else 0
    return +wanted == +there


def differs(order: OrderCreated, found: SalesOrder) -> str:
    """What is not equal in the end, in words; nothing where all is."""
    if not same_goods(order, found):
        return "The sales order has other goods than the order."
    if found.total is not None and found.total != order.total:
        return f"The sales order comes to {found.total}, the order to {order.total} (minor units)."
    return ""


@lru_cache(maxsize=1)
def default() -> Compiled:
    """The field map of a shop that has none of its own."""
    text = resources.files("engine.workflows.mappings").joinpath(f"{MAPPING}.json").read_text()
    return mapping.compile(orjson.loads(text), SalesOrderBody)


def _currency(run: Run, code: str) -> str | None:
    """The ERP's id of a currency, by the connection's settings; nothing for the account's own."""
    known = run.connection(System.NETSUITE).settings
    ids, own = known.get("currencies") or {}, known.get("currency")
    if code in ids:
        return str(ids[code])
    if own and own != code:
        words = f"{code} is no currency of the ERP's connection (settings currency, currencies)"
        raise Rejected("The ERP does not know the order's currency.", fields=[FieldFault("currency", words)])
    return None


def _valid(model: type[Any], given: dict[str, Any]) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [FieldFault(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_input=False)]
        raise Rejected("The ERP would not take this.", fields=faults) from None


def _prefix(order: OrderCreated) -> str:
    return _PREFIXES.get(order.source, order.source.upper())


def _shop(order: OrderCreated) -> str:
    return _fit(order.account.removesuffix(".myshopify.com"))


def _fit(text: str) -> str:
    """As an external id may be."""
    return _UNFIT.sub("-", text).strip("-")[:60] or "0"
