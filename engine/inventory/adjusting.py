"""Changing stock by hand: write on or off with a reason, set the safety stock, put units aside for a while."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.catalog.shop_file import StockPolicy
from engine.inventory import adjust_limits, levels
from engine.inventory.availability import shippable
from engine.inventory.books import costs_of, post_adjustment
from engine.inventory.errors import BelowReserved, NotStocked
from engine.inventory.items import Allocation
from engine.inventory.levels import Move
from engine.inventory.models import (
    BundleComponent,
    Location,
    MovementKind,
    Reservation,
    ReservationStatus,
    StockLevel,
)
from engine.inventory.policy import InventoryPolicy
from engine.inventory.reservations import moves
from engine.inventory.routing import route
from engine.inventory.taking import Taking, reserve
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import echo, new_id
from engine.kit.policies import policy_of


def adjust(
    session: Session,
    tenant_id: str,
    *,
    actor: str,
    variant_id: str,
    location_id: str,
    delta: int,
    reason: str,
    approved: str | None = None,
) -> str:
    """Write ``delta`` units on or off, at cost. Returns the movement's subject (``mov_…``).

    Raises ``NeedsCount`` above what one person may in a day (``approved`` names the approval that lifts it),
    ``BelowReserved``, ``NotStocked``, ``NotFound``.
    """
    if not delta or not reason.strip():
        raise InvalidInput("An adjustment has a number other than 0 and a reason.", param="delta")
    known_place(session, tenant_id, location_id)
    known_stocked(session, tenant_id, [variant_id])
    cost = delta * costs_of(session, tenant_id, [variant_id])[variant_id]
    subject = new_id("movement")
    level = (StockLevel.variant_id == variant_id) & (StockLevel.location_id == location_id)
    session.execute(select(StockLevel.on_hand).where(StockLevel.tenant_id == tenant_id, level).with_for_update())
    adjust_limits.claim(
        session, tenant_id, actor=actor, subject=subject, units=abs(delta), value=abs(cost), approved=approved
    )
    move = Move(variant_id, location_id, MovementKind.ADJUST, subject, on_hand=delta, reason=reason.strip())
    if short := levels.change(session, tenant_id, [move]):
        raise BelowReserved(f"{short[0].reserved} of the {short[0].on_hand} units there are promised.")
    post_adjustment(session, tenant_id, subject=subject, cost=cost)
    facts = {"variant": variant_id, "location": location_id, "delta": delta, "reason": reason.strip()}
    facts |= {"approved": approved} if approved else {}
    audit.record(session, tenant_id, actor=actor, action="stock.adjusted", subject=subject, facts=facts)
    return subject


def set_level(
    session: Session,
    tenant_id: str,
    *,
    actor: str,
    variant_id: str,
    location_id: str,
    safety_stock: int,
    low_stock_at: int | None,
) -> None:
    """How a level is watched. Raises ``NotStocked``, ``NotFound``."""
    known_place(session, tenant_id, location_id)
    known_stocked(session, tenant_id, [variant_id])
    values = {"safety_stock": safety_stock, "low_stock_at": low_stock_at}
    row = {"tenant_id": tenant_id, "variant_id": variant_id, "location_id": location_id, "on_hand": 0, "reserved": 0}
    key = ["tenant_id", "variant_id", "location_id"]
    session.execute(insert(StockLevel).values(row | values).on_conflict_do_update(index_elements=key, set_=values))
    facts = {"location": location_id} | values
    audit.record(session, tenant_id, actor=actor, action="stock.level_set", subject=variant_id, facts=facts)


def put_aside(
    session: Session, tenant_id: str, *, actor: str, variant_id: str, quantity: int, minutes: int | None = None
) -> list[Allocation]:
    """Hold units by hand for a while; they come free by themselves. Raises ``OutOfStock``."""
    lasts = policy_of(session, tenant_id, InventoryPolicy).reservation_minutes if minutes is None else minutes
    stock = shippable(session, tenant_id, [variant_id])
    allocations = route({variant_id: quantity}, stock, region="")
    reserve(
        session,
        tenant_id,
        [Taking(None, one) for one in allocations],
        status=ReservationStatus.HELD,
        subject=actor,
        expires_at=clock.now() + timedelta(minutes=lasts),
    )
    return allocations


def expire_reservations(session: Session, tenant_id: str, *, limit: int = 200) -> int:
    """Free the holds by hand whose time is over; returns how many. A payment's hold never ends like that."""
    rows = session.scalars(
        select(Reservation)
        .where(
            Reservation.tenant_id == tenant_id,
            Reservation.status == ReservationStatus.HELD,
            Reservation.payment_id.is_(None),
            Reservation.expires_at <= clock.now(),
        )
        .order_by(Reservation.variant_id, Reservation.location_id, Reservation.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return 0
    ids = [row.id for row in rows]
    session.execute(
        update(Reservation)
        .where(Reservation.tenant_id == tenant_id, Reservation.id.in_(ids))
        .values(status=ReservationStatus.RELEASED)
    )
    levels.change(session, tenant_id, moves(rows, MovementKind.RELEASE, "expired", reserved=-1))
    return len(rows)


def known_place(session: Session, tenant_id: str, location_id: str) -> Location:
    """The location. Raises ``NotFound``."""
    place = session.get(Location, (tenant_id, location_id))
    if place is None:
        raise NotFound("This shop has no such location.")
    return place


def known_stocked(session: Session, tenant_id: str, variant_ids: Collection[str]) -> None:
    """Raises ``NotFound`` for an item the shop does not have, ``NotStocked`` for one without stock of its own."""
    is_bundle = (
        select(BundleComponent.bundle_variant_id)
        .where(BundleComponent.tenant_id == Variant.tenant_id, BundleComponent.bundle_variant_id == Variant.id)
        .correlate(Variant)
        .exists()
    )
    rows = session.execute(
        select(Variant.id, Variant.sku, Variant.stock_policy, is_bundle, Variant.digital.is_not(None)).where(
            Variant.tenant_id == tenant_id, Variant.id.in_(variant_ids)
        )
    ).all()
    if missing := set(variant_ids) - {row.id for row in rows}:
        raise NotFound(f"This shop has no item {echo(min(missing), 'of that id')}.")
    for _, sku, policy, bundled, digital in rows:
        if digital:
            raise NotStocked(f"{sku} lies on no shelf: bring codes, or take some out.")
        if bundled or policy == StockPolicy.UNTRACKED:
            raise NotStocked(f"{sku} has no stock of its own: it is a bundle or not counted.")
