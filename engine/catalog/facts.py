"""What is said of a product beyond its description: facts with types, for shoppers, search and the agents."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
Sayings = Annotated[list[Words], Field(max_length=40)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Millimeters = Annotated[int, Field(strict=True, gt=0, le=100_000)]


class Faq(BaseModel):
    """A question that buyers ask, and its answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Words
    answer: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Dimensions(BaseModel):
    """The thing itself in use; its parcel's are the variant's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length_mm: Millimeters | None = None
    width_mm: Millimeters | None = None
    height_mm: Millimeters | None = None
    weight_g: Annotated[int, Field(strict=True, gt=0, le=10_000_000)] | None = None


class ProductFacts(BaseModel):
    """The typed part of ``products.facts``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: Sayings = []
    materials: Sayings = []
    compatibility: Sayings = []
    """What it works with or fits, and what it does not."""
    care: Annotated[str, StringConstraints(max_length=1000)] = ""
    constraints: Sayings = []
    """What it must not be used for, and where it ends: ``Not for induction hobs``."""
    safety: Sayings = []
    attributes: Annotated[dict[Name, str | int | bool], Field(max_length=60)] = {}
    """Facts a shopper compares: sleeps, waterproof, battery_hours, ..."""
    units: Annotated[dict[Name, Annotated[str, Field(min_length=1, max_length=12)]], Field(max_length=60)] = {}
    """Attribute → its unit: ``{"capacity": "l"}``."""
    dimensions: Dimensions | None = None
    faqs: Annotated[list[Faq], Field(max_length=30)] = []
    synonyms: Sayings = []
    """Other words shoppers use for it; they are searched, never shown."""


def said(facts: ProductFacts, option_names: list[str]) -> dict[str, Any]:
    """The column; what says nothing is left out."""
    kept = {name: value for name, value in facts.model_dump(mode="json", exclude_none=True).items() if value}
    return kept | {"option_names": option_names}
