"""Stock for whoever speaks to the driver itself: the same rules as ``shippable`` and ``hold``, as text and as rows.

``PLACES`` is a query to be put into another; ``plan`` says what is written for allocations, without a look at the
database: the reservations to insert and, in the order in which everybody takes stock, the levels to take from.
``TURN`` and ``WAIT`` are ``open_backorders`` of a payment under way: first the turns, by variant, then the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.inventory.items import PLENTY, Allocation, Part, Place
from engine.kit.direct import Statement
from engine.kit.ids import new_id

PLACES: Final = f"""
SELECT v.id AS variant_id, l.id, l.region, l.position,
  least(min(u.units / coalesce(b.quantity, 1)),
    CASE WHEN v.stock_policy = 'preorder' AND v.available_on > %(today)s THEN 0 ELSE {PLENTY} END) AS available,
  json_agg(json_build_array(p.id, coalesce(b.quantity, 1), p.stock_policy <> 'untracked', u.units, p.price)) AS parts
FROM app.variants v
LEFT JOIN app.bundle_components b ON b.tenant_id = v.tenant_id AND b.bundle_variant_id = v.id
LEFT JOIN app.variants k ON k.tenant_id = v.tenant_id AND k.id = b.component_variant_id
CROSS JOIN LATERAL (SELECT CASE WHEN k.id IS NULL THEN v.id ELSE k.id END AS id,
  CASE WHEN k.id IS NULL THEN v.stock_policy ELSE k.stock_policy END AS stock_policy,
  CASE WHEN k.id IS NULL THEN v.price ELSE k.price END AS price,
  CASE WHEN k.id IS NULL THEN v.available_on ELSE k.available_on END AS available_on) AS p
JOIN app.locations l ON l.tenant_id = v.tenant_id AND (l.ships OR l.pickup IS NOT NULL)
CROSS JOIN LATERAL (SELECT CASE WHEN p.stock_policy = 'untracked' THEN {PLENTY}
  WHEN p.stock_policy = 'preorder' AND p.available_on > %(today)s THEN 0
  ELSE greatest(0, coalesce((SELECT s.on_hand - s.reserved - s.safety_stock FROM app.stock_levels s
    WHERE s.tenant_id = v.tenant_id AND s.variant_id = p.id AND s.location_id = l.id), 0)) END
  AS units) u
WHERE v.tenant_id = %(tenant)s AND v.id = ANY(%(variants)s)
GROUP BY v.tenant_id, v.id, l.tenant_id, l.id
HAVING min(u.units / coalesce(b.quantity, 1)) > 0
ORDER BY l.position, l.id
"""  # noqa: S608 (our own)
"""Asked with ``tenant``, ``variants`` and ``today``; a row is what ``place`` reads. (No ``coalesce`` in what stock is
looked up by: row-level security takes it for a function that could tell, and lets it use no index.)"""


TURN: Final = Statement("SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))")
"""Sales of the last units that may wait take turns, by ``turn_of``; the turn ends with the transaction."""

WAIT: Final = Statement("""
WITH waiting AS (
  INSERT INTO app.backorders (tenant_id, id, order_id, order_line_id, variant_id, quantity, allocated, canceled, kind,
    promised_on, status, payment_id, components, created_at)
  SELECT v.tenant_id, %(id)s, %(order_id)s, %(order_line_id)s, v.id, %(quantity)s, 0, 0, %(kind)s,
    %(promised_on)s::date, 'held', %(payment_id)s, %(components)s, %(created_at)s
  FROM app.variants v WHERE v.tenant_id = %(tenant)s AND v.id = %(variant_id)s AND (
    v.backorder_limit IS NULL OR v.backorder_limit >= %(quantity)s + (
      SELECT coalesce(sum(b.quantity - b.allocated - b.canceled), 0) FROM app.backorders b
      WHERE b.tenant_id = v.tenant_id AND b.variant_id = v.id AND b.status IN ('held', 'waiting')))
  RETURNING id)
SELECT 1 / count(*) AS whole FROM waiting
""")
"""Units sold ahead of their stock, within the item's limit; refused by a division by zero."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``reservations`` by column (id, variant_id, location_id, quantity, per_unit, tracked, order_line_id);
    ``takes`` of counted units: variant_id, location_id, quantity, one for each level.
    """

    reservations: list[dict[str, Any]]
    takes: list[dict[str, Any]]


def place(row: Mapping[str, Any]) -> Place:
    """A row of ``PLACES``."""
    parts = tuple(sorted(Part(part[0], part[1], part[2], price=part[4]) for part in row["parts"]))
    shelf = tuple(sorted((part, units) for part, _, tracked, units, _ in row["parts"] if tracked))
    return Place(row["id"], row["region"], row["position"], row["available"], parts, shelf)


def plan(allocations: Sequence[Allocation], line_of_variant: Mapping[str, str]) -> Plan:
    """What allocations of ``route`` write. Raises ``ValueError`` for one that does not know its parts."""
    reservations: list[dict[str, Any]] = []
    takes: dict[tuple[str, str], int] = {}
    for one in allocations:
        if one.parts is None:
            raise ValueError(f"{one.variant_id} was not routed from PLACES")
        for part in one.parts:
            units = part.per_unit * one.quantity
            reservations.append(
                {
                    "id": new_id("reservation"),
                    "variant_id": part.variant_id,
                    "location_id": one.location_id,
                    "quantity": units,
                    "per_unit": part.per_unit,
                    "tracked": part.tracked,
                    "order_line_id": line_of_variant[one.variant_id],
                }
            )
            if part.tracked:
                key = (part.variant_id, one.location_id)
                takes[key] = takes.get(key, 0) + units
    ordered = [{"variant_id": v, "location_id": p, "quantity": units} for (v, p), units in sorted(takes.items())]
    return Plan(reservations, ordered)


def turn_of(tenant_id: str, variant_id: str) -> str:
    """The key of ``TURN``."""
    return f"backorders|{tenant_id}|{variant_id}"
