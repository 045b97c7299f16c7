"""The people of a demo shop: profiles, addresses and saved cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.orm import Session

from engine.catalog.shop_file import CardRow, CatalogFile
from engine.customers.models import Address, Customer, PaymentMethod
from engine.kit.ids import new_id
from engine.payments.gateway import MethodKind

TEST_REFS: Final[Mapping[str, str]] = {
    "visa": "card_test_visa",
    "mastercard": "card_test_mastercard",
    "amex": "card_test_amex",
}
"""Brand → the sandbox gateway's reference that pays: a demo customer's saved card is a test card."""

WALLET_REFS: Final[Mapping[str, str]] = {
    "visa": "wallet_test_visa",
    "mastercard": "wallet_test_mastercard",
    "amex": "wallet_test_amex",
}
"""The same for a card in the Demo Wallet."""


def add_customers(session: Session, tenant_id: str, file: CatalogFile) -> dict[str, str]:
    """Insert the file's customers; returns e-mail → customer id."""
    ids = {row.email: new_id("customer") for row in file.customers}
    people, addresses, cards = [], [], []
    for row in file.customers:
        key = {"tenant_id": tenant_id, "customer_id": ids[row.email]}
        people.append(
            {
                "tenant_id": tenant_id,
                "id": ids[row.email],
                "email": row.email,
                "name": row.name,
                "phone": row.phone,
            }
        )
        for place, address in enumerate(row.addresses):
            addresses.append(key | address.model_dump() | {"id": new_id("address"), "is_default": place == 0})
        cards += [key | _card(card, is_default=place == 0) for place, card in enumerate(row.cards)]
    for model, rows in ((Customer, people), (Address, addresses), (PaymentMethod, cards)):
        if rows:
            session.execute(insert(model), rows)
    return ids


def _card(card: CardRow, *, is_default: bool) -> dict[str, Any]:
    return card.model_dump() | {
        "id": new_id("payment_method"),
        "gateway": "sandbox",
        "kind": MethodKind.WALLET if card.wallet else MethodKind.CARD,
        "gateway_ref": (WALLET_REFS if card.wallet else TEST_REFS)[card.brand],
        "is_default": is_default,
    }
