"""Giving money back. A refund is pending under its payment's lock before the gateway hears of it, and a bank may send
it back days after it succeeded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.kit import audit, clock, outbox
from engine.kit.direct import Row, Statement
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.faults import fault_point
from engine.kit.gathering import Rows, fetch
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.payments import leases, refund_limits, stored_value
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.errors import RefundBlockedByDispute, RefundExceedsCapture
from engine.payments.gateway import Move, MoveStatus
from engine.payments.gateways.manual import CREDITING, Crediting
from engine.payments.models import CARD, Destination, Payment, PaymentStatus, Refund, RefundStatus
from engine.payments.policy import PaymentsPolicy
from engine.payments.spreading import Share, Source, spread
from engine.payments.states import REFUND
from engine.payments.tally import Tally, of_order, tallies
from engine.runtime import Runtime

_TAKEN: Final = (PaymentStatus.CAPTURED, PaymentStatus.PARTIALLY_CAPTURED)
_TAKE: Final = Statement("""
UPDATE app.refunds r SET attempts = r.attempts + 1,
  lease_until = %(now)s + least(%(step)s * (r.attempts + 1), %(longest)s)
FROM app.payments p
WHERE r.tenant_id = %(tenant)s AND r.id = %(refund)s AND r.status = %(pending)s
  AND (r.attempts = 0 OR r.lease_until IS NULL OR r.lease_until <= %(now)s)
  AND p.tenant_id = r.tenant_id AND p.id = r.payment_id
RETURNING r.id, r.payment_id, r.amount, r.currency, r.stored_value_id, r.attempts, r.destination, p.gateway,
  (SELECT ARRAY[m.gateway, m.gateway_ref] FROM app.payment_methods m
   WHERE m.tenant_id = r.tenant_id AND m.id = r.payment_method_id) AS goes_to
""")
"""As ``leases.take`` does, in one trip."""
_PAYMENT: Final = Rows(Payment, "r.tenant_id = %(tenant)s AND r.id = %(payment)s", lock=True)
_REFUND: Final = Rows(Refund, "r.tenant_id = %(tenant)s AND r.id = %(refund)s", lock=True)
_GIVING: Final = Rows(
    Payment,
    f"""r.tenant_id = %(tenant)s AND r.order_id = %(order)s AND (%(payment)s = '' OR r.id = %(payment)s)
  AND r.status IN ({", ".join(f"'{status.value}'" for status in _TAKEN)})""",
    order="r.id",
    lock=True,
)
_METHOD: Final = """
SELECT m.gateway FROM app.payment_methods m JOIN app.orders o ON o.tenant_id = m.tenant_id
  AND o.customer_id = m.customer_id
WHERE m.tenant_id = :tenant_id AND m.id = :method_id AND o.id = :order_id AND m.kept_at IS NOT NULL
  AND m.removed_at IS NULL
