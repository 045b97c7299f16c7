"""What promotions take off a basket: which apply, in what order, how much of it falls on which line, and why not.

A pure calculation; ``work_out`` is its door. All that are combinable apply together, one that is exclusive applies
alone: of these possibilities the one after which the buyer pays least is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from engine.carts.models import Discount, DiscountKind, Stacking
from engine.kit import clock
from engine.kit.money import allocate, format_minor, share_ppm

_PERCENT_PPM: Final = 10_000
MOST_AUTOMATIC: Final = 20
"""Automatic promotions of a shop that have not ended: each is looked at for every basket."""
MOST_NAMED: Final = 200
"""Products and collections that a promotion names."""
Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=80)], ...], Field(max_length=MOST_NAMED)]
Units = Annotated[int, Field(strict=True, ge=1, le=99)]
Minor = Annotated[int, Field(strict=True, ge=0, le=100_000_000)]


class Rules(BaseModel):
    """What a promotion is for besides ``category``, and what it asks for besides ``minimum``: any of the products or
    collections; without any of the three, everything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    products: Names = ()
    """Ids."""
    collections: Names = ()
    """Slugs."""
    minimum_quantity: Annotated[int, Field(strict=True, ge=0, le=999)] = 0
    """Units of what it is for."""
    buy: Units | None = None
    """``buy_get``: so many units of what it is for …"""
    get: Units | None = None
    """… give so many others for ``get_percent`` less: the cheapest of those that it gives."""
    get_percent: Annotated[int, Field(strict=True, ge=1, le=100)] = 100
    get_products: Names = ()
    get_collections: Names = ()
    get_category: str | None = None
    """Without any of the three, it gives what it is for."""
    most_sets: Units | None = None
    """How often ``buy`` units count in one order."""
    shipping_up_to: Minor | None = None
    """``free_shipping``: ways that cost no more than this, in the home currency; any without it."""


@dataclass(frozen=True, slots=True)
class Discountable:
    """A line as promotions see it: what it is, and what it costs before them."""

    category: str
    base: int
    product_id: str = ""
    collections: tuple[str, ...] = ()
    quantity: int = 1

    @property
    def unit(self) -> int:
        return self.base // self.quantity


@dataclass(frozen=True)
class Offered:
    """A promotion, and what this buyer's orders have to do with it."""

    row: Discount
    by_buyer: int = 0
    """Uses of it by the buyer that count."""
    returning: bool = False
    """Whether the buyer has ordered before; only known where ``first_order_only``."""

    @cached_property
    def rules(self) -> Rules:
        return Rules.model_validate(self.row.rules or {})

    @property
    def label(self) -> str:
        return f"{self.row.title} ({self.row.code})" if self.row.code else self.row.title

    @property
    def name(self) -> str:
        return self.row.code or self.row.title

    def is_for(self, line: Discountable) -> bool:
        return _in_scope(line, self.row.category, self.rules.products, self.rules.collections)

    def gives(self, line: Discountable) -> bool:
        """Whether ``buy_get`` may give the line."""
        rules = self.rules
        if not (rules.get_category or rules.get_products or rules.get_collections):
            return self.is_for(line)
        return _in_scope(line, rules.get_category, rules.get_products, rules.get_collections)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a promotion asks for and gives in one currency, in its minor units."""

    amount_off: int
    minimum: int
    shipping_up_to: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What one promotion takes off, and so has one use of."""

    discount_id: str
    label: str
    amount: int
    shipping: int = 0
    per_line: tuple[int, ...] = field(default=(), compare=False)
    """What of ``amount`` is taken off each line."""
    row: Discount | None = field(default=None, compare=False)
    """The promotion itself."""


