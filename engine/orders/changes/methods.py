"""The ways to pay that somebody has, for the charge of a change."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from sqlalchemy.orm import Session

from engine.checkout import service as checkout
from engine.checkout.models import CheckoutSession
from engine.customers.models import PaymentMethod
from engine.kit.errors import InvalidInput
from engine.kit.gathering import Rows, fetch
from engine.kit.identity import Identity
from engine.kit.ids import is_id
from engine.orders.changes.effect import Effect, Method
from engine.orders.errors import InsufficientBalance, MethodNotOwned
from engine.orders.models import Order, OrderChange
from engine.payments import stored_value
from engine.payments.models import Payment
from engine.payments.naming import account_label, method_label
from engine.payments.stored_value_models import StoredValueAccount

W = TypeVar("W", PaymentMethod, StoredValueAccount)
_NAMED: Final = "r.tenant_id = %(tenant)s AND r.id = %(id)s"
_METHOD: Final = Rows(PaymentMethod, _NAMED)
_ACCOUNT: Final = Rows(StoredValueAccount, _NAMED)


def payer(identity: Identity, order: Order) -> Identity:
    """Whose methods pay: the shopper's own, or for staff those of whoever bought."""
    if not identity.is_staff:
        return identity
    return Identity(order.tenant_id, identity.actor, order.owner_id, customer_id=order.customer_id)


def choose(session: Session, identity: Identity, order: Order, ref: str | None, *, amount: int) -> Method:
    """The method to charge ``amount``: the one named, or without a name the first of the payer's.

    Raises ``MethodNotOwned``, ``InsufficientBalance``.
    """
    who = payer(identity, order)
    if ref is None:
        known = checkout.payment_methods(session, who)
        if not known:
            raise MethodNotOwned("Say which way to pay the difference; none is stored.")
        ref = known[0].ref
    if is_id(ref, "stored_value"):
        return _account(session, identity, order, ref, amount)
    if is_id(ref, "payment_method"):
        return _stored(saved(session, identity, order, ref))
    try:
        found = checkout.method_of(session, who, ref)
    except InvalidInput:
        raise MethodNotOwned("That is not one of your ways to pay.") from None
    return Method(**found)


def account(session: Session, identity: Identity, order: Order, account_id: str) -> StoredValueAccount:
    """A gift card or store credit of the payer's, good for money in the order's currency. Raises ``MethodNotOwned``."""
    who, row = payer(identity, order), _account_kept(session, order.tenant_id, account_id)
    owned = row is not None and (
        row.owner_id == who.id or (who.customer_id is not None and row.customer_id == who.customer_id)
    )
    if row is None or not owned or not stored_value.is_usable(row, order.currency):
        raise MethodNotOwned("That is not one of your gift cards or credits.")
    return row


def saved(session: Session, identity: Identity, order: Order, method_id: str) -> PaymentMethod:
    """A saved way to pay of the payer's. Raises ``MethodNotOwned``."""
    row = _kept(session, order.tenant_id, method_id)
    owner = payer(identity, order).customer_id
    if row is None or owner is None or row.customer_id != owner or row.kept_at is None or row.removed_at is not None:
        raise MethodNotOwned("That is not one of your ways to pay.")
    return row


def _kept(session: Session, tenant_id: str, method_id: str) -> PaymentMethod | None:
    """The row, read once in a transaction: a session forgets what nobody holds."""
    return _once(session, _METHOD, tenant_id, method_id)


def _account_kept(session: Session, tenant_id: str, account_id: str) -> StoredValueAccount | None:
    return _once(session, _ACCOUNT, tenant_id, account_id)


def _once(session: Session, rows: Rows[W], tenant_id: str, row_id: str) -> W | None:
    held: dict[str, W | None] = session.info.setdefault("ways", {})
    if row_id not in held:
        (found,) = fetch(session, (rows, {"tenant": tenant_id, "id": row_id}))
        held[row_id] = found[0] if found else None
    return held[row_id]


def label_of(row: PaymentMethod) -> str:
    return method_label(row.brand, row.last4, wallet=row.wallet)


def label(row: StoredValueAccount) -> str:
    return account_label(row.kind, row.last4)


def purse(session: Session, tenant_id: str, effect: Effect) -> dict[str, Any] | None:
    """The gift card or store credit that a change moves, if one: {label, before, after}."""
    paying = effect.method.stored_value_id if effect.method and effect.takes else None
    account_id = paying or (effect.refund_account if effect.refund_to == "account" else None)
    row = _account_kept(session, tenant_id, account_id) if account_id else None
    if row is None:
        return None
    moves = -effect.takes if paying else effect.gives_back
    return {"label": label(row), "before": row.balance, "after": row.balance + moves}


def of_payment(session: Session, payment: Payment) -> tuple[str, str]:
    """What tells one method from another: gateway and reference of the card, or of the account."""
    if payment.stored_value_id:
        return "stored_value", payment.stored_value_id
    if payment.payment_method_id:
        row = _kept(session, payment.tenant_id, payment.payment_method_id)
        return payment.gateway, row.gateway_ref if row else ""
    if payment.change_id:
        change = session.get_one(OrderChange, (payment.tenant_id, payment.change_id))
        method = Effect.model_validate(change.quote["effect"]).method
        return (method.gateway, method.ref) if method else (payment.gateway, "")
    session_row = session.get(CheckoutSession, (payment.tenant_id, payment.session_id))
    method_row = (session_row.payment_method if session_row else None) or {}
    return payment.gateway, str(method_row.get("ref", ""))


def _stored(row: PaymentMethod) -> Method:
    return Method(
        gateway=row.gateway,
        ref=row.gateway_ref,
        brand=row.brand,
        last4=row.last4,
        label=label_of(row),
        method_id=row.id,
    )


def _account(session: Session, identity: Identity, order: Order, ref: str, amount: int) -> Method:
    row = account(session, identity, order, ref)
    if row.balance < amount:
        raise InsufficientBalance("There is not enough on it for the whole amount.")
    return Method(
        gateway="stored_value",
        ref=row.id,
        brand=str(row.kind),
        last4=row.last4,
        label=label(row),
        stored_value_id=row.id,
        tender=f"{row.kind}:{row.id}",
    )
