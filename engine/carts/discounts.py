"""Uses of promotions: claimed by the sale in its own transaction, given back when it came to nothing.

A buyer is known by the session, the verified customer and the e-mail that was typed: each alone is enough to be the one
who has used it before. Who they were, the orders say. An agent's platform buys for many: it is nobody's session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.carts.models import Discount
from engine.carts.policy import PromotionsPolicy
from engine.carts.promotions import Offered
from engine.kit import audit, limits
from engine.kit.direct import Statement
from engine.kit.identity import Identity
from engine.kit.outbox import OutboxRow
from engine.kit.policies import policy_of
from engine.runtime import Runtime

CONSUMER: Final = "promotions"
_TRIES_AN_HOUR: Final = 20
_SHOP_TRIES_AN_HOUR: Final = 2_000
_HOUR: Final = timedelta(hours=1)

_ORDER: Final = """SELECT x.tenant_id, x.id, x.session_id, x.created_at, x.placed_at IS NOT NULL AS placed,
    x.status <> 'canceled' AND x.origin IS NULL AS stands FROM app.orders x WHERE x.tenant_id = {c}.tenant_id"""
ORDERS_OF: Final = f"""(
  {_ORDER} AND x.owner_id = {{c}}.owner_id AND left({{c}}.owner_id, 4) = 'shp_'
  UNION {_ORDER} AND x.customer_id = (SELECT s.customer_id FROM app.shoppers s
    WHERE s.tenant_id = {{c}}.tenant_id AND s.id = {{c}}.owner_id)
  UNION {_ORDER} AND x.email_key = lower(nullif({{c}}.buyer ->> 'email', '')))"""  # noqa: S608 (our own)
"""Orders of whoever buys by the row ``{c}``, which has owner_id and buyer: each way to know them by an index of its
own (one condition of three ways would read every order of the shop).
"""
_USES: Final = f"""SELECT count(*) FROM {ORDERS_OF.format(c="c")} o JOIN app.discount_uses u
    ON u.tenant_id = o.tenant_id AND u.order_id = o.id AND u.discount_id = d.id AND u.given_back_at IS NULL"""  # noqa: S608 (our own)
_RETURNS: Final = f"EXISTS (SELECT FROM {ORDERS_OF.format(c='c')} o WHERE o.placed)"
_MINE: Final = f"""CASE WHEN d.per_customer_limit IS NOT NULL THEN ({_USES}) ELSE 0 END AS by_buyer,
    CASE WHEN d.first_order_only THEN {_RETURNS} ELSE false END AS returning"""
_TIME: Final = "(d.starts_at IS NULL OR d.starts_at <= %(moment)s) AND (d.ends_at IS NULL OR d.ends_at > %(moment)s)"
KNOWN: Final = f"""app.discounts d WHERE d.tenant_id = c.tenant_id
    AND (d.code = ANY(c.discount_codes) OR (d.code IS NULL AND {_TIME}))"""
"""The promotions that have to do with the checkout ``c`` at ``moment``: its codes, and the automatic ones."""
STAMP: Final = """concat_ws('.', d.id, d.code, d.kind, d.percent_off, d.amount_off, d.minimum, d.amounts, d.category,
    d.rules, d.priority, d.stacking, d.first_order_only, d.per_customer_limit, d.starts_at, d.ends_at)"""
"""Its version, but for its uses: those are claimed and so checked by themselves."""
COLUMNS: Final = f"""d.id, d.code, d.title, d.kind, d.percent_off, d.amount_off, d.minimum, d.amounts, d.category,
    d.rules, d.priority, d.stacking, d.first_order_only, d.per_customer_limit, d.usage_limit, d.used, d.starts_at,
    d.ends_at, {_MINE}, {STAMP} AS stamp"""

USE: Final = Statement("""
WITH used AS (
  UPDATE app.discounts SET used = used + 1
  WHERE tenant_id = %(tenant)s AND id = %(discount)s AND (usage_limit IS NULL OR used < usage_limit)
  RETURNING id
), noted AS (
  INSERT INTO app.discount_uses (tenant_id, discount_id, order_id, amount, shipping, currency, used_at)
  SELECT %(tenant)s, id, %(order)s, %(amount)s, %(shipping)s, %(currency)s, %(now)s FROM used
  RETURNING discount_id)
SELECT 1 / count(*) AS whole FROM noted
""")
"""One use by an order, unless somebody else had the last. It also locks the promotion's row until the sale is
committed, so that ``STILL`` sees every use there is."""

STILL: Final = Statement(f"""
SELECT 1 / count(*) AS whole FROM app.discounts d JOIN app.orders c ON c.tenant_id = d.tenant_id AND c.id = %(order)s
WHERE d.tenant_id = %(tenant)s AND d.id = %(discount)s
  AND (d.per_customer_limit IS NULL OR d.per_customer_limit >= ({_USES}))
  AND NOT (d.first_order_only AND {_RETURNS})
