"""What people buy together: counted over the newest orders of an item, never told of fewer than two buyers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

_NEWEST: Final = 500
"""Lines of the item that are looked at."""
_FEWEST: Final = 2
"""Buyers: what one person bought is theirs alone."""
_TOGETHER: Final = text("""
SELECT b.product_id FROM (
  SELECT l.order_id FROM app.order_lines l WHERE l.tenant_id = :tenant AND l.product_id = :product
  ORDER BY l.order_id DESC LIMIT :newest) AS a
JOIN app.orders o ON o.tenant_id = :tenant AND o.id = a.order_id AND o.placed_at IS NOT NULL AND o.origin IS NULL
JOIN app.order_lines b ON b.tenant_id = :tenant AND b.order_id = a.order_id AND b.product_id <> :product
GROUP BY b.product_id HAVING count(DISTINCT coalesce(o.email_key, o.owner_id)) >= :fewest
ORDER BY count(DISTINCT coalesce(o.email_key, o.owner_id)) DESC, b.product_id LIMIT :most
""")
_SOLD: Final = text("""
SELECT l.product_id FROM (
  SELECT o.id FROM app.orders o WHERE o.tenant_id = :tenant AND o.placed_at IS NOT NULL
  ORDER BY o.placed_at DESC, o.id DESC LIMIT :newest) AS a
JOIN app.order_lines l ON l.tenant_id = :tenant AND l.order_id = a.id
JOIN app.products p ON p.tenant_id = :tenant AND p.id = l.product_id
  AND (cast(:categories AS text[]) IS NULL OR p.category = ANY(:categories))
GROUP BY l.product_id ORDER BY count(DISTINCT l.order_id) DESC, l.product_id LIMIT :most
""")


def bought_with(session: Session, tenant_id: str, product_id: str, *, most: int) -> list[str]:
    """Products that others bought with this one, the most often first."""
    given = {"tenant": tenant_id, "product": product_id, "newest": _NEWEST, "fewest": _FEWEST, "most": most}
    return list(session.scalars(_TOGETHER, given))


def sold_lately(session: Session, tenant_id: str, categories: Sequence[str] | None, *, most: int) -> list[str]:
    """Products of these categories (``None``: of all) in the newest orders, the most often bought first."""
    given = {
        "tenant": tenant_id,
        "categories": None if categories is None else list(categories),
        "newest": _NEWEST,
        "most": most,
    }
    return list(session.scalars(_SOLD, given))
