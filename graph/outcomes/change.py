"""A press on the card of an order's change."""

from __future__ import annotations

from engine.checkout.models import Consent
from engine.conversations import cards as shown_cards
from engine.conversations import followed
from engine.conversations.events import Emitted
from engine.kit.errors import DomainError
from engine.orders import queries
from engine.orders.changes import apply
from engine.orders.changes.schemas import ChangeView
from engine.orders.errors import BankAsks, ChangeOutdated
from engine.orders.models import ChangeKind, ChangeStatus, OrderChange
from engine.returns import queries as returns
from graph.outcomes.told import Told, as_it_is, ask_again, fresh, refused, shown
from graph.state import RunContext
from prompts import phrase


def settle(context: RunContext, card: Consent, approved: bool) -> Told:
    """Apply the change, if that is what was agreed to."""
    if not approved:
        return Told(phrase("change_declined"))
    try:
        view = apply.carry_out(context.runtime, context.claim.identity, *_about(context, card))
    except BankAsks as asks:
        return Told(phrase("change_challenge"), [_bank_asks(card.id, asks)])
    except ChangeOutdated as outdated:
        return _outdated(context, card, outdated)
    except DomainError as error:
        words = phrase("not_changed").format(message=error.message)
        return Told(words, [*as_it_is(context, card.id), refused(card.id, error)])
    return _told(context, card, view)


def _about(context: RunContext, card: Consent) -> tuple[str, str]:
    with context.tools.unit_of_work() as session:
        change = session.get_one(OrderChange, (context.tenant_id, card.subject_id))
        return change.order_id, change.id


def _told(context: RunContext, card: Consent, view: ChangeView) -> Told:
    now = as_it_is(context, card.id)
    match view.status:
        case ChangeStatus.APPLIED:
            return Told(_done(view), [*now, *_result(context, view)])
        case ChangeStatus.REQUESTED:
            words = phrase("change_requested").format(number=view.order_number, message=view.message)
            return Told(words, [*now, *_result(context, view)])
        case ChangeStatus.CHARGING:
            return Told(phrase("change_pending"), now)
        case _:
            return Told(phrase("not_changed").format(message=view.message), [*now, _failed(card.id, view)])


def _done(view: ChangeView) -> str:
    words = phrase("changed").format(number=view.order_number, message=view.message)
    if view.charge.amount:
        words += " " + phrase("change_charged").format(amount=view.charge)
    if view.refund.amount:
        where = view.refund_label or phrase("refund_to_" + view.refund_to)
        words += " " + phrase("change_refunded").format(amount=view.refund, where=where)
    return words


def _result(context: RunContext, view: ChangeView) -> list[Emitted]:
    """The order as it is now, or the return that was opened."""
    with context.tools.unit_of_work() as session:
        identity = context.claim.identity
        if view.kind == ChangeKind.RETURN and (opened := returns.of_change(session, identity, view.id)):
            return shown(context, "return", opened.model_dump(mode="json"), opened.id)
        order = queries.own_order(session, identity, view.order_id)
        now = followed.order_card(session, identity, order)
    return shown(context, followed.ORDER, now, order.id)


def _outdated(context: RunContext, card: Consent, outdated: ChangeOutdated) -> Told:
    now = as_it_is(context, card.id)
    if outdated.fresh is None or outdated.fresh.consent_id is None:
        return Told(phrase("not_changed").format(message=outdated.message), [*now, refused(card.id, outdated)])
    return Told(phrase("fresh_change"), [*now, *fresh(context, outdated.fresh.consent_id, outdated.message)])


def _bank_asks(consent_id: str, asks: BankAsks) -> Emitted:
    """What was agreed to stays agreed to: the same card once more, when the bank has seen its customer."""
    return shown_cards.change_problem(
        consent_id, code=asks.code, message=asks.message, retry={"resume": consent_id}, challenge_url=asks.url
    )


def _failed(consent_id: str, view: ChangeView) -> Emitted:
    return shown_cards.change_problem(
        consent_id, code="change_failed", message=view.message, retry=ask_again(consent_id)
    )
