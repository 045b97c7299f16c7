"""Goods that a warehouse counted in, as lines of the purchase that they came for; and on our own shelves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.inventory import inbound
from engine.inventory.inbound import Coming
from engine.inventory.models import Inbound, InboundLine, Location
from engine.kit.tenancy import Tenant
from engine.orders import allocation
from engine.sync import xref
from engine.sync.canonical import Expected, ExpectedLine, Receipt
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System, Xref

INBOUND = "inbound"
"""Internal kind of a link: a delivery to a place of ours."""
RECEIPT = "receipt"
"""Kind of a link: what a warehouse counted in, by its number there."""
ACTOR = "workflow:dclPoReceipt"
_TAKEN_BACK = "reversed"
"""Version of the link of a receipt that was none."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Line of the purchase → units that came. ``over`` are those of them that are more than was to come."""

    lines: dict[int, int]
    over: dict[int, int]

    def capped(self) -> dict[int, int]:
        """Without what is more."""
        left = {line: units - self.over.get(line, 0) for line, units in self.lines.items()}
        return {line: units for line, units in left.items() if units > 0}


def count(expected: Expected, receipt: Receipt) -> Counted:
    """A line that the warehouse names and that holds this SKU takes it; else the SKU's lines in their order, the last
    of them whatever is more. Raises ``Rejected`` for a SKU that nobody ordered.
    """
    found: dict[int, int] = {}
    strange = []
    for row in receipt.lines:
        mine = [one for one in expected.lines if one.sku == row.sku]
        named = [one for one in mine if one.line == row.line]
        if not mine:
            strange.append(FieldFault(f"lines.{row.sku}", f"{row.quantity} came, and none were ordered"))
        elif row.quantity:
            _take(found, named or mine, row.quantity)
    if strange:
        raise Rejected("Goods came that the purchase does not have.", fields=strange)
    left = {one.line: max(0, one.quantity - one.received) for one in expected.lines}
    over = {line: units - left[line] for line, units in found.items() if units > left[line]}
    return Counted(found, over)


def _take(found: dict[int, int], lines: Sequence[ExpectedLine], units: int) -> None:
    for one in lines[:-1]:
        taken = min(units, max(0, one.quantity - one.received - found.get(one.line, 0)))
        if taken:
            found[one.line] = found.get(one.line, 0) + taken
            units -= taken
    if units:
        found[lines[-1].line] = found.get(lines[-1].line, 0) + units


@dataclass(frozen=True, slots=True)
class Difference:
    """How a line stands: units above (or, negative, below) what was ordered, and whether that is within tolerance."""

    line: int
    sku: str
    units: int
    tolerated: bool


