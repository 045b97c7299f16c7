"""A merchant's rules for what it sells in which currency."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from engine.kit.money import known_currency
from engine.kit.policies import Policy

CurrencyCode = Annotated[str, AfterValidator(known_currency)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class CatalogPolicy(Policy):
    """Currencies the shop sells in beside its own. An item without a price in one of them is not sold in it."""

    section: ClassVar[str] = "catalog"

    currencies: Annotated[tuple[CurrencyCode, ...], Field(max_length=40)] = ()
    currency_by_country: dict[Country, CurrencyCode] = Field(default_factory=dict)
    """Country → what a new cart is in when the shopper's address is there; others begin in the home currency."""
    names_unavailable_variants: bool = False
    """Whether a product tells of its variants that are not sold now, as not available; else only of those that are."""
