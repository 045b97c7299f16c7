"""Sales and authorizations to try payments on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from engine.checkout import recovery
from engine.checkout.complete import complete
from engine.checks import check_tenant, checkout, orders
from engine.finance import service as finance
from engine.kit import clock, faults
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments import captures, gateway_events, refunds, stored_value, voids
from engine.payments.gateway import Allowance, CaptureRequest
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.models import Alert, Payment, PaymentStatus, Refund
from engine.payments.stored_value_models import StoredValueAccount, StoredValueKind
from engine.payments.tally import Tally, standing_of
from tests.shop import Shop

TOTAL, TAX = 6155, 560
"""One thing of $50.00, $5.95 shipping, 10 % tax on both (rounded half up)."""
SOON = timedelta(minutes=2)


class Till:
    """A shop, its gateway, and what is asked of them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.runtime, self.tenant_id = shop.runtime, shop.tenant.id
        gateway = shop.runtime.gateways["sandbox"]
        assert isinstance(gateway, SandboxGateway)
        self.gateway = gateway
        self.staff = Identity(self.tenant_id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))
        shop.add("A", stock={"EAST": 1000})

    def sale(self, card: str = "card_test_visa") -> tuple[str, str]:
        """A paid order: its id and its payment's."""
        buyer = self.shop.shopper()
        done = complete(self.runtime, buyer, self.shop.approved(buyer, "A", card=card))
        assert done.order is not None
        assert done.order.total.amount == TOTAL
        with self.shop.uow() as session:
            [payment] = session.query(Payment).filter_by(order_id=done.order.id).all()
        return done.order.id, payment.id

    def authorized(self, card: str = "card_test_visa", amount: int = 1000) -> str:
        """An authorized payment for a change of a paid order; its id."""
        order_id, _ = self.sale()
        payment_id, change_id = new_id("payment"), new_id("change")
        money = Money(amount, "USD")
        allowance = Allowance(self.tenant_id, change_id, money, clock.now() + timedelta(minutes=10))
        token = self.gateway.delegate(card, allowance, key=payment_id)
        charge = self.gateway.authorize(CaptureRequest(payment_id, self.tenant_id, change_id, token, money))
        self._add(
            payment_id,
            order_id,
            change_id=change_id,
            gateway="sandbox",
            amount=amount,
            authorization_expires_at=charge.expires_at,
        )
        return payment_id

    def stored(self, account: StoredValueAccount, amount: int, order_id: str) -> str:
        """An authorized stored-value payment that holds its amount; its id."""
        payment_id = new_id("payment")
        self._add(
            payment_id,
            order_id,
            change_id=new_id("change"),
            gateway="stored_value",
            amount=amount,
            tender=f"{account.kind}:{account.id}",
            stored_value_id=account.id,
        )
        with self.shop.uow() as session:
            stored_value.hold(
                session, self.tenant_id, account_id=account.id, amount=amount, currency="USD", payment_id=payment_id
            )
        return payment_id

    def gift_card(self, amount: int) -> tuple[StoredValueAccount, str]:
        with self.shop.uow() as session:
            issued = stored_value.issue(
                session,
                self.tenant_id,
                secret_key=self.runtime.secret_key,
                kind=StoredValueKind.GIFT_CARD,
                amount=amount,
                currency="USD",
                actor="key_staff",
            )
        assert issued.code is not None
        return issued.account, issued.code

    def balance(self, account_id: str) -> int:
        with self.shop.uow() as session:
            return session.get_one(StoredValueAccount, (self.tenant_id, account_id)).balance

    def capture(self, payment_id: str, amount: int, *, tax: int = 0, final: bool = False) -> str:
        """A capture asked for; its id."""
        with self.shop.uow() as session:
            return captures.request(
                session, self.tenant_id, payment_id=payment_id, amount=amount, tax=tax, final=final, reason="test"
            ).id

    def refund(self, order_id: str, amount: int, **more: object) -> list[Refund]:
        """Refunds asked for, of goods that never left."""
        parts: dict[str, object] = {"tax": 0, "unearned": amount, "reason": "test", "requested_by": "key_staff"}
        with self.shop.uow() as session:
            return refunds.request(session, self.tenant_id, order_id=order_id, amount=amount, **(parts | more))  # type: ignore[arg-type]

    def refunded(self, order_id: str, amount: int, **more: object) -> list[str]:
        """Refunds asked for and executed; their statuses."""
        asked = self.refund(order_id, amount, **more)
        return [refunds.execute(self.runtime, self.tenant_id, one.id).status for one in asked]

    def payment(self, payment_id: str) -> Payment:
        with self.shop.uow() as session:
            return session.get_one(Payment, (self.tenant_id, payment_id))

    def tally(self, payment_id: str) -> Tally:
        with self.shop.uow() as session:
            return standing_of(session, self.tenant_id, [payment_id])[payment_id]

    def books(self) -> dict[str, int]:
        """Balances that are not zero."""
        with self.shop.uow() as session:
            return {k: v for k, v in finance.balances(session, self.tenant_id).items() if v}

    def open_alerts(self) -> list[tuple[str, str]]:
        with self.shop.uow() as session:
            rows = session.query(Alert).filter(Alert.resolved_at.is_(None)).order_by(Alert.id).all()
        return [(row.kind, row.subject) for row in rows]

    def alert_id(self, kind: str) -> str:
        with self.shop.uow() as session:
            return session.query(Alert).filter_by(kind=kind, resolved_at=None).one().id

    def recover(self) -> None:
        """What the jobs do about what was left unfinished."""
        for job in (captures.finish_pending, refunds.finish_pending, voids.finish_requested):
            job(self.runtime, self.tenant_id)
        gateway_events.retry_waiting(self.runtime, self.tenant_id, on_charge=recovery.on_gateway_event)

    def sent(self) -> list[tuple[bytes, dict[str, str]]]:
        """The gateway's webhooks that are due."""
        found = self.gateway.due_webhooks(merchant=self.tenant_id)
        return [(one.body, dict(one.headers)) for one in found]

    def hear(self, sent: list[tuple[bytes, dict[str, str]]]) -> None:
        for body, headers in sent:
            gateway_events.receive(self.runtime, "sandbox", body, headers, on_charge=recovery.on_gateway_event)

    def assert_clean(self) -> None:
        """Every invariant of money, of the books and of what the gateway holds; the orders here are made by hand."""
        results = check_tenant(self.runtime, self.shop.tenant.id, self.shop.tenant.slug)
        wrong = {r.name: r.detail for r in results if not r.ok}
        of_orders = {rule.name for rule in (*orders.RULES, *checkout.RULES)}
        assert {name: detail for name, detail in wrong.items() if name not in of_orders} == {}

    def _add(self, payment_id: str, order_id: str, **fields: object) -> None:
        common = {
            "tenant_id": self.tenant_id,
            "id": payment_id,
            "order_id": order_id,
            "currency": "USD",
            "capture_mode": "at_release",
            "status": PaymentStatus.AUTHORIZED,
            "authorized_at": clock.now(),
        }
        with self.shop.uow() as session:
            session.add(Payment(**(common | fields)))


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


@contextmanager
def death_at(point: str) -> Iterator[None]:
    """End whatever is done within at a fault point."""

    def hook(name: str) -> None:
        if name == point:
            faults.set_hook(None)
            raise Killed(point)

    faults.set_hook(hook)
    try:
        yield
    except Killed:
        return
    raise AssertionError(f"{point} was never reached")
