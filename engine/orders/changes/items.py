"""Swapping items for other variants of the same product, all of them or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select

from engine.catalog.models import Product, Variant
from engine.catalog.prices import IN_FORCE
from engine.catalog.shop_file import StockPolicy
from engine.checkout import quotas
from engine.inventory import service as inventory
from engine.inventory.availability import recipes
from engine.inventory.items import bundled
from engine.inventory.service import Promise, PromiseKind
from engine.kit import clock
from engine.kit.direct import Statement
from engine.kit.gathering import Rows, fetch
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.orders import shares
from engine.orders.changes.address import rules_of
from engine.orders.changes.cancel import end_units, open_units
from engine.orders.changes.case import Case, effect_of
from engine.orders.changes.effect import Added, Effect
from engine.orders.changes.rules import RETURN_PATH
from engine.orders.changes.wanted import ItemsWanted, Swap
from engine.orders.errors import ChangeRefused, CountMismatch, ItemUnavailable, SameItem, WrongProduct, WrongStatus
from engine.orders.models import ChangeKind, OrderLine
from engine.returns import waived
from engine.returns.policy import ReturnsPolicy
from engine.shipping.pickup import fetched
from engine.tax import service as tax

_AHEAD: Final = frozenset({StockPolicy.BACKORDER, StockPolicy.PREORDER})


_VARIANTS: Final = Rows(Variant, "r.tenant_id = %(tenant)s AND r.id = ANY(%(ids)s)")
_SOLD: Final = Statement(f"""
SELECT v.id, p.title, p.category, p.tax_category, p.status,
  CASE WHEN %(home)s THEN coalesce(f.amount, v.price) ELSE f.amount END AS price
FROM app.variants v JOIN app.products p ON p.tenant_id = v.tenant_id AND p.id = v.product_id
LEFT JOIN LATERAL ({IN_FORCE}) f ON true
WHERE v.tenant_id = %(tenant)s AND v.id = ANY(%(ids)s)
""")  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class _Fact:
    """What there is to know of a variant that is wanted; without a price it is not sold in the order's currency."""

    variant: Variant
    id: str
    title: str
    category: str
    tax_category: str
    status: str
    price: int | None


@dataclass(frozen=True, slots=True)
class Move:
    """Units of one line that become units of another variant."""

    line: OrderLine
    to_variant_id: str
    quantity: int
    product_id: str | None = None
    """Of which it must be another variant, where that is not the line's own product: a part of a bundle."""


def work_out(case: Case, wanted: ItemsWanted) -> Effect:
    """New units cost today's price; what was taken off the old ones is taken off the new ones, as far as they cost
    as much; taxes are today's at the order's address. Shipping stays. Units that may be sold ahead of their stock come
    later, and say so.

    Raises ``WrongStatus``, ``CountMismatch``, ``SameItem``, ``WrongProduct``, ``ItemUnavailable``, ``OverQuota``,
    ``ChangeRefused``, and for the difference what ``methods.choose`` raises.
    """
    if all(line.ordered - line.canceled == line.shipped for line in case.parts.lines):
        raise WrongStatus(RETURN_PATH)
    if fetched(case.order.fulfillment):
        raise WrongStatus("What is fetched is not swapped: cancel it, and order the other item.")
    moves = _moves(case, wanted.swaps)
    if any(move.line.digital or move.line.way is not None for move in moves):
        raise WrongStatus("What goes its own way is not swapped: cancel it, and order the other item.")
    units: dict[str, int] = {}
    for move in moves:
        units[move.line.id] = units.get(move.line.id, 0) + move.quantity
    ended = [end_units(line, units[line.id], case.policy) for line in case.parts.lines if line.id in units]
    added = priced(case, moves, _discounts(moves, units), other=True)
    _check_fees(case, moves, added)
    back = sum(
        (shares.last_canceled(line, units[line.id]) for line in case.parts.lines if line.id in units), shares.NOTHING
    )
    return effect_of(
        case,
        ChangeKind.ITEMS,
        amount=sum(one.total for one in added) - back.total,
        tax=sum(one.tax for one in added) - back.tax,
        refund_to=wanted.refund_to,
        method_ref=wanted.payment_method_ref,
        ended=tuple(ended),
        added=tuple(added),
    )


