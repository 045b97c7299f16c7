"""How much of some goods one order or one customer may have: looked at with every price, and once more in the sale
itself, where the sales under one limit take turns, so that two at once cannot both be the last that is allowed.

A buyer is known as promotions know one: by the session, the verified customer or the e-mail that was typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.carts.discounts import ORDERS_OF
from engine.compliance.policy import MAX_DAYS, CompliancePolicy, Limit
from engine.inventory import direct as stock
from engine.kit import clock
from engine.kit.direct import Ask, Statement
from engine.kit.policies import policy_of, read_policy
from engine.orders.errors import OverQuota
from engine.orders.models import Order

_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_GOODS: Final = ("sku", "product_id", "category")
_PER_ORDER: Final = "One order may hold {most} of {titles}; this one has {units}."
_PER_CUSTOMER: Final = "One customer may buy {most} of {titles} in {days} days, not more."
_THEIRS: Final = ORDERS_OF.format(c="c")
_LIMITS: Final = "t.settings #> '{policies,compliance,limits}'"
_LINES: Final = """app.order_lines l JOIN app.products p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
    LEFT JOIN app.order_lines r ON r.tenant_id = l.tenant_id AND r.id = l.replaces_line_id AND l.return_id IS NOT NULL
    LEFT JOIN app.products rp ON rp.tenant_id = r.tenant_id AND rp.id = r.product_id"""
"""Lines ``l``; of one that was had in exchange, the line ``r`` that came back for it. Units that came back count on, so
what was had for them counts only under a limit that does not name them.
"""
_COUNTED: Final = "(l.return_id IS NULL OR r.id IS NOT NULL) AND l.ordered > l.canceled"
_UNITS: Final = """json_build_object('sku', l.sku, 'product_id', l.product_id, 'category', p.category,
      'at', o.created_at, 'units', l.ordered - l.canceled, 'order_id', o.id, 'instead_of', CASE WHEN r.id IS NOT NULL
      THEN json_build_object('sku', r.sku, 'product_id', r.product_id, 'category', rp.category) END)"""
BOUGHT: Final = f"""CASE WHEN jsonb_typeof({_LIMITS}) = 'array' AND jsonb_array_length({_LIMITS}) > 0 THEN (
    SELECT json_agg({_UNITS})
    FROM {_THEIRS} o JOIN ({_LINES}) ON l.tenant_id = o.tenant_id AND l.order_id = o.id
    WHERE o.stands AND o.session_id IS DISTINCT FROM c.id AND {_COUNTED}
      AND o.created_at > %(moment)s::timestamptz - interval '{MAX_DAYS} days') END"""  # noqa: S608 (our own)
"""Units that the buyer of the checkout ``c`` has ordered before, where the shop ``t`` has limits."""

OWNED: Final = text(f"""
SELECT {_UNITS} FROM app.orders c CROSS JOIN LATERAL {_THEIRS} o
JOIN ({_LINES}) ON l.tenant_id = o.tenant_id AND l.order_id = o.id
WHERE c.tenant_id = :tenant AND c.id = :order AND o.stands AND {_COUNTED}
  AND (o.id = c.id OR o.created_at > CAST(:moment AS timestamptz) - interval '{MAX_DAYS} days')
""")  # noqa: S608 (our own)
"""Units that the buyer of an order has ordered, with those of the order itself."""


def _named(line: str, product: str) -> str:
    return f"""(%(everything)s OR {line}.sku = ANY(%(skus)s::text[]) OR {line}.product_id = ANY(%(products)s::text[])
  OR {product}.category = ANY(%(categories)s::text[]))"""


STILL: Final = Statement(f"""
SELECT 1 / CASE WHEN coalesce(sum(l.ordered - l.canceled), 0) <= %(most)s THEN 1 ELSE 0 END AS whole
FROM app.orders c CROSS JOIN LATERAL {_THEIRS} o
JOIN ({_LINES}) ON l.tenant_id = o.tenant_id AND l.order_id = o.id
WHERE c.tenant_id = %(tenant)s AND c.id = %(order)s AND o.stands AND o.created_at > %(since)s AND {_COUNTED}
  AND {_named("l", "p")}
  AND NOT (r.id IS NOT NULL AND {_named("r", "rp")})
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
            found.append(_PER_ORDER.format(most=limit.per_order, titles=titles, units=units))
        elif limit.per_customer is not None and units + _before(limit, bought, moment) > limit.per_customer:
            found.append(_PER_CUSTOMER.format(most=limit.per_customer, titles=titles, days=limit.days))
    return found


