"""Proposing a change: its row, and the consent that its shopper is asked for. Nothing moves yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.kit import audit, clock, limits
from engine.kit.caps import cap
from engine.kit.envelope import seal
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.kit.tenancy import Tenant
from engine.kit.views import Price
from engine.orders import queries, service
from engine.orders.changes import methods, views
from engine.orders.changes.case import Case
from engine.orders.changes.consent import locked, put_aside
from engine.orders.changes.effect import Effect
from engine.orders.changes.quote import digest, open_case, work_out
from engine.orders.changes.schemas import ChangeAgreement, ChangeView
from engine.orders.changes.wanted import Wanted
from engine.orders.errors import ChangeOutdated, OverStaffLimit
from engine.orders.models import ChangeKind, ChangeStatus, OrderChange
from engine.payments.gateway import Allowance
from engine.payments.gateways.manual import LOCAL
from engine.runtime import Runtime

_TOKEN_GRACE: Final = timedelta(minutes=5)
_ON_ITS_WAY: Final = timedelta(days=60)
"""After the last day to send a parcel, until it is here for sure."""
_TRIES: Final = 3
_LIVE: Final = (ConsentStatus.OPEN, ConsentStatus.APPROVED)
_UNUSED: Final = frozenset({ChangeStatus.QUOTED, ChangeStatus.CONFIRMED})
_QUOTES_AN_HOUR: Final = 60
"""For one shopper: every quote is a row that the order is read with."""


def propose(
    runtime: Runtime,
    identity: Identity,
    order_id: str,
    wanted: Wanted,
    *,
    approved: str | None = None,
    thread_id: str | None = None,
) -> ChangeView:
    """Quote a change of one of the identity's own orders and write it down, to be confirmed.

    A shopper's change, and one of staff that charges or gives back more than staff may, waits for the shopper's
    consent; ``approved`` names the approval that lifts what staff may, ``thread_id`` the conversation that shows the
    card: an open one there for the same kind of change of this order is put aside. Raises ``NotFound``,
    ``RateLimited`` for a shopper's many, and what ``quote.work_out`` raises.
    """
    made, older = _propose(runtime, identity, order_id, wanted, approved, thread_id)
    for change_id in older:
        _put_aside(runtime, identity, made.order_id, change_id)
    return made


def _propose(
    runtime: Runtime, identity: Identity, order_id: str, wanted: Wanted, approved: str | None, thread_id: str | None
) -> tuple[ChangeView, Sequence[str]]:
    """The quote, and the changes whose open cards in the conversation it takes the place of."""
    change_id = new_id("change")
    for _ in range(_TRIES):
        with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
            order = queries.find_own(session, identity, order_id, lock=True)
            case = open_case(session, identity, order)
            effect = work_out(case, wanted)
            agreed, ends = digest(order, effect), clock.now() + _stands_for(case, effect)
            quote = _Quote(change_id, wanted, effect, agreed, ends, approved, thread_id)
            if not quote.needs_token:
                return _quote(runtime, case, quote, None)
            if effect.method is not None and effect.method.gateway in LOCAL:
                return _quote(runtime, case, quote, _delegate(runtime, identity.tenant_id, quote, order.currency))
        token = _delegate(runtime, identity.tenant_id, quote, order.currency)
        with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
            order = service.lock(session, identity.tenant_id, order.id)
            case = open_case(session, identity, order)
            if digest(order, effect) == agreed and work_out(case, wanted) == effect:
                return _quote(runtime, case, quote, token)
    raise ChangeOutdated("The order kept changing while this was worked out. Please try again.")


def _stands_for(case: Case, effect: Effect) -> timedelta:
    """How long a quote may be agreed to."""
    longer = effect.terms.valid_minutes if effect.terms else None
    return timedelta(minutes=longer or case.policy.quote_minutes)


@dataclass(frozen=True, slots=True)
class _Quote:
    """A change worked out, and until when it stands."""

    change_id: str
    wanted: Wanted
    effect: Effect
    digest: str
    ends: datetime
    approved: str | None
    thread_id: str | None

    @property
    def takes(self) -> int:
        """What is charged for it, now or later, or held."""
        return self.effect.takes

    @property
    def needs_token(self) -> bool:
        """Whether a gateway has to let us take it: where a card is asked."""
        method = self.effect.method
        return self.takes > 0 and method is not None and not method.stored_value_id

    def needs_consent(self, case: Case) -> bool:
        """Whether the shopper has to agree, whoever asked for it."""
        over = self.approved is None and over_limit(case, self.effect) is not None
        return not case.identity.is_staff or self.takes > 0 or over


def _quote(runtime: Runtime, case: Case, quote: _Quote, token: str | None) -> tuple[ChangeView, Sequence[str]]:
    """Write it down, under the order's lock."""
    session, identity = case.session, case.identity
    if not identity.is_staff:
        bucket = f"order-change:{identity.tenant_id}|{identity.id}"
        limits.hit(session, bucket, limit=_QUOTES_AN_HOUR, window=timedelta(hours=1))
    change = _write(case, quote)
    if not quote.needs_consent(case):
        return views.view(case.order, change), ()
    _ask(session, runtime, case, change, quote, token)
    return views.view(case.order, change), _older(case, change, quote.thread_id)