def _check_fees(case: Case, moves: list[Move], added: list[Added]) -> None:
    """What was had in exchange without a restocking fee is not swapped for something cheaper: that would be an exchange
    for something cheap, in two steps. Raises ``ChangeRefused``.
    """
    if policy_of(case.session, case.order.tenant_id, ReturnsPolicy).exchange_restocking == "never":
        return
    for move, new in zip(moves, added, strict=True):
        if new.unit_price >= move.line.unit_price:
            continue
        ends = [(move.line.id, move.quantity)]
        if any(fee for _, fee in waived.fees_of(case.session, case.parts.lines, case.parts.applied, ends).values()):
            raise ChangeRefused("What came in exchange is not swapped for something cheaper. Cancel it, or return it.")


def _moves(case: Case, swaps: list[Swap]) -> list[Move]:
    """Which line gives which units: each unit once, lines in their order. Equal moves are one. Raises ``CountMismatch``
    for any of the swaps before anything else is said of one.
    """
    left = open_units(case)
    found: dict[tuple[str, str], Move] = {}
    for swap in swaps:
        still = swap.quantity
        for line in _sources(case, swap):
            take = min(still, left[line.id])
            if take:
                left[line.id] -= take
                still -= take
                before = found.get((line.id, swap.to_variant_id))
                units = take + (before.quantity if before else 0)
                found[line.id, swap.to_variant_id] = Move(line, swap.to_variant_id, units)
        if still:
            raise CountMismatch("The order has not so many of it that were not shipped.")
    return list(found.values())


def _sources(case: Case, swap: Swap) -> list[OrderLine]:
    return [line for line in case.parts.lines if swap.line_id == line.id or swap.variant_id == line.variant_id]


def priced(case: Case, moves: list[Move], off: list[int], *, other: bool = False) -> list[Added]:
    """The lines that take the place of the moves' units, at today's price and taxes; ``off`` is what was taken off
    the units of each, ``other``: none may be the same item again. Raises ``SameItem``, ``WrongProduct``,
    ``ItemUnavailable``, ``OverQuota``.
    """
    facts = _facts(case, moves, other=other)
    _check_quotas(case, moves, facts)
    address = case.order.ship_to or {}
    place = rules_of(case, address)
    promised, stock = _promises(case, moves, facts)
    made_of = {one: places[0].parts for one, places in stock.items() if places and places[0].parts}
    if unknown := sorted(facts.keys() - made_of.keys()):
        made_of |= recipes(case.session, case.order.tenant_id, unknown)
    found = []
    for move, discount in zip(moves, off, strict=True):
        new = _new_line(move, facts[move.to_variant_id], discount, place)
        waits = _waiting(move, new.title, promised)
        parts = {"components": bundled(move.to_variant_id, made_of[move.to_variant_id], new.unit_price)}
        found.append(new.model_copy(update=waits | parts))
    return found


def _check_quotas(case: Case, moves: list[Move], facts: dict[str, _Fact]) -> None:
    """Raises ``OverQuota``."""
    if not quotas.any_of(case.session, case.order.tenant_id):
        return
    ids = {move.line.product_id for move in moves}
    wanted = (Product.tenant_id == case.order.tenant_id, Product.id.in_(ids))
    categories = {
        row.id: row.category for row in case.session.execute(select(Product.id, Product.category).where(*wanted))
    }
    quotas.check_swap(
        case.session, case.order, [_swapped(move, facts[move.to_variant_id], categories) for move in moves]
    )


def _swapped(move: Move, fact: _Fact, categories: dict[str, str]) -> quotas.Swapped:
    new, line = fact.variant, move.line
    return quotas.Swapped(
        quotas.Goods(line.sku, line.product_id, categories.get(line.product_id, "")),
        quotas.Goods(new.sku, new.product_id, fact.category),
        fact.title,
        move.quantity,
    )


def _waiting(move: Move, title: str, promised: dict[str, Promise]) -> dict[str, Any]:
    """What of a move is promised for later; what is there goes to the first moves."""
    promise = promised[move.to_variant_id]
    now = min(move.quantity, promise.available_now)
    later = move.quantity - now
    promised[move.to_variant_id] = replace(promise, available_now=promise.available_now - now)
    if not later:
        return {}
    own = replace(promise, quantity=move.quantity, available_now=now, later=later)
    kind = str(promise.backorder_kind)
    return {"later": later, "promised_on": promise.promised_on, "backorder": kind, "notice": own.words(title)}