""")  # noqa: S608 (our own)
"""With this one, the buyer has used it no more often than allowed, and has not ordered before where that matters."""

_FREE: Final = text("""
WITH freed AS (
  UPDATE app.discount_uses SET given_back_at = now()
  WHERE tenant_id = :tenant AND order_id = :order AND given_back_at IS NULL RETURNING discount_id)
UPDATE app.discounts d SET used = used - 1 FROM freed WHERE d.tenant_id = :tenant AND d.id = freed.discount_id
RETURNING d.id
""")
_LOCK: Final = text("""
SELECT d.id FROM app.discounts d JOIN app.discount_uses u ON u.tenant_id = d.tenant_id AND u.discount_id = d.id
WHERE u.tenant_id = :tenant AND u.order_id = :order ORDER BY d.id FOR UPDATE OF d
""")


def give_back(session: Session, tenant_id: str, order_id: str) -> list[str]:
    """The order's uses are free again; the ids of the promotions. A second time does nothing."""
    key = {"tenant": tenant_id, "order": order_id}
    session.flush()
    session.execute(_LOCK, key)
    return sorted(session.scalars(_FREE, key))


def hear(session: Session, row: OutboxRow) -> None:
    """The outbox consumer ``promotions``: an order that was canceled as a whole gives its uses back, if the shop
    wishes so.
    """
    if not policy_of(session, row.tenant_id, PromotionsPolicy).give_back_on_cancel:
        return
    if freed := give_back(session, row.tenant_id, row.subject_id):
        action, facts = "discount.given_back", {"discounts": freed}
        audit.record(session, row.tenant_id, actor="system", action=action, subject=row.subject_id, facts=facts)


def count_agents_try(session: Session, session_id: str) -> None:
    """Count a code that an agent tries in a checkout, in the transaction of the try. Raises ``RateLimited``."""
    limits.hit(session, f"promotion-code:{session_id}", limit=_TRIES_AN_HOUR, window=_HOUR)


def check_agent(session: Session, caller_id: str, *, most: int) -> None:
    """An agent's platform buys for many, so that what counts are its misses (``count_misses``): beyond ``most`` in an
    hour none of its codes is looked at, good or bad. Raises ``RateLimited``.
    """
    limits.check(session, f"promotion-misses:{caller_id}", limit=most, window=_HOUR)


def count_misses(session: Session, caller_id: str, misses: int) -> None:
    """Count codes that told a platform what it could not know: that there is no such one, or who has bought before."""
    if misses:
        limits.add(session, f"promotion-misses:{caller_id}", misses, window=_HOUR)


def count_try(runtime: Runtime, identity: Identity) -> None:
    """Count a code that is tried, good or bad, so that nobody guesses: for the identity, and for the whole shop.

    Raises ``RateLimited``.
    """
    who = hashlib.sha256(f"{identity.tenant_id}|{identity.id}".encode()).hexdigest()
    with runtime.store.without_tenant() as session:
        limits.hit(session, f"promotion-code:{who}", limit=_TRIES_AN_HOUR, window=_HOUR)
        limits.hit(session, f"promotion-codes:{identity.tenant_id}", limit=_SHOP_TRIES_AN_HOUR, window=_HOUR)


def offered_to(session: Session, identity: Identity, email: str | None, codes: Sequence[str]) -> list[Offered]:
    """These codes as the identity may use them, before there is a checkout."""
    if not codes:
        return []
    values: dict[str, Any] = {"tenant": identity.tenant_id, "owner": identity.id, "codes": list(codes)}
    found = session.execute(_TO, values | {"email": email or ""}).all()
    rows = session.scalars(
        select(Discount).where(Discount.tenant_id == identity.tenant_id, Discount.code.in_(list(codes)))
    )
    mine = {one.id: one for one in found}
    return [Offered(row, mine[row.id].by_buyer, mine[row.id].returning) for row in rows]


_TO: Final = text(f"""
SELECT d.id, {_MINE} FROM app.discounts d CROSS JOIN (
  SELECT CAST(:tenant AS text) AS tenant_id, CAST(:owner AS text) AS owner_id,
    jsonb_build_object('email', CAST(:email AS text)) AS buyer) AS c
WHERE d.tenant_id = c.tenant_id AND d.code = ANY(:codes)
""")  # noqa: S608 (our own)