class Why(StrEnum):
    """Why a code takes nothing off, in the words of the protocols."""

    EXPIRED = "discount_code_expired"
    INVALID = "discount_code_invalid"
    REPEATED = "discount_code_already_applied"
    NOT_COMBINABLE = "discount_code_combination_disallowed"
    TOO_LITTLE = "discount_code_minimum_not_met"
    NOT_FOR_BUYER = "discount_code_user_ineligible"
    USED_UP = "discount_code_usage_limit_reached"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A code that takes nothing off, and why."""

    code: str
    why: Why
    words: str
    problem: bool
    """Whether it has to be put right before buying; else it is good to know."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Minor units taken off each line, what did it, which codes did not, and whether shipping is free, for ways up to
    how much.
    """

    per_line: tuple[int, ...]
    taken: tuple[Taken, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    free_shipping: tuple[Offered, int | None] | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What has to be put right before buying."""
        return tuple(one.words for one in self.left_out if one.problem)

    @property
    def notices(self) -> tuple[str, ...]:
        """What is good to know."""
        return tuple(one.words for one in self.left_out if not one.problem)

    @property
    def off(self) -> int:
        return sum(self.per_line)

    def shipping_off(self, amount: int) -> int:
        """What of a way's price ``amount`` is taken off."""
        if self.free_shipping is None:
            return 0
        _, up_to = self.free_shipping
        return amount if up_to is None or amount <= up_to else 0


_Able = tuple[Offered, Terms]
ShippingCost = Callable[[int], int]


def _nothing(_goods: int) -> int:
    return 0


def work_out(
    known: Sequence[Offered],
    codes: Sequence[str],
    lines: Sequence[Discountable],
    currency: str,
    *,
    home: str,
    shipping: ShippingCost = _nothing,
) -> Applied:
    """What the automatic promotions among ``known`` and ``codes`` take off. A code counts once. ``home`` is the
    currency of the promotions' own columns; ``shipping`` says what the chosen way costs for so much worth of goods.
    """
    if not (known or codes):
        return Applied(tuple(0 for _ in lines))
    able, problems = _able(known, codes, lines, currency, home)
    best = _best(able, lines, shipping)
    used = {one.discount_id for one in best.taken}
    said = [_left_out(offered, best) for offered, _ in able if offered.row.code and offered.row.id not in used]
    return Applied(best.per_line, best.taken, (*problems, *said), best.free_shipping)


def _able(
    known: Sequence[Offered], codes: Sequence[str], lines: Sequence[Discountable], currency: str, home: str
) -> tuple[list[_Able], list[LeftOut]]:
    """Those that can apply, automatic ones first, and why codes cannot."""
    by_code = {one.row.code: one for one in known if one.row.code}
    able: list[_Able] = []
    problems: list[LeftOut] = []
    wanted: list[tuple[str | None, Offered | None]] = [(None, one) for one in known if not one.row.code]
    wanted += [(code, by_code.get(code)) for code in dict.fromkeys(codes)]
    for code, offered in wanted:
        terms = terms_of(offered.row, currency, home=home) if offered else None
        problem = _refusal(offered, terms, code or "", lines, currency)
        if problem is None and offered and terms:
            able.append((offered, terms))
        elif code and problem:
            problems.append(problem)
    return able, problems


def _best(able: Sequence[_Able], lines: Sequence[Discountable], shipping: ShippingCost) -> Applied:
    together = [one for one in able if one[0].row.stacking != Stacking.EXCLUSIVE]
    alone = [[one] for one in able if one[0].row.stacking == Stacking.EXCLUSIVE]
    if not alone:
        return _apply(together, lines, shipping)
    goods = sum(line.base for line in lines)

    def to_pay(possible: Applied) -> int:
        cost = shipping(goods - possible.off)
        return goods - possible.off + cost - possible.shipping_off(cost)

    possible = [_apply(chosen, lines, shipping) for chosen in (together, *alone)]
    return min(possible, key=to_pay)


def _apply(chosen: Sequence[_Able], lines: Sequence[Discountable], shipping: ShippingCost) -> Applied:
    """Each on what the ones before left of each line; never more than that."""
    left = [line.base for line in lines]
    taken: list[Taken] = []
    free: tuple[Offered, int | None] | None = None
    for offered, terms in sorted(chosen, key=_turn):
        if offered.row.kind == DiscountKind.FREE_SHIPPING:
            free = free if free and _wider(free[1], terms.shipping_up_to) else (offered, terms.shipping_up_to)
            continue
        parts = _parts(offered, terms, lines, left)
        if any(parts):
            left = [rest - part for rest, part in zip(left, parts, strict=True)]
            taken.append(Taken(offered.row.id, offered.label, sum(parts), 0, tuple(parts), offered.row))
    per_line = tuple(line.base - rest for line, rest in zip(lines, left, strict=True))
    whole = Applied(per_line, tuple(taken), free_shipping=free)
    return _with_shipping(whole, sum(left), shipping)


