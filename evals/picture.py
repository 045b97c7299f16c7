"""What a shop's database says, as a flat picture: path → value. Two pictures make a difference that can be read.

Rows are called by names a person knows: SKU, place, order and its name in the scenario; what is new is ``new``,
``new2``, … in the order it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals.models import Approval
from engine.carts.models import Cart, CartLine
from engine.catalog.models import Variant
from engine.checkout.models import Consent
from engine.conversations.models import Thread
from engine.customers.models import Customer, Shopper
from engine.inventory.models import Location, StockLevel
from engine.orders.models import Order, OrderChange, OrderLine
from engine.payments.models import Capture, Refund
from engine.payments.stored_value_models import StoredValueAccount
from engine.returns.models import Return, ReturnLine
from engine.support.models import Case
from engine.warranties.models import Claim, Warranty

Picture = dict[str, Any]
GUARDED: Final = ("orders", "stock", "stored_value", "returns", "claims", "approvals")
"""Money and goods: whatever changes there has to be expected."""
_MOVED: Final = ("ordered", "canceled", "shipped", "delivered", "returned")


class Names:
    """Ids of rows and what they are called; new ones get the next name of their kind."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)
        self._new: dict[str, int] = {}

    def of(self, row_id: str | None, kind: str) -> str:
        if row_id is None:
            return "nobody"
        if row_id not in self._known:
            self._new[kind] = self._new.get(kind, 0) + 1
            self._known[row_id] = "new" if self._new[kind] == 1 else f"new{self._new[kind]}"
        return self._known[row_id]


def take(session: Session, tenant_id: str, names: Names, *, thread_id: str | None = None) -> Picture:
    """The picture of a tenant at this moment."""
    picture: Picture = {}
    for part in (
        _stock,
        _orders,
        _carts,
        _consents,
        _changes,
        _returns,
        _claims,
        _approvals,
        _stored_value,
        _cases,
        _people,
    ):
        picture |= part(session, tenant_id, names)
    if thread_id:
        thread = session.get_one(Thread, (tenant_id, thread_id))
        picture["thread.mode"] = str(thread.mode)
        picture["thread.agent"] = thread.active_agent
    return picture


def differences(before: Picture, after: Picture) -> dict[str, tuple[Any, Any]]:
    """Path → what was and what is, where that is not the same. What is not there is ``None``."""
    paths = sorted(before.keys() | after.keys())
    return {path: (before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)}


def _rows(session: Session, model: type[Any], tenant_id: str, order: Any) -> Iterable[Any]:
    query = select(model).where(model.tenant_id == tenant_id).order_by(order)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _skus(session: Session, tenant_id: str) -> dict[str, str]:
    return dict(session.execute(select(Variant.id, Variant.sku).where(Variant.tenant_id == tenant_id)).all())


def _stock(session: Session, tenant_id: str, _names: Names) -> Picture:
    rows = session.execute(
        select(Variant.sku, Location.code, StockLevel.on_hand, StockLevel.reserved)
        .join(Variant, (Variant.tenant_id == StockLevel.tenant_id) & (Variant.id == StockLevel.variant_id))
        .join(Location, (Location.tenant_id == StockLevel.tenant_id) & (Location.id == StockLevel.location_id))
        .where(StockLevel.tenant_id == tenant_id)
    )
    return {
        f"stock.{sku}.{code}.{name}": value
        for sku, code, on_hand, reserved in rows
        for name, value in (("on_hand", on_hand), ("reserved", reserved))
    }


def _orders(session: Session, tenant_id: str, names: Names) -> Picture:
    """Orders that were placed: a purchase that failed leaves one that nobody sees."""
    found: Picture = {}
    rows = [one for one in _rows(session, Order, tenant_id, Order.id) if one.placed_at is not None]
    paths = {order.id: f"orders.{names.of(order.id, 'order')}" for order in rows}
    for order in rows:
        path = paths[order.id]
        found |= {
            f"{path}.status": str(order.status),
            f"{path}.total": order.total,
            f"{path}.ship_to": _address(order.ship_to),
        }
    for line in _rows(session, OrderLine, tenant_id, OrderLine.position):
        for what in _MOVED:
            if line.order_id in paths and (units := getattr(line, what)):
                key = f"{paths[line.order_id]}.lines.{line.sku}.{what}"
                found[key] = found.get(key, 0) + units
    _add_money(session, tenant_id, paths, found)
    return found


def _add_money(session: Session, tenant_id: str, paths: Mapping[str, str], found: Picture) -> None:
    moved: tuple[tuple[type[Any], str], ...] = ((Capture, "paid"), (Refund, "refunded"))
    for model, what in moved:
        for row in _rows(session, model, tenant_id, model.id):
            if row.order_id in paths and row.status != "failed":
                key = f"{paths[row.order_id]}.{what}"
                found[key] = found.get(key, 0) + row.amount


