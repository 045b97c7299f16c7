"""A part of a checkout as if it were all of it: the lines that go one way."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.checkout.facts import Basket


@dataclass(frozen=True, slots=True)
class Part:
    """Priced by itself it has no codes and is paid by nobody: those are the whole's."""

    tenant_id: str
    id: str
    owner_id: str
    currency: str
    lines: list[Any]
    buyer: dict[str, Any]
    ship_to: dict[str, Any] | None
    fulfillment_option_id: str | None
    ways: dict[str, Any] = field(default_factory=dict)
    discount_codes: list[str] = field(default_factory=list)
    payment_method: dict[str, Any] | None = None
    tenders: list[Any] = field(default_factory=list)


def part_of(whole: Basket, variant_ids: Collection[str], option_id: str | None) -> Part:
    """These lines, by this way."""
    return Part(
        tenant_id=whole.tenant_id,
        id=whole.id,
        owner_id=whole.owner_id,
        currency=whole.currency,
        lines=[line for line in whole.lines if line["variant_id"] in variant_ids],
        buyer=whole.buyer,
        ship_to=whole.ship_to,
        fulfillment_option_id=option_id,
    )
