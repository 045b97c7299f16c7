"""Orders as staff look for them: by number, e-mail, name and state, newest first."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import false, or_, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor
from engine.kit.views import Price
from engine.orders.filters import OrderFilter, narrow, placed
from engine.orders.models import Order, OrderWord
from engine.orders.queries import Parts, parts_of
from engine.orders.status import fulfillment_status, payment_status
from engine.panel.schemas import StaffOrderRow

LONGEST: Final = 40
TERMS: Final = 4
"""How many words of what is looked for count."""
_BETWEEN: Final = re.compile(r"""[\s.,;:'\u2019"()/_-]+""")


def orders(
    session: Session, tenant_id: str, *, wanted: OrderFilter, limit: int, cursor: str | None
) -> Page[StaffOrderRow]:
    """``wanted.q`` is a whole number or e-mail address, or beginnings of words of a name. Raises ``InvalidInput``."""
    said = (wanted.q or "").strip()
    query = placed(tenant_id)
    if said and "@" not in said and not any(letter.isdigit() for letter in said):
        query = query.where(*named(tenant_id, said))
        wanted = replace(wanted, q=None)
    query = narrow(query, wanted)
    if cursor:
        moment, last_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(Order.placed_at, Order.id) < (cursor_moment(moment), str(last_id)))
    found = session.scalars(query.order_by(Order.placed_at.desc(), Order.id.desc()).limit(limit + 1)).all()
    shown = found[:limit]
    parts = parts_of(session, tenant_id, [order.id for order in shown])
    more = encode_cursor([_placed(shown[-1]).isoformat(), shown[-1].id]) if len(found) > limit else None
    return Page([row(order, parts[order.id]) for order in shown], more)


def named(tenant_id: str, said: str) -> list[ColumnElement[bool]]:
    """The condition of every word of ``said``: a word of the buyer's name begins with it. None has none."""
    terms = [term[:LONGEST] for term in _BETWEEN.split(_fold(said)) if term][:TERMS]
    return [_has_word(tenant_id, term) for term in terms] or [false()]


def _has_word(tenant_id: str, term: str) -> ColumnElement[bool]:
    begins = (OrderWord.word >= term, OrderWord.word < term + "\U0010ffff")
    return Order.id.in_(select(OrderWord.order_id).where(OrderWord.tenant_id == tenant_id, *begins))


def _fold(name: str) -> str:
    """As the database writes the words of a name (``app.name_words``)."""
    apart = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in apart if not "\u0300" <= letter <= "\u036f").lower()


def of_buyer(session: Session, tenant_id: str, *, shopper_ids: Sequence[str], customer_id: str | None) -> list[Order]:
    """The buyer's newest twenty."""
    theirs: list[ColumnElement[bool]] = [Order.owner_id.in_(shopper_ids)]
    if customer_id is not None:
        theirs.append(Order.customer_id == customer_id)
    query = placed(tenant_id).where(or_(*theirs)).order_by(Order.placed_at.desc(), Order.id.desc()).limit(20)
    return list(session.scalars(query))


def numbers_of(session: Session, tenant_id: str, order_ids: Sequence[str]) -> dict[str, Order]:
    query = select(Order).where(Order.tenant_id == tenant_id, Order.id.in_(order_ids))
    return {order.id: order for order in session.scalars(query)}


def row(order: Order, parts: Parts) -> StaffOrderRow:
    money = parts.money(order)
    return StaffOrderRow(
        id=order.id,
        number=order.number,
        name=buyer_name(order),
        email=str(order.buyer.get("email") or ""),
        customer_id=order.customer_id,
        shopper_id=order.owner_id,
        status=order.status,
        payment_status=payment_status(money),
        fulfillment_status=fulfillment_status(parts.lines),
        total=Price(amount=order.total, currency=order.currency),
        refunded=Price(amount=money.refunded, currency=order.currency),
        units=sum(line.ordered - line.canceled for line in parts.lines),
        first_title=parts.lines[0].title if parts.lines else "",
        origin=str((order.origin or {}).get("kind", "")),
        placed_at=_placed(order),
    )


def buyer_name(order: Order) -> str:
    """As it was written at the sale."""
    parts = ("name",) if order.buyer.get("name") else ("first_name", "last_name")
    written = " ".join(str(order.buyer.get(part) or "") for part in parts).strip()
    return written or str((order.ship_to or {}).get("name") or "")


def _placed(order: Order) -> datetime:
    assert order.placed_at is not None
    return order.placed_at
