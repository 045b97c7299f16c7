"""What an agent says of a checkout, before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

INTERVENTIONS: Final = ("3ds",)
"""Interventions that the shop can lead a buyer through."""
EXTENSIONS: Final = ("discount",)


class Unsaid(Enum):
    """A part that was not mentioned stays as it is."""

    KEEP = "keep"


KEEP: Final = Unsaid.KEEP
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """So many of a variant."""

    id: str
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Selected:
    """Ways to deliver, each for some of the items: ids of variants or of line items."""

    type: str
    option_id: str
    item_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What create and update ask for. ``None`` clears a part; ``KEEP`` leaves it."""

    items: Sequence[Item] | Unsaid = KEEP
    buyer: Body | Unsaid | None = KEEP
    details: Body | Unsaid | None = KEEP
    """Whom it is fulfilled for: name, phone_number, email, address."""
    selected: Sequence[Selected] | Unsaid | None = KEEP
    groups: Sequence[Body] | Unsaid = KEEP
    codes: Sequence[str] | Unsaid = KEEP
    order_notes: str | Unsaid = KEEP

    @property
    def says_who(self) -> bool:
        """Whether the buyer may be another from now on."""
        return not (isinstance(self.buyer, Unsaid) and isinstance(self.details, Unsaid))


@dataclass(frozen=True, slots=True)
class Opening(Wish):
    """What only a creation can say."""

    currency: str = ""
    interventions: Sequence[str] = ()
    """Those that the agent can lead its buyer through."""
    extensions: Sequence[str] = ()
    locale: str | None = None
    timezone: str | None = None
    metadata: Body | None = None
    quote_id: str | None = None
    affiliate: Body | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """How it is to be paid, and what is said with it. Its ``repr`` shows no token."""

    token: str | None
    handler_id: str
    buyer: Body | None = None
    authentication: Mapping[str, Any] | None = None
    """``outcome`` and ``outcome_details`` of a 3-D Secure authentication."""
    affiliate: Body | None = None
    risk: Body | None = None
    marketing: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    order_notes: str | None = None
    details: Body | None = None
    by_people: bool = False
    """Terms that people of the shop have to agree to: a purchase order, an approval."""

    def __repr__(self) -> str:
        return f"Payment({self.handler_id})"
