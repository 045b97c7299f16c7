"""A merchant's rules for what it sells in which currency."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from engine.kit.money import known_currency
from engine.kit.policies import Policy
from engine.kit.refusals import worded

CurrencyCode = Annotated[str, AfterValidator(known_currency)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), worded("a country in two capital letters, such as DE")]


class CatalogPolicy(Policy):
    """Currencies the shop sells in beside its own. An item without a price in one of them is not sold in it."""

    section: ClassVar[str] = "catalog"

    currencies: Annotated[tuple[CurrencyCode, ...], Field(max_length=40)] = ()
    currency_by_country: dict[Country, CurrencyCode] = Field(default_factory=dict)
    """Country → what a new cart is in when the shopper's address is there; others begin in the home currency."""
    names_unavailable_variants: bool = False
    """Whether a product tells of its variants that are not sold now, as not available; else only of those that are."""
    platform_fresh_minutes: Annotated[int, Field(ge=0, le=10_080)] = 60
    """How old what we know of a product may be when it is sold, of products that another platform sells as well: it is
    asked for anew before the money is taken.
    """
    platform_sells_unasked: bool = False
    """Whether such a product is sold as it was known last where its platform cannot be asked; else not until it can."""
    platform_weight_g: Annotated[int, Field(ge=1, le=10_000_000)] = 500
    """What a new product of a platform is taken to weigh until somebody says better: it comes as a draft."""
