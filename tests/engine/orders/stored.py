"""A known buyer with ways to pay that came with the shop's records, for tests: a card, PayPal, gift cards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select, update

from engine.customers.models import Address, Customer, PaymentMethod, Shopper
from engine.kit import clock
from engine.kit.ids import new_id
from engine.orders.models import Order
from engine.payments import stored_value
from engine.payments.models import Payment, Refund
from engine.payments.stored_value_models import StoredValueAccount, StoredValueKind
from tests.engine.orders.desk import Desk


@dataclass
class Known(Desk):
    """The desk of a buyer that the shop knows."""

    card: str = ""
    paypal: str = ""
    gift: str = ""

    def balance(self, account_id: str = "") -> int:
        with self.shop.uow() as session:
            return session.get_one(StoredValueAccount, (self.shop.tenant.id, account_id or self.gift)).balance

    def paid(self) -> list[tuple[str | None, int]]:
        """(saved way or account, amount) of every payment, oldest first; none for the sale's own card."""
        return [(one.payment_method_id or one.stored_value_id, one.amount) for one in self._rows(Payment)]

    def given(self) -> list[tuple[str, str | None, int, str]]:
        """(destination, saved way or account, amount, status) of every refund, oldest first."""
        return [
            (str(one.destination), one.payment_method_id or one.stored_value_id, one.amount, str(one.status))
            for one in self._rows(Refund)
        ]

    def _rows(self, kind: Any) -> list[Any]:
        with self.shop.uow() as session:
            query = select(kind).where(kind.order_id == self.order_id).order_by(kind.created_at, kind.id)
            return list(session.scalars(query))


def known(desk: Desk, *, gift: int = 10_000) -> Known:
    """The desk's buyer becomes a customer with a card, PayPal and a gift card."""
    shop, tenant_id = desk.shop, desk.shop.tenant.id
    customer_id, card, paypal = new_id("customer"), new_id("payment_method"), new_id("payment_method")
    with shop.uow() as session:
        session.add(
            Customer(
                tenant_id=tenant_id,
                id=customer_id,
                email="Ada@example.com",
                name="Ada Buyer",
                given_name="Ada",
                family_name="Buyer",
                external_id="ada_buyer_1",
                email_verified_at=clock.now(),
            )
        )
        session.flush()
        session.add(_address(tenant_id, customer_id))
        session.add(_method(tenant_id, card, customer_id, kind="card", brand="visa", last4="1881"))
        session.add(_method(tenant_id, paypal, customer_id, kind="wallet", wallet="paypal"))
        session.execute(update(Shopper).where(Shopper.id == desk.buyer.id).values(customer_id=customer_id))
        session.execute(update(Order).where(Order.id == desk.order_id).values(customer_id=customer_id))
        issued = stored_value.issue(
            session,
            tenant_id,
            secret_key=shop.runtime.secret_key,
            kind=StoredValueKind.GIFT_CARD,
            amount=gift,
            currency="USD",
            customer_id=customer_id,
            actor="test",
        )
        gift_id = issued.account.id
    return Known(shop, replace(desk.buyer, customer_id=customer_id), desk.order_id, card, paypal, gift_id)


def _address(tenant_id: str, customer_id: str) -> Address:
    return Address(
        tenant_id=tenant_id,
        id=new_id("address"),
        customer_id=customer_id,
        name="Ada Buyer",
        line_one="12 Pine St",
        city="Portland",
        state="WA",
        postal_code="97204",
        country="US",
        is_default=True,
    )


def _method(tenant_id: str, method_id: str, customer_id: str, **fields: Any) -> PaymentMethod:
    usual = {"brand": "", "last4": "", "exp_month": 0, "exp_year": 0, "gateway": "manual", "gateway_ref": method_id}
    return PaymentMethod(tenant_id=tenant_id, id=method_id, customer_id=customer_id, **(usual | fields))
