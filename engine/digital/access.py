"""What a buyer was given, opened again for them: the address, the codes, and whether it is still good."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.digital.codes import code_context
from engine.digital.models import CodeStatus, DigitalCode, DigitalDelivery
from engine.kit import audit, clock, outbox
from engine.kit.envelope import derive, unseal
from engine.kit.errors import Forbidden, InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine
from engine.shipping.digital import Digital

_SIGNATURE: Final = 24
"""Of 64 hexadecimal digits: with the id it fits where an address names things."""


@dataclass(frozen=True, slots=True)
class Access:
    """What comes with units of an order line. Its ``repr`` shows nothing that opens anything."""

    delivery_id: str
    order_line_id: str
    shipment_id: str
    title: str
    quantity: int
    url: str
    codes: tuple[str, ...]
    instructions: str
    expires_at: datetime | None
    revoked_at: datetime | None

    def __repr__(self) -> str:
        return f"Access({self.delivery_id})"


class Granted(View):
    """What a key of ours says to the merchant's own download server."""

    delivery_id: str
    order_id: str
    order_number: str
    sku: str
    quantity: int
    good: bool
    """Neither revoked nor over."""
    expires_at: datetime | None
    revoked_at: datetime | None


def access_key(secret_key: bytes, tenant_id: str, delivery_id: str) -> str:
    """``{access}`` of a template: the delivery's id and a signature that nobody else can make."""
    key = derive(secret_key, f"digital-access:{tenant_id}")
    return f"{delivery_id}-{hmac.new(key, delivery_id.encode(), sha256).hexdigest()[:_SIGNATURE]}"


def url_context(delivery_id: str) -> str:
    """What a sealed address opens with."""
    return f"digital-url|{delivery_id}"


def of_orders(
    session: Session, secret_key: bytes, tenant_id: str, order_ids: Sequence[str]
) -> Mapping[str, list[Access]]:
    """By order, what its buyer was given, oldest first. Only for the buyer's eyes: whose orders they are, the caller
    knows. What was revoked has neither address nor codes any more.
    """
    query = (
        select(DigitalDelivery, OrderLine.title, Variant.digital)
        .join(
            OrderLine,
            (OrderLine.tenant_id == DigitalDelivery.tenant_id) & (OrderLine.id == DigitalDelivery.order_line_id),
        )
        .join(
            Variant,
            (Variant.tenant_id == DigitalDelivery.tenant_id) & (Variant.id == DigitalDelivery.variant_id),
            isouter=True,
        )
        .where(DigitalDelivery.tenant_id == tenant_id, DigitalDelivery.order_id.in_(order_ids))
        .order_by(DigitalDelivery.created_at, DigitalDelivery.id)
    )
    rows = session.execute(query).all()
    codes = _codes(session, secret_key, tenant_id, [row.id for row, _, _ in rows])
    found: dict[str, list[Access]] = defaultdict(list)
    for row, title, terms in rows:
        instructions = Digital.model_validate(terms).instructions if terms else ""
        found[row.order_id].append(_access(secret_key, row, title, instructions, codes.get(row.id, ())))
    return found


def granted(session: Session, secret_key: bytes, tenant_id: str, key: str) -> Granted:
    """What a key opens. Raises ``NotFound`` for one that is not ours."""
    delivery_id = key.partition("-")[0]
    row = session.get(DigitalDelivery, (tenant_id, delivery_id[:40]))
    if row is None or not hmac.compare_digest(access_key(secret_key, tenant_id, row.id), key):
        raise NotFound("There is no such access.")
    order = session.get_one(Order, (tenant_id, row.order_id))
    line = session.get_one(OrderLine, (tenant_id, row.order_line_id))
    over = row.expires_at is not None and row.expires_at <= clock.now()
    good = row.revoked_at is None and not over
    return Granted(
        delivery_id=row.id,
        order_id=order.id,
        order_number=order.number,
        sku=line.sku,
        quantity=row.quantity,
        good=good,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def revoke(session: Session, identity: Identity, delivery_id: str, *, reason: str) -> DigitalDelivery:
    """What was given is not good any more, its codes neither; a second time changes nothing. Money is another matter.

    Raises ``Forbidden``, ``InvalidInput``, ``NotFound``.
    """
    if not identity.is_staff:
        raise Forbidden("Only the shop's people can do that.")
    if not reason.strip():
        raise InvalidInput("Say why.", param="reason")
    order_id = session.scalar(
        select(DigitalDelivery.order_id).where(
            DigitalDelivery.tenant_id == identity.tenant_id, DigitalDelivery.id == delivery_id
        )
    )
    if order_id is None:
        raise NotFound("There is no such delivery.")
    order = orders.lock(session, identity.tenant_id, order_id)
    row = session.get_one(DigitalDelivery, (identity.tenant_id, delivery_id), with_for_update=True)
    if row.revoked_at is not None:
        return row
    row.revoked_at, row.revoke_reason = clock.now(), reason.strip()
    for code in session.scalars(
        select(DigitalCode).where(DigitalCode.tenant_id == row.tenant_id, DigitalCode.delivery_id == row.id)
    ):
        code.status = CodeStatus.REVOKED
    orders.touch(order)
    audit.record(
        session, row.tenant_id, actor=identity.id, action="digital.revoked", subject=row.id, facts={"order": order.id}
    )
    outbox.emit(session, row.tenant_id, "digital.revoked", order.id)
    session.flush()
    return row


def _codes(
    session: Session, secret_key: bytes, tenant_id: str, delivery_ids: Sequence[str]
) -> Mapping[str, tuple[str, ...]]:
    if not delivery_ids:
        return {}
    rows = session.scalars(
        select(DigitalCode)
        .where(DigitalCode.tenant_id == tenant_id, DigitalCode.delivery_id.in_(delivery_ids))
        .order_by(DigitalCode.id)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        code = unseal(secret_key, tenant_id, code_context(row.id), row.code_sealed)
        found[row.delivery_id or ""] = (*found.get(row.delivery_id or "", ()), code)
    return found


def _access(secret_key: bytes, row: DigitalDelivery, title: str, instructions: str, codes: tuple[str, ...]) -> Access:
    good = row.revoked_at is None
    opened = unseal(secret_key, row.tenant_id, url_context(row.id), row.url_sealed) if row.url_sealed and good else ""
    return Access(
        delivery_id=row.id,
        order_line_id=row.order_line_id,
        shipment_id=row.shipment_id,
        title=title,
        quantity=row.quantity,
        url=opened,
        codes=codes if good else (),
        instructions=instructions if good else "",
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
