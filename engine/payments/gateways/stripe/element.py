"""Stripe's own card form: its script and what it needs of a page, and the wallets in what it hands over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.payments.gateway import CardFacts, EntryElement, EntryKind

_SCRIPT: Final = "https://js.stripe.com/v3/"
_SCRIPT_ORIGINS: Final = ("https://js.stripe.com", "https://*.js.stripe.com")
_FRAME_ORIGINS: Final = (*_SCRIPT_ORIGINS, "https://hooks.stripe.com")
_CONNECT_ORIGINS: Final = ("https://api.stripe.com",)
_WALLETS: Final = ("apple_pay", "google_pay")


def element(gateway: str, path: str, publishable_key: str) -> EntryElement:
    """The element, with the origins that Stripe names for a content security policy."""
    return EntryElement(
        gateway=gateway,
        kind=EntryKind.ELEMENT,
        path=path,
        publishable_key=publishable_key,
        wallets=_WALLETS,
        script_url=_SCRIPT,
        script_origins=_SCRIPT_ORIGINS,
        frame_origins=_FRAME_ORIGINS,
        connect_origins=_CONNECT_ORIGINS,
    )


def card_facts(card_ref: str, card: Mapping[str, Any]) -> CardFacts:
    """Of a PaymentMethod's ``card``. One of no customer's was entered just now."""
    wallet = (card.get("wallet") or {}).get("type") or ""
    expiry = int(card.get("exp_month") or 0), int(card.get("exp_year") or 0)
    return CardFacts(card_ref, card["brand"], card["last4"], wallet, "/" not in card_ref, *expiry)
