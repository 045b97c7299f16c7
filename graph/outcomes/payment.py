"""A press on a payment card."""

from __future__ import annotations

from engine.checkout import complete as completing
from engine.checkout import confirmation
from engine.checkout.complete import Completion, Result
from engine.checkout.models import Consent
from engine.conversations import asking, events
from engine.conversations import cards as shown_cards
from engine.conversations.events import Emitted
from engine.kit.errors import DomainError
from engine.orders.schemas import OrderView
from graph.outcomes.told import Told
from graph.state import RunContext
from prompts import phrase


def settle(context: RunContext, card: Consent, approved: bool) -> Told:
    """Pay, if that is what was agreed to."""
    if not approved:
        return Told(phrase("declined"))
    try:
        done = completing.complete(context.runtime, context.claim.identity, card.id)
    except DomainError as error:
        return Told(error.message, [_refused(card.id, error)])
    match done.result:
        case Result.PAID:
            return _receipt(context, done)
        case Result.UNKNOWN:
            return Told(phrase("pending"))
        case Result.CHANGED:
            return _fresh_card(context, done)
        case _:
            return Told(_unpaid(done), [_problem(done)])


def _unpaid(done: Completion) -> str:
    if done.result is Result.CHALLENGE:
        return phrase("challenge")
    return phrase("not_paid").format(message=done.message)


def _receipt(context: RunContext, done: Completion) -> Told:
    assert done.order is not None
    with context.tools.unit_of_work() as session:
        card = shown_cards.card(session, context.tenant_id, done.consent_id)
        cart = shown_cards.present_cart(session, context.tenant_id, context.claim.identity.id)
    words = phrase(_ending(done.order)).format(number=done.order.number)
    news = asking.resolved(asking.of_payment(card))
    return Told(words, [*news, shown_cards.receipt(done.order, card), cart])


def _ending(order: OrderView) -> str:
    if order.payment_status == "authorized":
        return "authorized"
    return "paid" if order.total.amount else "placed"


def _fresh_card(context: RunContext, done: Completion) -> Told:
    """The world moved on after the card was made: nothing was charged, here is what it would be now."""
    try:
        card = confirmation.request(context.runtime, context.claim.identity, thread_id=context.claim.thread_id)
    except DomainError as error:
        return Told(phrase("not_paid").format(message=error.message), [_problem(done)])
    return Told(phrase("fresh_card"), [events.confirmation(card, reason=done.message)])


def _problem(done: Completion) -> Emitted:
    return shown_cards.problem(
        done.consent_id,
        code=done.code,
        message=done.message,
        retryable=done.result in {Result.DECLINED, Result.CHALLENGE, Result.CHANGED},
        challenge_url=done.challenge_url,
    )


def _refused(consent_id: str, error: DomainError) -> Emitted:
    return shown_cards.problem(consent_id, code=error.code, message=error.message, retryable=error.retryable)