"""
_ORDER: Final = "SELECT customer_id, owner_id FROM app.orders WHERE tenant_id = :tenant_id AND id = :order_id"


def request(
    session: Session,
    tenant_id: str,
    *,
    order_id: str,
    amount: int,
    tax: int,
    unearned: int,
    reason: str,
    destination: str = Destination.ORIGINAL,
    account_id: str | None = None,
    requested_by: str,
    payment_id: str | None = None,
    change_id: str | None = None,
    note: str = "",
    approved: str | None = None,
    return_id: str | None = None,
    claim_id: str | None = None,
) -> list[Refund]:
    """Ask for money back out of an order's payments (or one of them), under their locks: a pending refund for each
    that gives. ``execute`` each after the commit, or the job does.

    ``account_id`` is the gift card or store credit of a destination that is an account (of the same buyer and currency,
    and not blocked), or the saved way to pay of one that is a method (the buyer's, at a gateway that credits). ``tax``
    and ``unearned`` (goods that never left, without tax) are parts of ``amount``. ``reason`` is told to the shopper,
    ``note`` is not. ``approved`` names the approval, or the shopper's claimed consent, that stands for it: it lifts the
    shop's limits, never the bound of what was taken.

    Raises ``RefundExceedsCapture``, ``RefundBlockedByDispute``, ``RefundOverLimit``, ``InvalidInput``, ``NotFound``.
    """
    if amount <= 0 or tax < 0 or unearned < 0 or tax + unearned > amount:
        raise InvalidInput("A refund is more than nothing, and its parts fit in it.", param="amount")
    policy = refund_limits.begin(session, tenant_id, approved=approved)
    payments, tallies = _locked(session, tenant_id, order_id, payment_id, policy)
    wanted = Money(amount, payments[0].currency)
    shares = _shares(payments, tallies, amount=amount, tax=tax, unearned=unearned)
    if approved is None:
        refund_limits.check(session, policy, tenant_id, order_id=order_id, wanted=wanted, actor=requested_by)
    by_id = {payment.id: payment for payment in payments}
    refunds = [
        _refund(by_id[share.payment_id], share, reason, Destination(destination), requested_by, change_id)
        for share in shares
    ]
    for refund in refunds:
        refund.note, refund.approved, refund.return_id, refund.claim_id = note, approved, return_id, claim_id
    _name_accounts(session, tenant_id, order_id, refunds, by_id, account_id)
    session.add_all(refunds)
    for refund in refunds:
        facts = {"amount": refund.amount, "currency": refund.currency, "reason": reason, "order": order_id}
        facts |= {"approved": approved} if approved else {}
        audit.record(session, tenant_id, actor=requested_by, action="refund.requested", subject=refund.id, facts=facts)
    session.flush()
    return refunds


def execute(runtime: Runtime, tenant_id: str, refund_id: str) -> Refund:
    """Bring a refund to its end, if this caller may: the row as it is afterwards. Safe to repeat."""
    lease = {"now": clock.now(), "step": leases.LEASE, "longest": leases.LONGEST}
    key = {"tenant": tenant_id, "refund": refund_id, "pending": RefundStatus.PENDING.value}
    (taken,) = runtime.store.ask(tenant_id, (_TAKE, key | lease))
    if not taken:
        with runtime.unit_of_work(tenant_id, keyed=True) as session:
            return session.get_one(Refund, (tenant_id, refund_id))
    fault_point("refund_before_gateway")
    move = _ask(runtime, tenant_id, taken[0])
    fault_point("refund_after_gateway")
    return settle(runtime, tenant_id, refund_id, move, payment_id=taken[0]["payment_id"])


def settle(
    runtime: Runtime, tenant_id: str, refund_id: str, move: Move | None, *, payment_id: str | None = None
) -> Refund:
    """Write what the gateway said of a refund; a failure counts also after success. ``None`` or a pending move leaves
    it pending.

    Raises ``NoResultFound`` for a refund that is not ours.
    """
    with runtime.unit_of_work(tenant_id, keyed=True) as session:
        payment_id = payment_id or session.get_one(Refund, (tenant_id, refund_id)).payment_id
        named = {"tenant": tenant_id, "payment": payment_id, "refund": refund_id}
        ((payment,), (refund,)) = fetch(session, (_PAYMENT, named), (_REFUND, named))
        _apply(session, payment, refund, move)
        session.flush()
        fault_point("refund_before_commit")
    fault_point("refund_after_commit")
    return cast("Refund", refund)


def finish_pending(runtime: Runtime, tenant_id: str) -> list[Refund]:
    """Bring refunds whose request has gone, or that the gateway has pending, to their end."""
    with runtime.unit_of_work(tenant_id, keyed=True) as session:
        ids = session.scalars(
            select(Refund.id)
            .where(
                Refund.tenant_id == tenant_id,
                Refund.status == RefundStatus.PENDING,
                Refund.lease_until <= clock.now(),
            )
            .order_by(Refund.lease_until)
            .limit(leases.BATCH)
        ).all()
    return [execute(runtime, tenant_id, refund_id) for refund_id in ids]


def _locked(
    session: Session, tenant_id: str, order_id: str, payment_id: str | None, policy: PaymentsPolicy
) -> tuple[list[Payment], dict[str, Tally]]:
    """The payments that money was taken from, locked in id order, and where each stands then; returned in the order in
    which they give back.
    """
    named = {"tenant": tenant_id, "order": order_id, "payment": payment_id or ""}
    rows, sums = fetch(session, (_GIVING, named), of_order(tenant_id, order_id))
    if not rows:
        raise NotFound("There is no payment that could give this back.")
    card_first = policy.refund_order == "card_first"
    newest_first = sorted(rows, key=lambda row: row.id, reverse=True)
    giving = sorted(newest_first, key=lambda row: (row.tender == CARD) != card_first)
    known = tallies(sums)
    return giving, {payment.id: known[payment.id] for payment in giving}


def _shares(
    payments: Sequence[Payment], tallies: Mapping[str, Tally], *, amount: int, tax: int, unearned: int
) -> list[Share]:
    if any(tally.blocked for tally in tallies.values()):
        raise RefundBlockedByDispute("The card's bank is looking into this payment: until then nothing is refunded.")
    sources = [Source(payment.id, tallies[payment.id].refundable) for payment in payments]
    shares = spread(sources, amount=amount, tax=tax, unearned=unearned)
    if sum(share.amount for share in shares) < amount:
        left = Money(sum(max(0, source.refundable) for source in sources), payments[0].currency)
        if any(tally.disputed for tally in tallies.values()):
            raise RefundBlockedByDispute(f"The card's bank has given money back: only {left} can still be refunded.")
        raise RefundExceedsCapture(f"Only {left} can still be refunded.")
    return shares


def _refund(
    payment: Payment,
    share: Share,
    reason: str,
    destination: Destination,
    requested_by: str,
    change_id: str | None,
) -> Refund:
    return Refund(
        tenant_id=payment.tenant_id,
        id=new_id("refund"),
        payment_id=payment.id,
        order_id=payment.order_id,
        change_id=change_id,
        amount=share.amount,
        tax=share.tax,
        unearned=share.unearned,
        currency=payment.currency,
        reason=reason,
        requested_by=requested_by,
        tender=payment.tender,
        destination=destination,
        status=RefundStatus.PENDING,
        lease_until=clock.now() + leases.LEASE,
    )


def _name_accounts(
    session: Session,
    tenant_id: str,
    order_id: str,
    refunds: Sequence[Refund],
    payments: dict[str, Payment],
    account_id: str | None,
) -> None:
    """What is credited: the account that paid, the one or the saved way that was named, or the buyer's store credit."""
    for refund in refunds:
        if refund.destination == Destination.ORIGINAL:
            refund.stored_value_id = payments[refund.payment_id].stored_value_id
            continue
        if refund.destination == Destination.METHOD:
            refund.payment_method_id = _credited(session, tenant_id, order_id, account_id or "")
            continue
        key = {"tenant_id": tenant_id, "order_id": order_id}
        customer_id, owner_id = session.execute(text(_ORDER), key).one()
        if refund.destination == Destination.ACCOUNT:
            target = stored_value.lock(session, tenant_id, account_id or "")
            theirs = target.owner_id == owner_id or (customer_id is not None and target.customer_id == customer_id)
            if not theirs or not stored_value.can_take(target, refund.currency):
                raise InvalidInput("That is not a gift card or credit of whoever bought.", param="refund_to")
            refund.stored_value_id = target.id
            continue
        refund.stored_value_id = stored_value.credit_account(
            session, tenant_id, currency=refund.currency, customer_id=customer_id, owner_id=owner_id
        )


def _credited(session: Session, tenant_id: str, order_id: str, method_id: str) -> str:
    key = {"tenant_id": tenant_id, "order_id": order_id, "method_id": method_id}
    if session.scalar(text(_METHOD), key) not in CREDITING:
        raise InvalidInput("That is not a way to pay of whoever bought that money can go to.", param="refund_to")
    return method_id


def _ask(runtime: Runtime, tenant_id: str, taken: Row) -> Move | None:
    """The gateway's word; what goes to an account of ours needs nobody's."""
    refund_id, payment_id = taken["id"], taken["payment_id"]
    if taken["stored_value_id"] is not None:
        return Move(refund_id, MoveStatus.SUCCEEDED)
    elsewhere = taken["destination"] == Destination.METHOD
    name, ref = (taken["goes_to"] or ("", "")) if elsewhere else (taken["gateway"], "")
    gateway = runtime.gateways.get(name)
    if gateway is None or (elsewhere and not isinstance(gateway, Crediting)):
        return Move(refund_id, MoveStatus.FAILED, failure_code="unknown_gateway")

    def ask() -> Move:
        amount = Money(taken["amount"], taken["currency"])
        if elsewhere and isinstance(gateway, Crediting):
            return gateway.credit(ref, merchant=tenant_id, amount=amount, key=refund_id)
        return gateway.refund(payment_id, merchant=tenant_id, amount=amount, key=refund_id)

    first = taken["attempts"] == 1
    return leases.outcome(gateway, ask, key=refund_id, payment_id=payment_id, merchant=tenant_id, first=first)


def _apply(session: Session, payment: Payment, refund: Refund, move: Move | None) -> None:
    pending = refund.status == RefundStatus.PENDING
    if move is None and pending:
        words = "The gateway has not told whether this refund was made."
        raise_alert(session, payment.tenant_id, "refund_unknown", refund.id, words)
    if move is None or move.status == MoveStatus.PENDING:
        return
    wanted = RefundStatus(move.status)
    if not REFUND.allows(refund.status, wanted):
        return
    resolve_alert(session, payment.tenant_id, "refund_unknown", refund.id)
    late = refund.status == RefundStatus.SUCCEEDED
    refund.status = wanted
    refund.gateway_refund_id = move.gateway_id or refund.gateway_refund_id
    refund.updated_at = clock.now()
    refund.settled_at = refund.settled_at or clock.now()
    refund.lease_until = None
    if wanted == RefundStatus.SUCCEEDED:
        _given(session, refund)
    else:
        _failed(session, refund, move.failure_code or "refused", late=late)


def _given(session: Session, refund: Refund) -> None:
    to: postings.RefundTo = "psp_clearing"
    if refund.stored_value_id is not None:
        account = stored_value.credit(
            session, refund.tenant_id, account_id=refund.stored_value_id, amount=refund.amount, refund_id=refund.id
        )
        to = "gift_card_liability" if account.kind == "gift_card" else "store_credit_liability"
    finance.post(
        session,
        refund.tenant_id,
        kind=postings.Kind.REFUND,
        subject=refund.id,
        currency=refund.currency,
        amounts=postings.refund(refund.amount, refund.tax, refund.unearned, to),
        order_id=refund.order_id,
    )
    _tell(session, refund, "refund.succeeded", {"amount": refund.amount, "currency": refund.currency})


def _failed(session: Session, refund: Refund, code: str, *, late: bool) -> None:
    refund.failure_code = code
    if late:
        entry_id = finance.entry_of(session, refund.tenant_id, kind=postings.Kind.REFUND, subject=refund.id)
        assert entry_id is not None
        finance.reverse(session, refund.tenant_id, entry_id, kind=postings.Kind.REFUND_FAILED, subject=refund.id)
    amount = Money(refund.amount, refund.currency)
    words = f"The refund of {amount} {'came back' if late else 'failed'}: {code}."
    facts = {"order_id": refund.order_id, "payment_id": refund.payment_id, "code": code}
    raise_alert(session, refund.tenant_id, "refund_failed", refund.id, words, facts=facts)
    _tell(session, refund, "refund.failed", {"code": code, "late": late})


def _tell(session: Session, refund: Refund, topic: str, facts: dict[str, object]) -> None:
    payload = {"refund_id": refund.id, "payment_id": refund.payment_id} | facts
    outbox.emit(session, refund.tenant_id, topic, refund.order_id or refund.payment_id, payload)
    audit.record(session, refund.tenant_id, actor="system", action=topic, subject=refund.id, facts=facts)