def over_limit(case: Case, effect: Effect) -> OverStaffLimit | None:
    """Why staff may not answer for this change alone, if they may not."""
    currency = case.order.currency
    limit = cap(case.policy.staff_refund_limit, currency)
    if limit is None or effect.gives_back <= limit:
        return None
    words = f"Staff give back at most {Money(limit, currency)} by a change; more takes the shopper's or another's word."
    return OverStaffLimit(words, limit=limit, amount=effect.gives_back, currency=currency, rule="staff_refund_limit")


def _older(case: Case, fresh: OrderChange, thread_id: str | None) -> Sequence[str]:
    """Other changes of the kind that the conversation has an open card for: one is to be there, the newest."""
    if thread_id is None or not any(one.kind == fresh.kind and one.status in _UNUSED for one in case.parts.changes):
        return ()
    return case.session.scalars(
        select(OrderChange.id)
        .join(Consent, and_(Consent.tenant_id == OrderChange.tenant_id, Consent.id == OrderChange.consent_id))
        .where(
            OrderChange.tenant_id == fresh.tenant_id,
            OrderChange.order_id == fresh.order_id,
            OrderChange.kind == fresh.kind,
            OrderChange.id != fresh.id,
            Consent.thread_id == thread_id,
            Consent.status.in_(_LIVE),
        )
    ).all()


def _put_aside(runtime: Runtime, identity: Identity, order_id: str, change_id: str) -> None:
    with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
        card, _, change = locked(session, identity, order_id, change_id)
        if card is not None and card.status in _LIVE:
            put_aside(session, card, change, "A newer quote took its place.")


def _delegate(runtime: Runtime, tenant_id: str, quote: _Quote, currency: str) -> str:
    """A token that allows exactly this charge (or hold) for this change."""
    method = quote.effect.method
    assert method is not None
    allowance = Allowance(
        merchant=tenant_id,
        session_id=quote.change_id,
        maximum=Money(quote.takes, currency),
        expires_at=quote.ends + _stays_good(quote.effect),
    )
    return runtime.gateways[method.gateway].delegate(method.ref, allowance, key=f"{quote.digest}:{quote.change_id}")


def _stays_good(effect: Effect) -> timedelta:
    """How long after its quote a token can be used: where goods come back first, until they may be here."""
    if effect.terms is None or not effect.terms.to_charge:
        return _TOKEN_GRACE
    return timedelta(days=effect.terms.send_within_days) + _ON_ITS_WAY


def _write(case: Case, quote: _Quote) -> OrderChange:
    order, wanted, effect, change_id, agreed = case.order, quote.wanted, quote.effect, quote.change_id, quote.digest
    change = OrderChange(
        tenant_id=order.tenant_id,
        id=change_id,
        order_id=order.id,
        kind=ChangeKind(wanted.kind),
        status=ChangeStatus.QUOTED,
        requested_by=case.identity.id,
        reason=effect.reason,
        wanted=wanted.model_dump(mode="json"),
        quote={
            "amount": effect.amount,
            "effect": effect.model_dump(mode="json"),
            "totals": views.totals_after(order, case.parts.lines, effect),
            "line_ids": [new_id("order_line") for _ in effect.added],
            "purse": methods.purse(case.session, order.tenant_id, effect),
        },
        digest=agreed,
        order_version=order.version,
        expires_at=quote.ends,
    )
    case.session.add(change)
    facts = {"change": change_id, "kind": wanted.kind, "amount": effect.amount, "digest": agreed}
    audit.record(
        case.session,
        order.tenant_id,
        actor=case.identity.id,
        action="order.change_quoted",
        subject=order.id,
        facts=facts,
    )
    return change


def _ask(session: Session, runtime: Runtime, case: Case, change: OrderChange, quote: _Quote, token: str | None) -> None:
    """The row of the shopper's consent, open."""
    order, currency, effect = case.order, case.order.currency, quote.effect
    card = Consent(
        tenant_id=order.tenant_id,
        id=new_id("consent"),
        kind=ConsentKind.ORDER_CHANGE,
        subject_id=change.id,
        owner_id=order.owner_id if case.identity.is_staff else case.identity.id,
        thread_id=quote.thread_id,
        digest=change.digest,
        status=ConsentStatus.OPEN,
        expires_at=change.expires_at,
    )
    change.consent_id = card.id
    card.summary = ChangeAgreement(
        change=views.view(order, change),
        total=Price(amount=effect.takes, currency=currency),
        refund=Price(amount=effect.gives_back, currency=currency),
        merchant=session.get_one(Tenant, order.tenant_id).name,
    ).model_dump(mode="json")
    if token:
        card.token_sealed = seal(runtime.secret_key, order.tenant_id, f"consent|{card.id}", token)
    session.add(card)
    facts = {"digest": change.digest, "change": change.id}
    audit.record(session, order.tenant_id, actor=case.identity.id, action="consent.shown", subject=card.id, facts=facts)
