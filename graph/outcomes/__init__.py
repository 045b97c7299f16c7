"""What follows from a press on a card, by its kind, and what is said and shown about it. No model has a say in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from engine.checkout.models import Consent, ConsentKind
from graph.outcomes import change, claim, default_address, payment, return_cancel, staff_act
from graph.outcomes.told import Told
from graph.state import Decided, RunContext

_KINDS: Final[Mapping[str, Callable[[RunContext, Consent, bool], Told]]] = {
    ConsentKind.PAYMENT: payment.settle,
    ConsentKind.ORDER_CHANGE: change.settle,
    ConsentKind.WARRANTY: claim.settle,
    ConsentKind.RETURN_CANCEL: return_cancel.settle,
    ConsentKind.DEFAULT_ADDRESS: default_address.settle,
    ConsentKind.STAFF_ACT: staff_act.settle,
}


def settle(context: RunContext, decided: Decided) -> Told:
    """Carry out one decision. Its row was written before this run began; it says what may happen."""
    with context.tools.unit_of_work() as session:
        card = session.get_one(Consent, (context.tenant_id, decided["id"]))
    return _KINDS[card.kind](context, card, decided["approved"])
