"""Amounts at the edge: exact decimals there, minor units here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.kit.money import exponent, is_currency
from engine.sync.connectors.netsuite.wire import Named
from engine.sync.errors import FieldFault, Rejected


@dataclass(frozen=True)
class Currencies:
    """Which currency a record is in. ``currency`` of a connection's settings is the account's own, ``currencies`` says
    which id each one has.
    """

    settings: Mapping[str, Any]

    def code(self, told: Named | None) -> str:
        """ISO 4217; nothing where neither the record nor the settings say."""
        if told is None:
            return str(self.settings.get("currency", ""))
        if is_currency(told.ref_name):
            return told.ref_name
        known = self.settings.get("currencies")
        for code, number in known.items() if isinstance(known, Mapping) else ():
            if str(number) == told.id:
                return str(code)
        return ""

    def needed(self, told: Named | None) -> str:
        """Raises ``Rejected`` where nobody says which it is."""
        code = self.code(told)
        if not is_currency(code):
            words = "name the account's currencies in the connection's settings"
            raise Rejected("The ERP does not say in which currency this is.", fields=[FieldFault("currency", words)])
        return code


def minor(amount: Decimal, currency: str) -> int:
    """Minor units. Raises ``Rejected`` for an amount that has more places than its currency."""
    found = amount.scaleb(exponent(currency))
    if found != found.to_integral_value():
        raise Rejected("The ERP tells a fraction of a cent.", fields=[FieldFault("amount", str(amount))])
    return int(found)


def exact_minor(amount: Decimal | None, currency: str) -> int | None:
    """Minor units where there are whole ones and the currency is known."""
    if amount is None or not currency:
        return None
    found = amount.scaleb(exponent(currency))
    return int(found) if found == found.to_integral_value() else None


def major(amount: int, currency: str) -> Decimal:
    """An amount as the system writes it."""
    return Decimal(amount).scaleb(-exponent(currency))
