"""What a merchant may decide about tax."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.kit.policies import Policy
from engine.kit.refusals import worded

Country = Annotated[str, Field(pattern="^[A-Z]{2}$"), worded("a country in two capital letters, such as DE")]
Place = Annotated[str, Field(pattern="^[A-Z]{2}(-[A-Z0-9]{1,3})?$"), worded("a country or region such as US or US-CA")]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$"), worded("a currency in three capital letters, such as EUR")]
Category = Annotated[str, Field(pattern="^[a-z_]{1,20}$"), worded("1 to 20 small letters and _")]
TaxCode = Annotated[str, Field(pattern="^txcd_[0-9]{8}$"), worded("a code such as txcd_10000000")]


class TaxPolicy(Policy):
    """Whether prices include tax, how it is rounded, and where the shop collects it."""

    section: ClassVar[str] = "tax"

    engine: Literal["tables", "stripe_tax"] = "tables"
    """Who works the tax of a sale out: the shop's own tables, or Stripe Tax by the key of the shop's Stripe account."""
    on_failure: Literal["refuse", "fallback"] = "refuse"
    """What becomes of a checkout when an engine that has to be asked does not answer: it cannot be paid now, or the
    tables say what is due and the order says so."""
    tax_codes: dict[Category, TaxCode] = Field(default_factory=dict)
    """Tax category of the shop → the code Stripe Tax knows such goods by; without one, what the account presets."""
    shipping_tax_code: TaxCode | None = None
    """The same for shipping."""
    prices_include_tax: bool = False
    """In every country and currency."""
    included_in_countries: tuple[Country, ...] = ()
    """Prices include tax for addresses there."""
    included_in_currencies: tuple[Currency, ...] = ()
    """Prices in these include tax."""
    rounding: Literal["line", "document"] = "line"
    """Once for each line, or once for each rate of the document."""
    registrations: tuple[Place, ...] | None = None
    """Where the shop collects tax: countries, or ``US-NY``. ``None``: wherever it has rates."""
    union: tuple[Country, ...] = ()
    """Countries to which ``within_union`` applies, the shop's own among them, such as those of the EU."""
    within_union: Literal["destination", "home"] = "destination"
    """Sales between them are taxed where the goods go, or at home as long as the shop is below the threshold (EU:
    10,000 EUR a year for all of them together, Directive 2006/112/EC art. 59c)."""
    untaxed_prices: Literal["keep", "without_tax"] = "keep"
    """Where prices include tax and none is due: the shopper pays the same, or the price without the tax of home."""
    import_notice: str = "Import duties and taxes are not in this price: the carrier collects them on delivery."
    """Said where goods leave the country and no tax is collected; empty: nothing."""

    @property
    def elsewhere(self) -> bool:
        """Whether somebody has to be asked over the network."""
        return self.engine != "tables"

    def includes(self, *, country: str, currency: str) -> bool:
        """Whether prices are shown with their tax in them."""
        listed = country in self.included_in_countries or currency in self.included_in_currencies
        return self.prices_include_tax or listed

    def supply(self, *, home: str, country: str) -> str:
        """The country whose rates hold for goods that go from ``home`` to ``country``."""
        united = home in self.union and country in self.union
        return home if united and self.within_union == "home" else country

    def registered(self, *, country: str, region: str) -> bool:
        """Whether the shop collects what a jurisdiction there asks for."""
        if self.registrations is None:
            return True
        return country in self.registrations or f"{country}-{region}" in self.registrations
