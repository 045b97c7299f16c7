"""Orders as the benchmark's file says them, each read in one statement with everything that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from engine.db import Store
from engine.kit.direct import Statement
from engine.orders.policy import OrdersPolicy
from evals.tau2.address_shape import address_shape
from evals.tau2.amounts import dollars
from evals.tau2.rules import policies

_READ: Final = """
SELECT o.number, c.external_id AS user_id, o.ship_to, o.status, o.cancel_reason,
  o.items_changed_at IS NOT NULL AS items_changed,
  (SELECT json_agg(json_build_object('id', l.id, 'sku', l.sku, 'title', l.title, 'product', p.external_id,
      'names', p.facts -> 'option_names', 'options', l.options, 'price', l.unit_price, 'replaces', l.replaces_line_id,
      'shipped', l.shipped, 'delivered', l.delivered) ORDER BY l.position, l.id)
    FROM app.order_lines l JOIN app.products p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
    WHERE l.tenant_id = o.tenant_id AND l.order_id = o.id AND l.return_id IS NULL) AS lines,
  (SELECT json_agg(json_build_object('tracking', s.tracking_number, 'lines', s.lines) ORDER BY s.shipped_at, s.id)
    FROM app.shipments s WHERE s.tenant_id = o.tenant_id AND s.order_id = o.id) AS parcels,
  (SELECT json_agg(json_build_object('at', extract(epoch FROM e.at), 'kind', e.kind, 'amount', e.amount,
      'way', coalesce(m.external_id, a.external_id)) ORDER BY e.at, e.place, e.id)
    FROM (
      SELECT created_at AS at, 0 AS place, id, 'payment' AS kind, amount,
        coalesce(payment_method_id, stored_value_id) AS way
      FROM app.payments WHERE tenant_id = o.tenant_id AND order_id = o.id AND amount > 0
        AND status IN ('captured', 'partially_captured')
      UNION ALL
      SELECT r.created_at, 1, r.id, 'refund', r.amount,
        coalesce(r.payment_method_id, r.stored_value_id, p.payment_method_id)
      FROM app.refunds r JOIN app.payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id
      WHERE r.tenant_id = o.tenant_id AND r.order_id = o.id AND r.status <> 'failed'
      UNION ALL
      SELECT applied_at, 1, id, 'refund', 0, coalesce(nullif(wanted ->> 'refund_to', 'original'),
        wanted ->> 'payment_method_ref')
      FROM app.order_changes WHERE tenant_id = o.tenant_id AND order_id = o.id AND kind = 'items'
        AND status = 'applied' AND (quote -> 'effect' ->> 'amount')::bigint = 0
    ) e
    LEFT JOIN app.payment_methods m ON m.tenant_id = o.tenant_id AND m.id = e.way
    LEFT JOIN app.stored_value_accounts a ON a.tenant_id = o.tenant_id AND a.id = e.way) AS history,
  (SELECT json_agg(json_build_object('kind', r.kind, 'difference', r.replacement - r.credit,
      'way', coalesce(m.external_id, a.external_id),
      'lines', (SELECT json_agg(json_build_object('sku', l.sku, 'quantity', x.quantity,
          'instead', x.exchange ->> 'sku') ORDER BY x.position) FROM app.return_lines x
        JOIN app.order_lines l ON l.tenant_id = x.tenant_id AND l.id = x.order_line_id
        WHERE x.tenant_id = r.tenant_id AND x.return_id = r.id)) ORDER BY r.created_at)
    FROM app.returns r JOIN app.order_changes g ON g.tenant_id = r.tenant_id AND g.id = r.change_id
    LEFT JOIN app.payment_methods m ON m.tenant_id = g.tenant_id
      AND m.id IN (g.wanted ->> 'refund_to', g.wanted ->> 'payment_method_ref')
    LEFT JOIN app.stored_value_accounts a ON a.tenant_id = g.tenant_id
      AND a.id IN (g.wanted ->> 'refund_to', g.wanted ->> 'payment_method_ref')
    WHERE r.tenant_id = o.tenant_id AND r.order_id = o.id
      AND r.status NOT IN ('declined', 'canceled', 'expired')) AS returns
