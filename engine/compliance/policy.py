"""What may be sold where: sensible rules as data, which a shop adds to, replaces or turns off by their code."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.kit.policies import Policy

Code = Annotated[str, Field(pattern="^[a-z0-9_]{2,40}$")]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$")]
Region = Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9]{1,3}$")]
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
    reason: Words
    """Of a refusal: how the sentence goes on after the item's title. Of a notice: the whole of it."""
    instead: str = ""
    """What the shopper could do, a sentence."""

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

    def in_force(self) -> tuple[Rule, ...]:
        """The defaults that hold, then the shop's own."""
        replaced = {rule.code for rule in self.rules} | set(self.off)
        return tuple(rule for rule in DEFAULTS if rule.code not in replaced) + self.rules