def differences(expected: Expected, lines: Sequence[int], percent: int) -> list[Difference]:
    """Lines of a receipt that did not come as ordered."""
    found = []
    for one in expected.lines:
        units = one.received - one.quantity
        if one.line in lines and units and not one.closed:
            found.append(Difference(one.line, one.sku, units, abs(units) <= one.quantity * percent // 100))
    return found


def put_on_shelf(
    session: Session,
    tenant_id: str,
    *,
    account: str,
    receipt: Receipt,
    code: str,
    units: Mapping[str, int],
    costs: Mapping[str, int],
) -> dict[str, Any]:
    """Raise our own stock at a place by what came, at what it was bought for, once for each receipt; goods that this
    shop does not have are left out and named. Whoever waits for them gets them.
    """
    if (known := _linked(session, tenant_id, account, receipt.ref)) is not None:
        return {"inbound": known.internal_id, "units": _received(session, tenant_id, known.internal_id)}
    place = session.scalar(select(Location.id).where(Location.tenant_id == tenant_id, Location.code == code))
    if place is None:
        raise Rejected("This shop has no such place.", fields=[FieldFault("location", f"{code[:40]} is no location")])
    items = _items(session, tenant_id, units)
    unknown = sorted(set(units) - set(items))
    coming = [Coming(items[sku], units[sku], costs.get(sku)) for sku in sorted(items)]
    if not coming:
        return {"inbound": "", "units": {}, "unknown": unknown}
    variants = {one.variant_id: one.quantity for one in coming}
    with allocation.arriving(session, tenant_id, variants):
        made = inbound.expect_purchase(
            session, tenant_id, actor=ACTOR, location_id=place, lines=coming, reference=receipt.ref[:80]
        )
        inbound.receive_inbound(session, tenant_id, actor=ACTOR, inbound_id=made.id, received=variants)
    _link(session, tenant_id, account, receipt.ref, made.id)
    return {"inbound": made.id, "units": {sku: units[sku] for sku in sorted(items)}, "unknown": unknown}


def on_shelf(session: Session, tenant_id: str, *, account: str, ref: str) -> str:
    """Code of the place of ours where a receipt was put; nothing where it was not, or was taken back."""
    known = _linked(session, tenant_id, account, ref)
    if known is None or known.version == _TAKEN_BACK:
        return ""
    place = session.get_one(Inbound, (tenant_id, known.internal_id)).location_id
    return session.get_one(Location, (tenant_id, place)).code


def take_off_shelf(session: Session, tenant_id: str, *, account: str, ref: str) -> dict[str, int]:
    """A receipt was none: what it raised leaves where it was put, and what it posted is reversed, once; SKU → units,
    below 0. Raises ``BelowReserved`` where some of it is promised.
    """
    known = _linked(session, tenant_id, account, ref)
    if known is None or known.version == _TAKEN_BACK:
        return {}
    reason = f"Receipt {ref[:60]} was taken back"
    units = inbound.take_back(session, tenant_id, actor=ACTOR, inbound_id=known.internal_id, reason=reason)
    _link(session, tenant_id, account, ref, known.internal_id, version=_TAKEN_BACK)
    names = select(Variant.id, Variant.sku).where(Variant.tenant_id == tenant_id, Variant.id.in_(units))
    return {sku: units[variant_id] for variant_id, sku in session.execute(names.order_by(Variant.sku))}


def costs_of(expected: Expected, currency: str) -> dict[str, int]:
    """SKU → what a unit is bought for, where the purchase is in the shop's own currency."""
    if expected.currency != currency:
        return {}
    return {one.sku: one.unit_cost for one in expected.lines if one.unit_cost is not None and one.unit_cost >= 0}


def currency_of(session: Session, tenant_id: str) -> str:
    return session.get_one(Tenant, tenant_id).currency


def _items(session: Session, tenant_id: str, skus: Mapping[str, int]) -> dict[str, str]:
    query = select(Variant.sku, Variant.id).where(Variant.tenant_id == tenant_id, Variant.sku.in_(list(skus)))
    return {sku: item for sku, item in session.execute(query)}  # noqa: C416 (untyped rows)


def _received(session: Session, tenant_id: str, inbound_id: str) -> dict[str, int]:
    query = (
        select(Variant.sku, InboundLine.received)
        .join(InboundLine, (Variant.tenant_id == InboundLine.tenant_id) & (Variant.id == InboundLine.variant_id))
        .where(InboundLine.tenant_id == tenant_id, InboundLine.inbound_id == inbound_id)
    )
    return {sku: received for sku, received in session.execute(query.order_by(Variant.sku))}  # noqa: C416 (untyped rows)


def _linked(session: Session, tenant_id: str, account: str, ref: str) -> Xref | None:
    return xref.find(session, tenant_id=tenant_id, system=System.DCL, account=account, kind=RECEIPT, external_id=ref)


def _link(session: Session, tenant_id: str, account: str, ref: str, inbound_id: str, *, version: str = "") -> None:
    xref.link(
        session,
        tenant_id=tenant_id,
        system=System.DCL,
        account=account,
        kind=RECEIPT,
        external_id=ref,
        internal_kind=INBOUND,
        internal_id=inbound_id,
        version=version,
    )
