"""The one writer of stock levels: balances and their ledger lines change together, all of them or none.

Rows are locked in the order (variant, location): two writers can wait for each other's row, never in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.inventory.models import MovementKind


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the stock ledger to be: signed changes of on-hand and reserved units."""

    variant_id: str
    location_id: str
    kind: MovementKind
    subject: str
    on_hand: int = 0
    reserved: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """A level that cannot take its change: as it is now (all zero where there is none)."""

    variant_id: str
    location_id: str
    on_hand: int
    reserved: int
    safety_stock: int


_OPEN: Final = text("""
INSERT INTO app.stock_levels (tenant_id, variant_id, location_id, on_hand, reserved)
SELECT :tenant, w.variant_id, w.location_id, 0, 0
FROM unnest(CAST(:variants AS text[]), CAST(:locations AS text[])) AS w (variant_id, location_id)
ORDER BY 2, 3 ON CONFLICT DO NOTHING
""")
# What is written is worked out from the locked rows: of ``s`` the statement first sees the row as it was when it began,
# and the constraint would judge that one although another transaction has long changed it.
_CHANGE: Final = text("""
WITH wanted AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:variants AS text[]), CAST(:locations AS text[]), CAST(:on_hand AS int[]),
    CAST(:reserved AS int[])) AS w (variant_id, location_id, on_hand, reserved)),
locked AS MATERIALIZED (
  SELECT s.variant_id, s.location_id, s.on_hand, s.reserved, s.safety_stock FROM app.stock_levels s
  JOIN wanted w ON w.variant_id = s.variant_id AND w.location_id = s.location_id
  WHERE s.tenant_id = :tenant ORDER BY s.variant_id, s.location_id FOR UPDATE OF s),
refused AS MATERIALIZED (
  SELECT w.variant_id, w.location_id, coalesce(l.on_hand, 0) AS on_hand, coalesce(l.reserved, 0) AS reserved,
    coalesce(l.safety_stock, 0) AS safety_stock
  FROM wanted w LEFT JOIN locked l ON l.variant_id = w.variant_id AND l.location_id = w.location_id
  WHERE l.variant_id IS NULL OR l.reserved + w.reserved < 0 OR l.on_hand + w.on_hand < l.reserved + w.reserved
    OR (:selling AND w.reserved > 0
      AND l.on_hand + w.on_hand - l.reserved - w.reserved < l.safety_stock)),
changed AS (
  UPDATE app.stock_levels s SET on_hand = l.on_hand + w.on_hand, reserved = l.reserved + w.reserved
  FROM wanted w JOIN locked l ON l.variant_id = w.variant_id AND l.location_id = w.location_id
  WHERE s.tenant_id = :tenant AND s.variant_id = l.variant_id AND s.location_id = l.location_id
    AND NOT EXISTS (SELECT FROM refused)),
written AS (
  INSERT INTO app.stock_movements
    (tenant_id, variant_id, location_id, kind, on_hand_delta, reserved_delta, subject, reason, at)
  SELECT :tenant, m.variant_id, m.location_id, m.kind, m.on_hand, m.reserved, m.subject, m.reason, clock_timestamp()
  FROM unnest(CAST(:m_variants AS text[]), CAST(:m_locations AS text[]), CAST(:m_kinds AS text[]),
    CAST(:m_on_hand AS int[]), CAST(:m_reserved AS int[]), CAST(:m_subjects AS text[]), CAST(:m_reasons AS text[]))
    AS m (variant_id, location_id, kind, on_hand, reserved, subject, reason)
  WHERE NOT EXISTS (SELECT FROM refused))
SELECT variant_id, location_id, on_hand, reserved, safety_stock FROM refused ORDER BY 1, 2
""")


def change(session: Session, tenant_id: str, moves: Sequence[Move], *, selling: bool = False) -> list[Shortage]:
    """Change levels and write the ledger in one round trip (one more where units come in).

    All moves or none: returns the levels that could not take theirs, having changed nothing, when any would end
    with less on hand than is promised. ``selling`` keeps the safety stock as well.
    """
    if not moves:
        return []
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    for move in moves:
        on_hand, reserved = totals.get((move.variant_id, move.location_id), (0, 0))
        totals[move.variant_id, move.location_id] = (on_hand + move.on_hand, reserved + move.reserved)
    _open_levels(session, tenant_id, [key for key, (on_hand, _) in totals.items() if on_hand > 0])
    rows = session.execute(_CHANGE, _parameters(tenant_id, totals, moves) | {"selling": selling})
    return [Shortage(*row) for row in rows]


def _open_levels(session: Session, tenant_id: str, keys: Sequence[tuple[str, str]]) -> None:
    if keys:
        variants, locations = [key[0] for key in keys], [key[1] for key in keys]
        session.execute(_OPEN, {"tenant": tenant_id, "variants": variants, "locations": locations})


def _parameters(
    tenant_id: str, totals: dict[tuple[str, str], tuple[int, int]], moves: Sequence[Move]
) -> dict[str, object]:
    return {
        "tenant": tenant_id,
        "variants": [variant for variant, _ in totals],
        "locations": [location for _, location in totals],
        "on_hand": [on_hand for on_hand, _ in totals.values()],
        "reserved": [reserved for _, reserved in totals.values()],
        "m_variants": [move.variant_id for move in moves],
        "m_locations": [move.location_id for move in moves],
        "m_kinds": [move.kind.value for move in moves],
        "m_on_hand": [move.on_hand for move in moves],
        "m_reserved": [move.reserved for move in moves],
        "m_subjects": [move.subject for move in moves],
        "m_reasons": [move.reason for move in moves],
    }