def _new_line(move: Move, fact: _Fact, discount: int, place: tax.Rules) -> Added:
    """Raises ``WrongStatus`` for what has no parcel: it would be somebody's at once, for good."""
    variant = fact.variant
    if variant.digital is not None:
        raise WrongStatus(f"{fact.title} has no parcel: cancel the other item, and order it.")
    assert fact.price is not None
    price = place.unit_price(fact.tax_category, fact.price)
    goods = price * move.quantity
    discount = min(discount, goods)
    taxed = place.bill([tax.Item(fact.tax_category, goods - discount, move.quantity)]).items[0]
    return Added(
        replaces_line_id=move.line.id,
        product_id=variant.product_id,
        variant_id=variant.id,
        sku=variant.sku,
        title=fact.title,
        options=variant.options,
        quantity=move.quantity,
        unit_price=price,
        unit_cost=variant.cost,
        discount=discount,
        tax=taxed.amount,
        taxes=[part.told() for part in taxed.parts],
        tax_included=place.included,
    )


def _discounts(moves: list[Move], units: dict[str, int]) -> list[int]:
    """What was taken off the units of each move: together exactly what the ended units had."""
    given: dict[str, int] = {}
    found = []
    for move in moves:
        line = move.line
        start = line.ordered - line.canceled - units[line.id] + given.get(line.id, 0)
        found.append(shares.worth(line, start, start + move.quantity).discount)
        given[line.id] = given.get(line.id, 0) + move.quantity
    return found


def _facts(case: Case, moves: list[Move], *, other: bool) -> dict[str, _Fact]:
    """The wanted variants, of the same product as what they replace, and sold in the order's currency. What is wrong is
    said of the first move that is.
    """
    home = case.session.get_one(Tenant, case.order.tenant_id).currency
    asked: dict[str, Any] = {"tenant": case.order.tenant_id, "ids": sorted({move.to_variant_id for move in moves})}
    asked |= {"home": case.order.currency == home, "currency": case.order.currency, "moment": clock.now()}
    variants, rows = fetch(case.session, (_VARIANTS, asked), (_SOLD, asked))
    of_id = {row["id"]: row for row in rows}
    facts = {one.id: _Fact(one, **of_id[one.id]) for one in variants if one.id in of_id}
    for move in moves:
        if other and move.to_variant_id == move.line.variant_id:
            raise SameItem("That is the same item again.")
        fact = facts.get(move.to_variant_id)
        if fact is None or fact.variant.product_id != (move.product_id or move.line.product_id):
            raise WrongProduct(f"{move.line.title} can only be swapped for another kind of the same.")
        if not fact.variant.sellable or fact.status != "active":
            raise ItemUnavailable(f"{fact.title} is not available like that.")
        if fact.price is None:
            raise ItemUnavailable(f"{fact.variant.title} is not sold in {case.order.currency}.")
    return facts


def _promises(case: Case, moves: list[Move], facts: dict[str, _Fact]) -> tuple[dict[str, Promise], inventory.Stock]:
    """What can be said of the wanted units, all of them together, and where they are. Raises ``ItemUnavailable``."""
    wanted: dict[str, int] = {}
    for move in moves:
        wanted[move.to_variant_id] = wanted.get(move.to_variant_id, 0) + move.quantity
    tenant_id = case.order.tenant_id
    stock = inventory.shippable(case.session, tenant_id, sorted(wanted))
    waits = {variant_id for variant_id, fact in facts.items() if fact.variant.stock_policy in _AHEAD}
    shared = inventory.together(wanted, stock, waits=waits)
    there = {one: inventory.clipped(places, shared.get(one, wanted[one])) for one, places in stock.items()}
    promised = inventory.promises(case.session, tenant_id, wanted, stock=there)
    for variant_id, promise in promised.items():
        if promise.kind == PromiseKind.UNAVAILABLE:
            raise ItemUnavailable(f"{facts[variant_id].title} is not available like that.")
    return promised, stock
