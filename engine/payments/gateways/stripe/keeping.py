"""Cards that are kept at Stripe: each customer of ours is one there, known by our id alone, with cards attached."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.ids import new_id
from engine.payments.errors import TokenRefused
from engine.payments.gateways.models import GatewayCustomer
from engine.payments.gateways.stripe.calls import Calls, Refused
from engine.payments.gateways.stripe.charging import GATEWAY, Work

_NO = "This card cannot be kept."


@dataclass(frozen=True, slots=True)
class Keeping:
    """One merchant's customers at Stripe."""

    calls: Calls
    work: Work
    merchant: str

    def customer_of(self, customer_id: str) -> str:
        """Who our customer is there, made at the first card. Two at once make one: it is asked for under one key."""
        with self.work() as session:
            if known := self._known(session, customer_id):
                return known
        marks = {"metadata": {"merchant": self.merchant, "customer": customer_id}}
        made = str(self.calls.create_customer(marks, key=f"customer:{self.merchant}:{customer_id}")["id"])
        with self.work() as session:
            if known := self._known(session, customer_id):
                return known
            session.add(
                GatewayCustomer(
                    tenant_id=self.merchant,
                    id=new_id("gateway_customer"),
                    gateway=GATEWAY,
                    customer_id=customer_id,
                    gateway_ref=made,
                )
            )
        return made

    def keep(self, card_ref: str, customer_id: str) -> str:
        """``cus_…/pm_…``: the card, attached by its payment, or now. Raises ``TokenRefused``."""
        holder, _, method_id = card_ref.rpartition("/")
        customer = holder or self.customer_of(customer_id)
        try:
            method = self.calls.payment_method(method_id)
            if not method.get("customer"):
                method = self.calls.attach_method(method_id, customer)
        except Refused:
            raise TokenRefused(_NO) from None
        if method["customer"] != customer:
            raise TokenRefused(_NO)
        return f"{customer}/{method_id}"

    def _known(self, session: Session, customer_id: str) -> str | None:
        """The one that was made first, also of somebody who became this customer."""
        query = select(GatewayCustomer.gateway_ref).where(
            GatewayCustomer.tenant_id == self.merchant,
            GatewayCustomer.customer_id == customer_id,
            GatewayCustomer.gateway == GATEWAY,
        )
        return session.scalars(query.order_by(GatewayCustomer.created_at, GatewayCustomer.id).limit(1)).first()
