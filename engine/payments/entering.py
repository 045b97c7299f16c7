"""Which gateway a shop's cards are entered at, and where."""

from __future__ import annotations

from engine.kit.errors import NotFound
from engine.payments.errors import CardEntryUnavailable, GatewayNotConfigured
from engine.payments.gateway import EntryElement
from engine.runtime import Runtime


def element_of(runtime: Runtime, merchant: str, *, session_id: str, demo: bool) -> EntryElement:
    """The element of the first gateway that the shop has an account at; a demo shop falls back to imaginary money.

    Raises ``NotFound`` for a shop without any, ``CardEntryUnavailable`` where its account does not offer one.
    """
    refusal: CardEntryUnavailable | None = None
    for gateway in sorted(runtime.gateways.values(), key=lambda one: (one.demo_only, one.name)):
        if gateway.demo_only and not demo:
            continue
        try:
            return gateway.entry(merchant=merchant, session_id=session_id)
        except GatewayNotConfigured:
            continue
        except CardEntryUnavailable as error:
            refusal = error
    raise refusal or NotFound("This shop takes no cards here.")
