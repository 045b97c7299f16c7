"""What can be asked for. Only ids and words: prices, totals and who asks are never taken from here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from engine.kit.errors import InvalidInput
from engine.returns.models import Condition

Ref = Annotated[str, Field(min_length=1, max_length=60)]
Units = Annotated[int, Field(strict=True, ge=1, le=1_000)]
Part = Annotated[str, Field(max_length=200)]
RefundTarget = Ref
"""The way it was paid, the buyer's store credit, or a gift card, credit or saved way to pay of theirs by its id."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LineUnits(_Asked):
    """Some units of one line."""

    line_id: Ref
    quantity: Units


class CancelWanted(_Asked):
    """Cancel these units, or without ``lines`` everything that has not been shipped."""

    kind: Literal["cancel"]
    reason: Ref
    """A code of the shop's list."""
    lines: Annotated[list[LineUnits], Field(min_length=1, max_length=100)] | None = None
    refund_to: RefundTarget = "original"


class NewAddress(_Asked):
    name: Part
    line_one: Part
    line_two: Part = ""
    city: Part
    state: Part = ""
    postal_code: Part
    country: Part = ""


class AddressWanted(_Asked):
    """Send everything to another address; it replaces the old one whole."""

    kind: Literal["address"]
    ship_to: NewAddress
    payment_method_ref: Ref | None = None
    refund_to: RefundTarget = "original"


class PaymentMethodWanted(_Asked):
    """Pay the whole with another method; what the old one paid goes back to it."""

    kind: Literal["payment_method"]
    payment_method_ref: Ref


class Swap(_Asked):
    """Units of one line (or of one variant, whichever lines have it) for another variant of the same product."""

    line_id: Ref | None = None
    variant_id: Ref | None = None
    to_variant_id: Ref
    quantity: Units = 1

    @model_validator(mode="after")
    def _names_one(self) -> Swap:
        if (self.line_id is None) == (self.variant_id is None):
            raise ValueError("name either the line or the variant to be replaced")
        return self


class ItemsWanted(_Asked):
    """Swap items, all of them or none."""

    kind: Literal["items"]
    swaps: Annotated[list[Swap], Field(min_length=1, max_length=100)]
    payment_method_ref: Ref | None = None
    refund_to: RefundTarget = "original"


class BackUnits(_Asked):
    """Units of one line (or of one variant, whichever lines have it) that are to come back, why, and in which state."""

    line_id: Ref | None = None
    variant_id: Ref | None = None
    quantity: Units = 1
    reason: Ref
    """A code of the shop's list."""
    condition: Condition = Condition.UNOPENED
    component_variant_id: Ref | None = None
    """Only this part of a bundle; ``quantity`` counts its own units then."""
    exchange_variant_id: Ref | None = None
    """Another variant of the same product, to be sent instead."""

    @model_validator(mode="after")
    def _names_one(self) -> BackUnits:
        if (self.line_id is None) == (self.variant_id is None):
            raise ValueError("name either the line or the variant that is to come back")
        return self


class ReturnWanted(_Asked):
    """Send goods back that have arrived, for money, or all of them for other variants."""

    kind: Literal["return"]
    lines: Annotated[list[BackUnits], Field(min_length=1, max_length=100)]
    payment_method_ref: Ref | None = None
    refund_to: RefundTarget = "original"


Wanted = CancelWanted | AddressWanted | PaymentMethodWanted | ItemsWanted | ReturnWanted
AnyWanted = Annotated[Wanted, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Wanted] = TypeAdapter(AnyWanted)


def read(asked: Any) -> Wanted:
    """What was asked, checked for form. Raises ``InvalidInput`` naming the first part that cannot be."""
    try:
        return _ADAPTER.validate_python(asked)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "kind"
        raise InvalidInput(f"{where}: {first['msg']}.", param=where) from None
