"""Agreeing by a trusted platform's token in two trips, where nothing stands in the way.

The consent and the point where the purchase can be taken up again travel together; what the session was priced by a
moment ago is what the sale goes by, which claims only while that is still so. What is unusual (another question to ask,
something to refuse) is left to ``paying.attempt``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.agentic import confirming, paying, placed, quick, sessions
from engine.agentic.order_shape import Shop
from engine.agentic.paying import CHANNEL, LIFE, TRIES, WINDOW, Looked
from engine.agentic.policy import AgenticPolicy
from engine.agentic.quick import Found, Unusual
from engine.agentic.seen import Bill, Seen
from engine.agentic.wishes import Payment, Wish
from engine.checkout import pricing
from engine.checkout.claim import Prepared
from engine.checkout.complete import Completion, complete
from engine.checkout.models import CheckoutSession, ConsentStatus, SessionStatus
from engine.checkout.sale import Card
from engine.checkout.settlement import Answer, Rows
from engine.checkout.states import SESSION
from engine.kit import clock, limits
from engine.kit.direct import Ask, Row, Statement, document
from engine.kit.faults import fault_point
from engine.kit.identity import Identity, Scope
from engine.kit.policies import read_policy
from engine.runtime import Runtime

AGREE: Final = Statement("""
WITH card AS (
  INSERT INTO app.consents (tenant_id, id, kind, session_id, owner_id, digest, summary, token_sealed, status, channel,
    created_at, expires_at, decided_at)
  VALUES (%(tenant)s, %(consent)s, 'payment', %(id)s, %(owner)s, %(digest)s, %(summary)s, %(token)s, 'approved',
    %(channel)s, %(now)s, %(expires_at)s, %(now)s)
  RETURNING id
)
INSERT INTO app.audit (tenant_id, at, request_id, actor, action, subject, facts)
SELECT %(tenant)s, %(now)s, '', %(owner)s, 'consent.approved', id, %(facts)s FROM card
""")

_OF_CONSENT: Final = frozenset({"consent_id", "consent_status", "digest", "token_sealed", "payment_id", "good_until"})


@dataclass(frozen=True, slots=True)
class Agreed:
    """What this request has just committed, and what the sale has to know."""

    found: Found
    consent_id: str
    prepared: Prepared
    looked: Looked
    promoted: bool
    """Whether promotions took something off."""


def find(runtime: Runtime, identity: Identity, session_id: str, payment: Payment, before: Sequence[Ask]) -> Found:
    """The session as it stands, if it can be paid by the token alone. Raises ``Unusual``, ``Refused``."""
    if payment.token is None or payment.by_people or payment.authentication or payment.details:
        raise Unusual
    found = quick.find(runtime, identity, session_id, Wish(), before)
    if not found.trusted or Scope.ACP not in identity.scopes or identity.platform_id != found.checkout.owner_id:
        raise Unusual
    return found


def agree(
    runtime: Runtime,
    identity: Identity,
    found: Found,
    payment: Payment,
    looked: Looked | None,
    point: Ask,
    consent_id: str,
) -> Agreed:
    """Commit the consent, with ``point`` that names it. Raises ``Unusual``, ``Refused``, ``UniqueViolation``."""
    if looked is None:
        raise Unusual
    checkout, extra, now = found.checkout, found.extra, clock.now()
    policy = read_policy(dict(found.known["row"]["settings"]), AgenticPolicy)
    paying.take_in(checkout, extra, payment, list(policy.marketing))
    checkout.payment_method = paying.method(looked, payment.token or "")
    extra.refusal = None
    known = quick.facts_of(runtime, found)
    if known.tax_policy.elsewhere or (runtime.platforms is not None and known.stale(now)):
        raise Unusual
    quote = pricing.price(checkout, known)
    said = sessions.told(checkout, extra, quote)
    if quote.problems or any(one.blocks for one in said) or sessions.always_asks(quote) or looked.facts.challenge_url:
        raise Unusual
    if paying.refusal(checkout, quote, payment, looked):
        raise Unusual
    card = confirming.draft(runtime, checkout, quote, payment.token, consent_id=consent_id, now=now)
    extra.consent_id = consent_id
    checkout.status = SESSION.check(found.was, SessionStatus.READY)
    values = card | {"owner": identity.id, "channel": CHANNEL, "expires_at": now + LIFE}
    values["facts"] = document({"digest": card["digest"], "channel": CHANNEL, "key": identity.key_id})
    tried = limits.within(f"agent-complete:{checkout.id}", limit=TRIES, window=WINDOW)
    runtime.store.ask(identity.tenant_id, point, quick.change(found), tried, (AGREE, values))
    prepared = Prepared(_card(checkout, values), known, quote)
    return Agreed(found, consent_id, prepared, looked, bool(quote.promotions))


def pay(runtime: Runtime, identity: Identity, agreed: Agreed, *, answer: Answer | None = None) -> Completion:
    """Take the money for what was agreed to a moment ago; ``answer`` is drawn from its order and written with it."""
    fault_point("agent_after_consent")
    signals = agreed.found.extra.kept_back.get("risk_signals")
    known = agreed.prepared, agreed.looked.facts
    answer = None if agreed.promoted else answer  # what promotions took is not in the order's rows
    done = complete(runtime, identity, agreed.consent_id, signals=signals, known=known, answer=answer)
    fault_point("agent_before_answer")
    return done


def placed_as(agreed: Agreed, rows: Rows, shop: Shop) -> Seen:
    """The session with its order, which is known without another look."""
    order, lines = rows
    body = placed.just_placed(order, lines, shop)
    checkout = agreed.found.checkout
    checkout.status = SessionStatus.COMPLETED
    known = agreed.prepared.known.shop
    return Seen(checkout, agreed.found.extra, known, Bill.ordered(order, lines), checkout.status, (), order=body)


def _card(checkout: CheckoutSession, consent: Row) -> Card:
    """Both as they are once the consent is committed."""
    rest = {name: getattr(checkout, name) for name in Card.__slots__ if name not in _OF_CONSENT}
    return Card(
        **rest | {"version": checkout.version + 1},
        consent_id=consent["consent"],
        consent_status=ConsentStatus.APPROVED,
        digest=consent["digest"],
        token_sealed=consent["token"],
        payment_id=None,
        good_until=consent["expires_at"],
    )
