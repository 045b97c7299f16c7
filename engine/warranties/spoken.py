"""Which units of an order are spoken for by warranties: returns leave them alone, so that none is paid back twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from engine.kit.direct import Row, Statement
from engine.kit.gathering import ask
from engine.orders.shares import NOTHING, Worth

SPOKEN: Final = Statement("""
SELECT w.order_line_id, nullif(w.variant_id, l.variant_id) AS part,
  count(*) FILTER (WHERE w.status = 'refunded') AS refunded,
  count(*) FILTER (WHERE w.status <> 'refunded') AS gone,
  coalesce(sum(c.amount), 0)::bigint AS amount, coalesce(sum(c.tax), 0)::bigint AS tax
FROM app.warranties w JOIN app.order_lines l ON l.tenant_id = w.tenant_id AND l.id = w.order_line_id
LEFT JOIN LATERAL (SELECT sum(k.amount) AS amount, sum(k.tax) AS tax FROM app.warranty_claims k
  JOIN app.warranties v ON v.tenant_id = k.tenant_id AND v.id = k.warranty_id
  WHERE k.tenant_id = w.tenant_id AND v.root_id = w.id AND k.status IN ('refunded', 'closed')
    AND k.resolution = 'refund') c ON w.status = 'refunded'
WHERE w.tenant_id = %(tenant_id)s AND w.order_id = %(order_id)s AND w.root_id = w.id AND w.id IS DISTINCT FROM %(but)s
  AND (w.status IN ('replaced', 'refunded') OR w.status = 'active' AND EXISTS (SELECT FROM app.warranty_claims k
    WHERE k.tenant_id = w.tenant_id AND k.warranty_id = w.id AND k.status IN ('approved', 'repairing')))
GROUP BY 1, 2 ORDER BY 1, 2 NULLS FIRST
""")


@dataclass(frozen=True, slots=True)
class Spoken:
    """Units of one order line, or of one ``part`` of a bundle. ``worth`` is what the refunded ones were given; ``gone``
    are replaced or about to be made good.
    """

    line_id: str
    part: str | None = None
    refunded: int = 0
    gone: int = 0
    worth: Worth = NOTHING


def spoken_for(session: Session, tenant_id: str, order_id: str, *, but: str | None = None) -> list[Spoken]:
    """Units that are no longer there to come back; the root warranty ``but`` is left out."""
    return read(ask(session, SPOKEN, {"tenant_id": tenant_id, "order_id": order_id, "but": but}))


def read(rows: Sequence[Row]) -> list[Spoken]:
    """The same of what ``SPOKEN`` found, where it was asked beside other statements."""
    return [
        Spoken(
            row["order_line_id"],
            row["part"],
            row["refunded"],
            row["gone"],
            Worth(row["amount"] - row["tax"], 0, row["tax"]),
        )
        for row in rows
    ]