@dataclass(frozen=True, slots=True)
class Goods:
    """What a limit names goods by."""

    sku: str
    product_id: str
    category: str


@dataclass(frozen=True, slots=True)
class Swapped:
    """Units that take the place of others: what a limit looks at of both."""

    old: Goods
    new: Goods
    title: str
    quantity: int


def any_of(session: Session, tenant_id: str) -> bool:
    """Whether the shop limits anything."""
    return bool(policy_of(session, tenant_id, CompliancePolicy).limits)


def check_swap(session: Session, order: Order, swapped: Sequence[Swapped]) -> None:
    """That an order's buyer has no more than allowed once some units take the place of others; what a limit counts as
    much of as before it does not look at. Takes the turn of each limit that matters.

    Raises ``OverQuota``.
    """
    limits = policy_of(session, order.tenant_id, CompliancePolicy).limits
    more = {limit.code: _more(limit, swapped) for limit in limits}
    concerned = sorted((limit for limit in limits if more[limit.code] > 0), key=lambda limit: limit.code)
    if not concerned:
        return
    for limit in concerned:
        session.execute(_TURN, {"key": _turn(order.tenant_id, limit)})
    moment = clock.now()
    facts = {"tenant": order.tenant_id, "order": order.id, "moment": moment}
    owned = list(session.scalars(OWNED, facts))
    for limit in concerned:
        titles = ", ".join(dict.fromkeys(one.title for one in swapped if limit.names(**asdict(one.new))))
        here = more[limit.code] + sum(_units(limit, row) for row in owned if row["order_id"] == order.id)
        if limit.per_order is not None and here > limit.per_order:
            raise OverQuota(_PER_ORDER.format(most=limit.per_order, titles=titles, units=here))
        if limit.per_customer is not None and more[limit.code] + _before(limit, owned, moment) > limit.per_customer:
            raise OverQuota(_PER_CUSTOMER.format(most=limit.per_customer, titles=titles, days=limit.days))


def _more(limit: Limit, swapped: Sequence[Swapped]) -> int:
    return sum(one.quantity * (limit.names(**asdict(one.new)) - limit.names(**asdict(one.old))) for one in swapped)


def asks(
    settings: Mapping[str, Any], lines: Sequence[Wanted], *, tenant_id: str, order_id: str, moment: datetime
) -> list[Ask]:
    """What T1 looks at once more: the turns of all limits that matter, then whether each is kept."""
    limits = sorted(
        (limit for limit, _ in _concerned(settings, lines) if limit.per_customer is not None),
        key=lambda limit: limit.code,
    )
    turns: list[Ask] = [(stock.TURN, {"key": _turn(tenant_id, limit)}) for limit in limits]
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
    return sum(_units(limit, row) for row in bought if datetime.fromisoformat(row["at"]) > since)


def _units(limit: Limit, row: Mapping[str, Any]) -> int:
    """What counts of a row: nothing of what was had for units that count themselves."""
    names = {name: row[name] for name in _GOODS}
    instead = row["instead_of"]
    return 0 if not limit.names(**names) or (instead and limit.names(**instead)) else int(row["units"])


def _turn(tenant_id: str, limit: Limit) -> str:
    return f"quota|{tenant_id}|{limit.code}"


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
