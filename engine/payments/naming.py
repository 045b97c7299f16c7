"""How a way to pay is called wherever people read it."""

from __future__ import annotations

from typing import Final

from engine.payments.stored_value_models import StoredValueKind

_BRANDS: Final = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "discover": "Discover",
}
_WALLETS: Final = {
    "demo_wallet": "Demo Wallet",
    "apple_pay": "Apple Pay",
    "google_pay": "Google Pay",
    "samsung_pay": "Samsung Pay",
    "link": "Link",
    "paypal": "PayPal",
}
_ACCOUNTS: Final = {StoredValueKind.GIFT_CARD: "Gift card", StoredValueKind.STORE_CREDIT: "Store credit"}


def account_label(kind: StoredValueKind, last4: str) -> str:
    """``Gift card •••• 1234`` or ``Store credit``."""
    return f"{_ACCOUNTS[kind]} •••• {last4}" if last4 else _ACCOUNTS[kind]


def method_label(brand: str, last4: str, *, wallet: str = "") -> str:
    """``Visa •••• 4242``, for a card in a wallet ``Demo Wallet · Visa ending 4242``, or ``PayPal`` alone."""
    name = _BRANDS.get(brand, "Card")
    if not wallet:
        return f"{name} •••• {last4}"
    kept = _WALLETS.get(wallet, "Wallet")
    return f"{kept} · {name} ending {last4}" if last4 else kept
