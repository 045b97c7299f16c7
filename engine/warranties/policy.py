"""A merchant's rules for warranties: for how long, for which faults, and what is done about them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.kit.policies import Policy
from engine.kit.refusals import worded
from engine.warranties.models import Resolution

Months = Annotated[int, Field(ge=0, le=600)]
Days = Annotated[int, Field(ge=0, le=3_650)]
Hours = Annotated[int, Field(ge=1, le=2_160)]
Term = Literal["rest", "anew"]


class Symptom(BaseModel):
    """One entry of the closed list of faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    code: Annotated[str, Field(pattern=r"[a-z][a-z0-9_]{0,59}"), worded("small letters, digits and _, a letter first")]
    text: Annotated[str, Field(min_length=1, max_length=120)]
    covered: bool = True
    """Whether the warranty is for such faults at all."""


class WarrantiesPolicy(Policy):
    """Terms are months from the day on which a unit arrived; ``extra_months_by_category`` adds to the product's own."""

    section: ClassVar[str] = "warranties"

    enabled: bool = True
    extra_months_by_category: dict[str, Months] = Field(default_factory=dict)
    excluded_categories: tuple[str, ...] = ()
    excluded_skus: tuple[str, ...] = ()
    """Units of these get no warranty, whatever their product says."""
    symptoms: Annotated[tuple[Symptom, ...], Field(min_length=1, max_length=50)] = (
        Symptom(code="does_not_turn_on", text="Does not turn on or stopped working"),
        Symptom(code="defective_part", text="A part broke or came loose"),
        Symptom(code="performs_badly", text="Works, but not as it should"),
        Symptom(code="material_fault", text="Seams, surface or material gave way"),
        Symptom(code="noise_or_heat", text="Unusual noise, smell or heat"),
        Symptom(code="wear", text="Ordinary wear", covered=False),
        Symptom(code="accident", text="Dropped, wet or otherwise damaged", covered=False),
        Symptom(code="other", text="Another fault"),
    )
    offers: Annotated[tuple[Resolution, ...], Field(min_length=1)] = tuple(Resolution)
    """What the shop may offer at all."""
    send_in_for: tuple[Resolution, ...] = (Resolution.REPAIR,)
    """For these the unit is sent in first, at the shop's cost; a repair always is."""
    replacement_term: Term = "rest"
    """Whether a replacement carries on the rest of the warranty, or has one anew."""
    replacement_min_days: Days = 90
    """The rest is at least this long."""
    exchange_term: Term = "anew"
    refund_to: Literal["original", "store_credit"] = "original"
    evidence_files: Annotated[int, Field(ge=0, le=50)] = 10
    """How many a claim may hold."""
    review_hours: Hours = 24
    """Until somebody takes a claim up."""
    decision_hours: Hours = 72
    """From then until it is decided."""
    repair_hours: Hours = 336
    """From the arrival of the unit until it is on its way back."""
    answer_days: Annotated[int, Field(ge=1, le=365)] = 14
    """How long a shopper has to answer, to choose, or to ask that a denial be looked at again."""
    send_within_days: Annotated[int, Field(ge=1, le=365)] = 21

    def symptom(self, code: str) -> Symptom | None:
        return next((one for one in self.symptoms if one.code == code), None)

    def months(self, category: str, sku: str, product_months: int) -> int:
        """The term of a unit; none without a warranty."""
        if not self.enabled or category in self.excluded_categories or sku in self.excluded_skus:
            return 0
        return product_months + self.extra_months_by_category.get(category, 0)

    def must_send_in(self, resolution: Resolution) -> bool:
        return resolution == Resolution.REPAIR or resolution in self.send_in_for