FROM app.orders o LEFT JOIN app.customers c ON c.tenant_id = o.tenant_id AND c.id = o.customer_id
WHERE o.tenant_id = %(tenant)s AND o.placed_at IS NOT NULL
"""
ALL_ORDERS: Final = Statement(_READ + "ORDER BY o.placed_at, o.id")
_ONE: Final = Statement(_READ + "AND o.number = %(number)s")
Shape = dict[str, Any]


def export_order(store: Store, tenant_id: str, number: str) -> Shape:
    """One order by its number, as our shop writes it."""
    ((row,),) = store.ask(tenant_id, (_ONE, {"tenant": tenant_id, "number": number}))
    return order_shape(row)


@cache
def reasons() -> Mapping[str, str]:
    """Code of a reason to cancel → what the file calls it, as the shop's policy says."""
    return {one.code: one.text for one in OrdersPolicy.model_validate(policies()["orders"]).cancel_reasons}


def order_shape(row: Mapping[str, Any]) -> Shape:
    """A row of ``ALL_ORDERS`` as the file says it."""
    history = [
        {"transaction_type": one["kind"], "amount": dollars(one["amount"]), "payment_method_id": one["way"]}
        for one in row["history"] or []
    ]
    shape = {
        "order_id": f"#{row['number']}",
        "user_id": row["user_id"],
        "address": address_shape(row["ship_to"]),
        "items": [_item(line) for line in _standing(row["lines"])],
        "status": _status(row),
        "fulfillments": [_parcel(parcel, row["lines"]) for parcel in row["parcels"] or []],
        "payment_history": history,
    }
    if row["cancel_reason"]:
        shape["cancel_reason"] = reasons().get(row["cancel_reason"], row["cancel_reason"])
    for one in row["returns"] or []:
        shape |= _back(one, history)
    return shape


def _standing(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The lines in their places: one that replaces another stands where that one stood."""
    places: dict[str, Mapping[str, Any]] = {}
    where: dict[str, str] = {}
    for line in lines:
        place = where.get(line["replaces"] or "", line["id"])
        where[line["id"]] = place
        places[place] = line
    return list(places.values())


def _item(line: Mapping[str, Any]) -> Shape:
    return {
        "name": line["title"],
        "product_id": line["product"],
        "item_id": line["sku"],
        "price": dollars(line["price"]),
        "options": {name: line["options"][name] for name in line["names"] if name in line["options"]},
    }


def _status(row: Mapping[str, Any]) -> str:
    if row["returns"]:
        return f"{row['returns'][-1]['kind']} requested"
    if row["status"] == "canceled":
        return "cancelled"
    if any(line["delivered"] for line in row["lines"]):
        return "delivered"
    if any(line["shipped"] for line in row["lines"]):
        return "processed"
    return "pending (item modified)" if row["items_changed"] else "pending"


def _parcel(parcel: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Shape:
    skus = {line["id"]: line["sku"] for line in lines}
    inside = [skus[one["order_line_id"]] for one in parcel["lines"] for _ in range(one["quantity"])]
    return {"tracking_id": [parcel["tracking"]], "item_ids": inside}


def _back(one: Mapping[str, Any], history: Sequence[Shape]) -> Shape:
    """What a return or exchange adds to its order; without a way of its own the money goes the way it came."""
    way = one["way"] or history[0]["payment_method_id"]
    old = sorted(line["sku"] for line in one["lines"] for _ in range(line["quantity"]))
    if one["kind"] == "return":
        return {"return_items": old, "return_payment_method_id": way}
    new = sorted(line["instead"] for line in one["lines"] for _ in range(line["quantity"]))
    return {
        "exchange_items": old,
        "exchange_new_items": new,
        "exchange_payment_method_id": way,
        "exchange_price_difference": dollars(one["difference"]),
    }
