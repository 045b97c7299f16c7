"""What may be sold where: sensible rules as data, which a shop adds to, replaces or turns off by their code."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.kit import clock
from engine.kit.policies import Policy
from engine.kit.refusals import worded

MAX_DAYS: Final = 366
Code = Annotated[str, Field(pattern="^[a-z0-9_]{2,40}$"), worded("2 to 40 small letters, digits and _")]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$"), worded("a country in two capital letters, such as DE")]
Region = Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9]{1,3}$"), worded("a region such as US-CA")]
Words = Annotated[str, Field(min_length=3, max_length=300)]


class Rule(BaseModel):
    """What holds for items that carry ``tag``. It applies where any of its places fits, and everywhere without any."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code
    tag: Code
    effect: Literal["refuse", "ground_only", "notice"]
    abroad: bool = False
    """Any country but the shop's own."""
    countries: tuple[Country, ...] = ()
    regions: tuple[Region, ...] = ()
    po_box: bool = False
    valid_from: date | None = None
    """The first day on which it holds; ``None``: it always has."""
    valid_to: date | None = None
    """The last one."""
    reason: Words
    """Of a refusal: how the sentence goes on after the item's title. Of a notice: the whole of it."""
    instead: str = ""
    """What the shopper could do, a sentence."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Rule:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("a rule cannot end before it starts")
        return self

    def holds(self, on: date) -> bool:
        """Whether it is in force that day."""
        return (self.valid_from or on) <= on <= (self.valid_to or on)

    def applies(self, *, home: str, country: str, region: str, po_box: bool) -> bool:
        anywhere = not (self.abroad or self.countries or self.regions or self.po_box)
        here = country in self.countries or f"{country}-{region}" in self.regions
        return anywhere or here or (self.abroad and country != home) or (self.po_box and po_box)


_OUTSIDE: Final = tuple(f"US-{code}" for code in ("AK", "HI", "PR", "GU", "VI", "AS", "MP", "AA", "AE", "AP"))

DEFAULTS: Final = (
    Rule(
        code="lithium_by_air",
        tag="lithium_battery",
        effect="refuse",
        abroad=True,
        regions=_OUTSIDE,
        reason="has a lithium battery, which may not go abroad or to Alaska, Hawaii and the territories",
    ),
    Rule(
        code="flammable_by_air",
        tag="flammable",
        effect="refuse",
        abroad=True,
        regions=_OUTSIDE,
        reason="is flammable and cannot leave the lower 48 states",
    ),
    Rule(
        code="domestic_only",
        tag="domestic_only",
        effect="refuse",
        abroad=True,
        reason="is sold in the United States only",
    ),
    Rule(
        code="blade_by_post",
        tag="blade",
        effect="refuse",
        countries=("GB",),
        reason="is a blade, which may not be posted to the United Kingdom",
    ),
    Rule(
        code="oversize_po_box",
        tag="oversize",
        effect="refuse",
        po_box=True,
        reason="is too large for a PO box; it needs a street address",
    ),
    Rule(code="lithium_ground", tag="lithium_battery", effect="ground_only", reason="Lithium batteries do not fly."),
    Rule(code="flammable_ground", tag="flammable", effect="ground_only", reason="Flammables do not fly."),
    Rule(
        code="adult_21",
        tag="age_21",
        effect="notice",
        reason="An adult of 21 or older must sign for this delivery.",
    ),
    Rule(
        code="adult_18",
        tag="age_18",
        effect="notice",
        reason="An adult of 18 or older must sign for this delivery.",
    ),
    Rule(
        code="adult_18_blade",
        tag="blade",
        effect="notice",
        reason="An adult of 18 or older must sign for this delivery.",
    ),
    Rule(
        code="california_65",
        tag="prop_65",
        effect="notice",
        regions=("US-CA",),
        reason="Warning: something in this order can expose you to chemicals known to the State of California to cause"
        " cancer or birth defects. See www.P65Warnings.ca.gov.",
    ),
)


class Limit(BaseModel):
    """How much of some goods one order, or one customer, may have: all that any of its lists names count together, and
    everything where no list is given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code
    skus: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    """Ids."""
    categories: tuple[str, ...] = ()
    per_order: Annotated[int, Field(ge=1)] | None = None
    per_customer: Annotated[int, Field(ge=1)] | None = None
    """Units that were not canceled, in the orders of the last ``days`` days and this one."""
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 30

    @model_validator(mode="after")
    def _limits_something(self) -> Limit:
        if self.per_order is None and self.per_customer is None:
            raise ValueError("a limit says per_order, per_customer or both")
        return self

    def names(self, *, sku: str, product_id: str, category: str) -> bool:
        """Whether goods count."""
        anything = not (self.skus or self.products or self.categories)
        return anything or sku in self.skus or product_id in self.products or category in self.categories


class CompliancePolicy(Policy):
    """Restrictions of goods by place, countries that nothing is sent to, and how much one order may hold."""

    section: ClassVar[str] = "compliance"

    rules: tuple[Rule, ...] = ()
    """The shop's own; one with the code of a default takes its place."""
    off: tuple[Code, ...] = ()
    """Codes of defaults that do not hold here."""
    embargoed: tuple[Country, ...] = ("CU", "IR", "KP", "SY")
    """Nothing is sent there, whatever the zones say."""
    max_per_order: dict[Code, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Tag → most units of such items in one order."""

    limits: tuple[Limit, ...] = ()
    """Most units of goods in one order, or for one customer in some days."""

    def in_force(self, on: date | None = None) -> tuple[Rule, ...]:
        """The defaults that hold, then the shop's own, as of a day; today unless said."""
        day = on or clock.now().date()
        replaced = {rule.code for rule in self.rules if rule.holds(day)} | set(self.off)
        own = tuple(rule for rule in self.rules if rule.holds(day))
        return tuple(rule for rule in DEFAULTS if rule.code not in replaced) + own

    @model_validator(mode="after")
    def _codes_are_once(self) -> CompliancePolicy:
        if len({limit.code for limit in self.limits}) != len(self.limits):
            raise ValueError("two limits have one code")
        return self