def _with_shipping(whole: Applied, goods: int, shipping: ShippingCost) -> Applied:
    saved = whole.shipping_off(shipping(goods))
    if whole.free_shipping is None or not saved:
        return whole
    row = whole.free_shipping[0]
    mine = Taken(row.row.id, row.label, 0, saved, (), row.row)
    return Applied(whole.per_line, (*whole.taken, mine), free_shipping=whole.free_shipping)


def _wider(one: int | None, other: int | None) -> bool:
    return one is None or (other is not None and one >= other)


def _turn(one: _Able) -> tuple[int, int]:
    """Higher priorities first; else in the order in which most is taken off."""
    row = one[0].row
    if row.kind == DiscountKind.BUY_GET:
        rank = 0
    elif row.percent_off is not None:
        rank = 1
    else:
        rank = 2
    return -(row.priority or 0), rank


def _parts(offered: Offered, terms: Terms, lines: Sequence[Discountable], left: Sequence[int]) -> list[int]:
    """What it takes off each line, of what is left of it; by largest remainder."""
    if offered.row.kind == DiscountKind.BUY_GET:
        return _given(offered, lines, left)
    weights = [rest if offered.is_for(line) else 0 for line, rest in zip(lines, left, strict=True)]
    eligible = sum(weights)
    if offered.row.percent_off is not None:
        worth = share_ppm(eligible, offered.row.percent_off * _PERCENT_PPM)
    else:
        worth = min(terms.amount_off, eligible)
    return allocate(worth, weights)


def _given(offered: Offered, lines: Sequence[Discountable], left: Sequence[int]) -> list[int]:
    """The cheapest units that may be given, with enough others kept to be the ones that were bought."""
    rules, parts = offered.rules, [0] * len(lines)
    sets, spare = _sets(offered, lines)
    wanted = sets * (rules.get or 0)
    for index in sorted(range(len(lines)), key=lambda i: (lines[i].unit, i)):
        line = lines[index]
        if not offered.gives(line) or not wanted:
            continue
        units = min(line.quantity, wanted)
        if offered.is_for(line):
            units = min(units, spare)
            spare -= units
        wanted -= units
        parts[index] = min(left[index], share_ppm(line.unit * units, rules.get_percent * _PERCENT_PPM))
    return parts


