"""Before a card is charged for a change: whether its bank wants to see its customer first (3-D Secure)."""

from __future__ import annotations

from engine.checkout.models import ConsentStatus
from engine.kit.identity import Identity
from engine.orders.changes import charge
from engine.orders.changes.consent import locked
from engine.orders.changes.effect import Effect
from engine.orders.changes.views import effect_of
from engine.orders.errors import BankAsks
from engine.payments.gateway import DECLINES
from engine.runtime import Runtime


def check(runtime: Runtime, identity: Identity, order_id: str, change_id: str) -> None:
    """Ask the gateway about the token of an agreed change, in no transaction; one without a card to charge passes.

    Raises ``BankAsks``. What was agreed to stays agreed to: the same token is good once the customer has been seen.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        card, _, change = locked(session, identity, order_id, change_id)
        effect = effect_of(change)
        if card is None or card.status != ConsentStatus.APPROVED or not _asks_a_card(effect):
            return
        token = charge.token_of(runtime, card)
    assert effect.method is not None
    gateway = runtime.gateways[effect.method.gateway]
    facts = gateway.inspect(token, merchant=identity.tenant_id, session_id=change_id)
    if facts.challenge_url:
        raise BankAsks(DECLINES["authentication_required"], url=facts.challenge_url)


def _asks_a_card(effect: Effect) -> bool:
    method = effect.method
    return effect.takes > 0 and method is not None and not method.stored_value_id
