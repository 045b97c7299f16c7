"""How much of some goods one order or one customer may have: looked at with every price, and once more in the sale
itself, where the sales under one limit take turns, so that two at once cannot both be the last that is allowed.

A buyer is known as promotions know one: by the session, the verified customer or the e-mail that was typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from engine.carts.discounts import BUYERS
from engine.compliance.policy import MAX_DAYS, CompliancePolicy, Limit
from engine.inventory import direct as stock
from engine.kit.direct import Ask, Statement
from engine.kit.policies import read_policy

_THEIRS: Final = BUYERS.replace("o.placed_at IS NOT NULL", "o.status <> 'canceled' AND o.origin IS NULL")
_LIMITS: Final = "t.settings #> '{policies,compliance,limits}'"
BOUGHT: Final = f"""CASE WHEN jsonb_typeof({_LIMITS}) = 'array' AND jsonb_array_length({_LIMITS}) > 0 THEN (
    SELECT json_agg(json_build_object('sku', l.sku, 'product_id', l.product_id, 'category', p.category,
      'at', o.created_at, 'units', l.ordered - l.canceled))
    FROM app.orders o JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id AND l.return_id IS NULL
    JOIN app.products p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
    WHERE {_THEIRS.format(c="c")} AND o.session_id IS DISTINCT FROM c.id AND l.ordered > l.canceled
      AND o.created_at > %(moment)s::timestamptz - interval '{MAX_DAYS} days') END"""  # noqa: S608 (our own)
"""Units that the buyer of the checkout ``c`` has ordered before, where the shop ``t`` has limits."""

STILL: Final = Statement(f"""
SELECT 1 / CASE WHEN coalesce(sum(l.ordered - l.canceled), 0) <= %(most)s THEN 1 ELSE 0 END AS whole
FROM app.orders c JOIN app.orders o ON {_THEIRS.format(c="c")} AND o.created_at > %(since)s
JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id AND l.return_id IS NULL
JOIN app.products p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
WHERE c.tenant_id = %(tenant)s AND c.id = %(order)s AND (%(everything)s OR l.sku = ANY(%(skus)s::text[])
  OR l.product_id = ANY(%(products)s::text[]) OR p.category = ANY(%(categories)s::text[]))
""")  # noqa: S608 (our own)
"""With this order, its buyer has no more than allowed."""


class Wanted(Protocol):
    """What a limit looks at of a priced line."""

    @property
    def sku(self) -> str: ...
    @property
    def product_id(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def quantity(self) -> int: ...


def problems(
    settings: Mapping[str, Any], bought: Sequence[Mapping[str, Any]], lines: Sequence[Wanted], moment: datetime
) -> list[str]:
    """What is more than the shop allows, in words that say nothing of what was bought before."""
    found = []
    for limit, named in _concerned(settings, lines):
        units, titles = sum(line.quantity for line in named), ", ".join(line.title for line in named)
        if limit.per_order is not None and units > limit.per_order:
            found.append(f"One order may hold {limit.per_order} of {titles}; this one has {units}.")
        elif limit.per_customer is not None and units + _before(limit, bought, moment) > limit.per_customer:
            found.append(f"One customer may buy {limit.per_customer} of {titles} in {limit.days} days, not more.")
    return found


def asks(
    settings: Mapping[str, Any], lines: Sequence[Wanted], *, tenant_id: str, order_id: str, moment: datetime
) -> list[Ask]:
    """What T1 looks at once more: the turns of all limits that matter, then whether each is kept."""
    limits = sorted(
        (limit for limit, _ in _concerned(settings, lines) if limit.per_customer is not None),
        key=lambda limit: limit.code,
    )
    turns: list[Ask] = [(stock.TURN, {"key": f"quota|{tenant_id}|{limit.code}"}) for limit in limits]
    return [*turns, *((STILL, _values(limit, tenant_id, order_id, moment)) for limit in limits)]


def _concerned(settings: Mapping[str, Any], lines: Sequence[Wanted]) -> list[tuple[Limit, list[Wanted]]]:
    if not settings.get("policies", {}).get(CompliancePolicy.section, {}).get("limits"):
        return []
    limits = read_policy(dict(settings), CompliancePolicy).limits
    named = [(limit, [line for line in lines if _counts(limit, line)]) for limit in limits]
    return [(limit, found) for limit, found in named if found]


def _counts(limit: Limit, line: Wanted) -> bool:
    return limit.names(sku=line.sku, product_id=line.product_id, category=line.category)


def _before(limit: Limit, bought: Sequence[Mapping[str, Any]], moment: datetime) -> int:
    since = moment - timedelta(days=limit.days)
    return sum(
        row["units"]
        for row in bought
        if datetime.fromisoformat(row["at"]) > since
        and limit.names(sku=row["sku"], product_id=row["product_id"], category=row["category"])
    )


def _values(limit: Limit, tenant_id: str, order_id: str, moment: datetime) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "order": order_id,
        "most": limit.per_customer,
        "since": moment - timedelta(days=limit.days),
        "everything": not (limit.skus or limit.products or limit.categories),
        "skus": list(limit.skus),
        "products": list(limit.products),
        "categories": list(limit.categories),
    }