def _address(ship_to: Mapping[str, Any] | None) -> str | None:
    if not ship_to:
        return None
    parts = ("name", "line_one", "line_two", "city", "state", "postal_code", "country")
    return ", ".join(str(ship_to[part]) for part in parts if ship_to.get(part))


def _carts(session: Session, tenant_id: str, names: Names) -> Picture:
    rows = session.execute(
        select(Cart.owner_id, Cart.discount_codes, Variant.sku, CartLine.quantity)
        .outerjoin(CartLine, (CartLine.tenant_id == Cart.tenant_id) & (CartLine.cart_id == Cart.id))
        .outerjoin(Variant, (Variant.tenant_id == CartLine.tenant_id) & (Variant.id == CartLine.variant_id))
        .where(Cart.tenant_id == tenant_id, Cart.status == "open")
    )
    found: Picture = {}
    for owner, codes, sku, quantity in rows:
        path = f"carts.{names.of(owner, 'person')}"
        if sku:
            found[f"{path}.{sku}"] = quantity
        if codes:
            found[f"{path}.codes"] = ", ".join(codes)
    return found


def _consents(session: Session, tenant_id: str, _names: Names) -> Picture:
    """How many cards of each kind ended how."""
    found: Picture = {}
    for row in _rows(session, Consent, tenant_id, Consent.id):
        path = f"consents.{row.kind}.{row.status}"
        found[path] = found.get(path, 0) + 1
    return found


def _changes(session: Session, tenant_id: str, names: Names) -> Picture:
    found: Picture = {}
    for row in _rows(session, OrderChange, tenant_id, OrderChange.id):
        path = f"changes.{names.of(row.id, 'change')}"
        found |= {
            f"{path}.kind": str(row.kind),
            f"{path}.status": str(row.status),
            f"{path}.order": names.of(row.order_id, "order"),
            f"{path}.reason": row.reason,
        }
    return found


def _returns(session: Session, tenant_id: str, names: Names) -> Picture:
    found: Picture = {}
    for row in _rows(session, Return, tenant_id, Return.id):
        path = f"returns.{names.of(row.id, 'return')}"
        found |= {
            f"{path}.order": names.of(row.order_id, "order"),
            f"{path}.kind": str(row.kind),
            f"{path}.status": str(row.status),
            f"{path}.refund": row.refund,
            f"{path}.refund_to": row.refund_to,
        }
    lines = select(ReturnLine, OrderLine.sku).join(
        OrderLine, (OrderLine.tenant_id == ReturnLine.tenant_id) & (OrderLine.id == ReturnLine.order_line_id)
    )
    for line, sku in session.execute(lines.where(ReturnLine.tenant_id == tenant_id)):
        path = f"returns.{names.of(line.return_id, 'return')}.lines.{sku}"
        found |= {f"{path}.quantity": line.quantity, f"{path}.reason": line.reason}
    return found


def _claims(session: Session, tenant_id: str, names: Names) -> Picture:
    found: Picture = {}
    units = dict(session.execute(select(Warranty.id, Warranty.sku).where(Warranty.tenant_id == tenant_id)).all())
    for row in _rows(session, Claim, tenant_id, Claim.id):
        path = f"claims.{names.of(row.id, 'claim')}"
        found |= {
            f"{path}.of": units.get(row.warranty_id),
            f"{path}.status": str(row.status),
            f"{path}.symptom": row.symptom,
            f"{path}.resolution": str(row.resolution) if row.resolution else None,
        }
    return found


def _approvals(session: Session, tenant_id: str, names: Names) -> Picture:
    found: Picture = {}
    for row in _rows(session, Approval, tenant_id, Approval.id):
        path = f"approvals.{names.of(row.id, 'approval')}"
        found |= {f"{path}.kind": str(row.kind), f"{path}.status": str(row.status), f"{path}.amount": row.amount}
    return found


def _stored_value(session: Session, tenant_id: str, names: Names) -> Picture:
    found: Picture = {}
    for row in _rows(session, StoredValueAccount, tenant_id, StoredValueAccount.id):
        path = f"stored_value.{names.of(row.id, 'account')}"
        found |= {f"{path}.kind": str(row.kind), f"{path}.balance": row.balance}
    return found


def _cases(session: Session, tenant_id: str, names: Names) -> Picture:
    found: Picture = {}
    for row in _rows(session, Case, tenant_id, Case.id):
        path = f"cases.{names.of(row.id, 'case')}"
        found |= {
            f"{path}.reason": row.reason,
            f"{path}.status": str(row.status),
            f"{path}.order": names.of(row.order_id, "order") if row.order_id else None,
        }
    return found


def _people(session: Session, tenant_id: str, names: Names) -> Picture:
    """Who is signed in as whom, of those the scenario knows."""
    rows = session.execute(
        select(Shopper.id, Customer.email)
        .join(Customer, (Customer.tenant_id == Shopper.tenant_id) & (Customer.id == Shopper.customer_id))
        .where(Shopper.tenant_id == tenant_id)
    )
    return {f"people.{names.of(one, 'person')}.is": email for one, email in rows}
