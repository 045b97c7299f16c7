"""A checkout as its agent sees it: the price of the moment, or of its order, and what is to be said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.agentic.messages import Message
from engine.agentic.policy import AgenticPolicy
from engine.agentic.session_models import AgentSession
from engine.carts.promotions import LeftOut, Taken
from engine.checkout.delivery import Way
from engine.checkout.facts import Shop
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.checkout.pricing import PricedLine, Quote
from engine.kit.policies import read_policy
from engine.orders.models import Order, OrderLine
from engine.orders.ways import way_of
from engine.runtime import Runtime
from engine.shipping.service import Option
from engine.tax.engine import Question

Body = dict[str, Any]
_LINE: Final = "li_"


@dataclass(frozen=True, slots=True)
class Door:
    """Where the shop is reached. ``origin``: scheme and host of its pages, for a shop without a host of its own."""

    runtime: Runtime
    origin: str


@dataclass(frozen=True, slots=True)
class Bill:
    """What it costs: quoted now, or as ordered. ``totals`` are rows of {type, display_text, amount, included?}."""

    lines: Sequence[PricedLine]
    options: Sequence[Option]
    selected: Option | None
    totals: Sequence[Mapping[str, Any]]
    taxes: Sequence[Mapping[str, Any]]
    tax_included: bool
    promotions: Sequence[Taken] = ()
    left_out: Sequence[LeftOut] = ()
    ways: Sequence[Way] = ()
    """Every way with its lines, where not all of them go the selected one."""

    @classmethod
    def of(cls, quote: Quote) -> Bill:
        """The price of the moment."""
        return cls(
            quote.lines,
            quote.options,
            quote.selected,
            quote.totals(),
            quote.taxes,
            quote.tax_included,
            quote.promotions,
            quote.left_out,
            quote.ways,
        )

    @classmethod
    def ordered(cls, order: Order, lines: Sequence[OrderLine], taken: Sequence[Taken] = ()) -> Bill:
        """What was agreed to, and what promotions took off it."""
        priced = [_as_priced(line) for line in lines]
        way, went = _option(order.fulfillment), _ways(order, lines)
        return cls(priced, (way,), way, order.totals, order.taxes, order.tax_included, taken, ways=went)


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that is told of a session, before it is put in the protocol's words."""

    checkout: CheckoutSession
    extra: AgentSession
    shop: Shop
    bill: Bill
    status: SessionStatus
    messages: tuple[Message, ...]
    order: Body | None = None
    """The order in the protocol's shape, once it is placed."""
    continue_path: str | None = None
    """Where on our origin a human goes on."""
    asks: Question | None = None
    """What somebody else's tax engine has to be asked, between two transactions, before it can be paid."""

    @property
    def policy(self) -> AgenticPolicy:
        return read_policy(dict(self.shop.settings), AgenticPolicy)


def _option(kept: Mapping[str, Any]) -> Option:
    """A way to deliver as an order keeps it."""
    return Option(**{**kept, "surcharges": tuple(kept.get("surcharges", ()))})


def _ways(order: Order, lines: Sequence[OrderLine]) -> list[Way]:
    """The ways of an order's lines, where there are several."""
    if not any(line.digital or line.way for line in lines):
        return []
    options, ids = {}, defaultdict(list)
    for line in sorted(lines, key=lambda line: (line.digital, line.way is not None)):
        kept = way_of(order, line)
        options[kept["id"]] = _option(kept)
        ids[kept["id"]].append(line.variant_id)
    return [Way(tuple(ids[one]), option) for one, option in options.items()]


def line_id(variant_id: str) -> str:
    """The id of a session's line: one for each variant, the same as long as it is in there."""
    return _LINE + variant_id.rpartition("_")[2]


def told_type(option: Option) -> str:
    """The kind of a way to deliver as it is told: a pickup whose place nobody names is told as shipping."""
    return "shipping" if option.type == "pickup" and not option.fetched else option.type


def _as_priced(line: OrderLine) -> PricedLine:
    return PricedLine(
        variant_id=line.variant_id,
        product_id=line.product_id,
        sku=line.sku,
        title=line.title,
        options=line.options,
        category="",
        collections=(),
        tax_category="",
        restrictions=(),
        weight_g=0,
        size_mm=(0, 0, 0),
        quantity=line.ordered,
        unit_price=line.unit_price,
        unit_cost=0,
        available=line.ordered,
        discount=line.discount,
        tax=line.tax,
        taxes=tuple(line.taxes),
        tax_included=line.tax_included,
    )