def _sets(offered: Offered, lines: Sequence[Discountable]) -> tuple[int, int]:
    """How often it was bought with enough to be given, and how many units of what it is for may be given away."""
    rules = offered.rules
    buy, get = rules.buy or 1, rules.get or 1
    bought = _units(line for line in lines if offered.is_for(line))
    given = _units(line for line in lines if offered.gives(line))
    either = _units(line for line in lines if offered.is_for(line) or offered.gives(line))
    sets = min(bought // buy, given // get, either // (buy + get), rules.most_sets or 99)
    return sets, bought - sets * buy


def _units(lines: Iterable[Discountable]) -> int:
    return sum(line.quantity for line in lines)


def _in_scope(line: Discountable, category: str | None, products: Sequence[str], collections: Sequence[str]) -> bool:
    if not (category or products or collections):
        return True
    return line.category == category or line.product_id in products or not set(collections).isdisjoint(line.collections)


def terms_of(row: Discount, currency: str, *, home: str) -> Terms | None:
    """The terms in a currency; ``None`` where it has no meaning. Nothing is converted: what is worth money, or asks
    for a minimum, says so for each currency; a plain percentage is one in any.
    """
    up_to: int | None = (row.rules or {}).get("shipping_up_to")
    if currency == home:
        return Terms(row.amount_off or 0, row.minimum or 0, up_to)
    said: dict[str, Any] | None = (row.amounts or {}).get(currency)
    if said is None:
        needed = row.amount_off is not None or row.minimum or up_to is not None
        return None if needed else Terms(0, 0)
    if (row.amount_off is not None and said.get("amount_off") is None) or (
        up_to is not None and said.get("shipping_up_to") is None
    ):
        return None
    return Terms(said.get("amount_off") or 0, said.get("minimum") or 0, said.get("shipping_up_to"))


def _refusal(
    offered: Offered | None, terms: Terms | None, code: str, lines: Sequence[Discountable], currency: str
) -> LeftOut | None:
    """Why it does not apply to the basket; ``None`` when it does."""
    row = offered.row if offered else None
    if words := not_now(row, code):
        return LeftOut(code, _why_not_now(row), words, problem=True)
    if offered and (words := not_for(offered, code)):
        return LeftOut(code, Why.NOT_FOR_BUYER, words, problem=True)
    if offered is None or terms is None:
        return LeftOut(code, Why.INVALID, not_in(code, currency), problem=True)
    words = _too_little(offered, terms, code, lines, currency)
    return LeftOut(code, Why.TOO_LITTLE, words, problem=True) if words else None


def _why_not_now(row: Discount | None) -> Why:
    if row is None or (row.starts_at and row.starts_at > clock.now()):
        return Why.INVALID
    return Why.EXPIRED if row.ends_at and row.ends_at <= clock.now() else Why.USED_UP


def _too_little(offered: Offered, terms: Terms, code: str, lines: Sequence[Discountable], currency: str) -> str:
    mine = [line for line in lines if offered.is_for(line)]
    if sum(line.base for line in lines) < terms.minimum:
        return f"{code} needs goods worth {format_minor(terms.minimum, currency)}."
    if not mine:
        return f"{code} is for {_scope_words(offered)} only."
    if _units(mine) < offered.rules.minimum_quantity:
        return f"{code} needs {offered.rules.minimum_quantity} of what it is for."
    if offered.row.kind == DiscountKind.BUY_GET and not _sets(offered, lines)[0]:
        return f"{code} needs {offered.rules.buy} bought and {offered.rules.get} more in the cart."
    return ""


def _scope_words(offered: Offered) -> str:
    bare = not (offered.rules.products or offered.rules.collections)
    return offered.row.category if bare and offered.row.category else "other items"


def not_now(row: Discount | None, code: str) -> str:
    """Why a code cannot be used at this moment, whatever is bought; empty when it can."""
    now = clock.now()
    if row is None or (row.starts_at and row.starts_at > now):
        return f"{code} is not a code of this shop."
    if row.ends_at and row.ends_at <= now:
        return f"{code} has expired."
    if row.usage_limit is not None and row.used >= row.usage_limit:
        return f"{code} has been used up."
    return ""


def not_for(offered: Offered, code: str) -> str:
    """Why this buyer cannot use it; empty when they can."""
    row = offered.row
    if row.first_order_only and offered.returning:
        return f"{code} is for a first order."
    if row.per_customer_limit is not None and offered.by_buyer >= row.per_customer_limit:
        times = "once" if row.per_customer_limit == 1 else f"{row.per_customer_limit} times"
        return f"{code} can be used {times} by each customer."
    return ""


def not_in(code: str, currency: str) -> str:
    """The refusal of a code that has no terms in a currency."""
    return f"{code} cannot be used in {currency}."


def _left_out(offered: Offered, best: Applied) -> LeftOut:
    """Why a good code takes nothing off."""
    return LeftOut(offered.name, Why.NOT_COMBINABLE, _left_out_words(offered, best), problem=False)


def _left_out_words(offered: Offered, best: Applied) -> str:
    others = ", ".join(one.label for one in best.taken)
    if not others:
        return f"{offered.name} takes nothing off this order."
    if offered.row.stacking == Stacking.EXCLUSIVE:
        return f"{offered.name} cannot be combined with {others}, which take more off."
    return f"{offered.name} takes nothing off beside {others}."
