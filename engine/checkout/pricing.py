"""The one price engine: what a checkout session costs at this moment. Whatever shows or takes money asks here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from engine.carts.promotions import Applied, Discountable, LeftOut, Taken, work_out
from engine.checkout import facts, quotas, ways
from engine.checkout.delivery import Delivery, Way, dated
from engine.checkout.duty import duty
from engine.checkout.facts import Basket, Facts, Shop
from engine.checkout.routed import routed
from engine.customers.addresses import missing_parts
from engine.fulfillment.routing import Plan
from engine.inventory import service as inventory
from engine.inventory.errors import OutOfStock
from engine.inventory.items import Recipe, bundled
from engine.kit import clock
from engine.payments.tenders import Purse
from engine.shipping import digital
from engine.shipping import service as shipping
from engine.tax import service as taxes
from engine.tax.engine import Question
from engine.tax.models import TaxSource


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with today's price; amounts in minor units."""

    variant_id: str
    product_id: str
    sku: str
    title: str
    options: dict[str, Any]
    category: str
    collections: tuple[str, ...]
    tax_category: str
    restrictions: tuple[str, ...]
    weight_g: int
    size_mm: tuple[int, int, int]
    quantity: int
    unit_price: int
    unit_cost: int
    available: int
    alone: int = 0
    """What could ship if nothing else were wanted that takes the same parts."""
    parts: Recipe = ()
    """What a unit takes from the shelf."""
    promise: inventory.Promise | None = None
    """What was found out about units that are not there."""
    discount: int = 0
    tax: int = 0
    taxes: tuple[dict[str, Any], ...] = ()
    """Whose the tax is: {jurisdiction, level, rate_ppm, amount}."""
    tax_included: bool = False
    """Whether the tax is within the price."""

    @property
    def base(self) -> int:
        return self.unit_price * self.quantity

    @property
    def total(self) -> int:
        """What is paid for it."""
        return self.base - self.discount + (0 if self.tax_included else self.tax)

    @property
    def later(self) -> int:
        """Units that are promised for later; the others ship at once."""
        return self.promise.later if self.promise else 0

    @property
    def now(self) -> int:
        return self.quantity - self.later

    @property
    def notice(self) -> str:
        """What the shopper must know before agreeing: what is not there, and when it is promised."""
        return self.promise.words(self.title) if self.promise and self.later else ""

    @property
    def components(self) -> list[dict[str, Any]]:
        """Of a bundle: [{variant_id, quantity, price, share}] per unit."""
        return bundled(self.variant_id, self.parts, self.unit_price)


@dataclass(frozen=True, slots=True)
class Tender:
    """A part of the total that stored value pays."""

    purse: Purse
    amount: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A price and everything it rests on. ``problems`` stand in the way of buying; ``missing`` is still to be said."""

    shop: Shop
    lines: tuple[PricedLine, ...]
    options: tuple[shipping.Option, ...]
    selected: shipping.Option | None
    promotions: tuple[Taken, ...]
    """What takes something off, each to be used once by the sale."""
    tax_name: str
    shipping_tax: int
    """Within ``fee`` where prices include tax."""
    problems: tuple[str, ...]
    missing: tuple[str, ...]
    tenders: tuple[Tender, ...] = ()
    tax_included: bool = False
    taxes: tuple[dict[str, Any], ...] = ()
    """Whose the tax of the whole is: {jurisdiction, level, rate_ppm, amount}."""
    notices: tuple[str, ...] = ()
    """What the shopper must know before agreeing."""
    left_out: tuple[LeftOut, ...] = ()
    """Codes that take nothing off."""
    full_fee: int = 0
    """What the chosen way to ship costs before promotions."""
    plan: Plan | None = None
    """Where what ships at once is to be reserved; ``None`` while that is not known, or when nothing does."""
    tax_source: TaxSource = TaxSource.TABLES
    tax_calculation_id: str | None = None
    """What the engine that worked the tax out calls it."""
    goes_to: dict[str, Any] | None = None
    """The address, or the place where it is fetched."""
    asks: Question | None = None
    """What that engine still has to be asked: until then nothing can be paid."""
    ways: tuple[Way, ...] = ()
    """Every way and its lines, where not all of them go the selected one or are digital."""

    @property
    def items(self) -> int:
        return sum(line.base for line in self.lines)

    @property
    def discount(self) -> int:
        return sum(line.discount for line in self.lines)

    @property
    def tax(self) -> int:
        return sum(line.tax for line in self.lines) + self.shipping_tax

    @property
    def fee(self) -> int:
        """What is asked for shipping, with its tax where prices include it."""
        if self.ways:
            return sum(way.option.amount for way in self.ways if way.option)
        return self.selected.amount if self.selected else 0

    @property
    def digital(self) -> frozenset[str]:
        """The variants that have no parcel."""
        return frozenset(one for way in self.ways if way.is_digital for one in way.variant_ids)

    @property
    def shipping(self) -> int:
        """What is asked for shipping, without tax."""
        return self.fee - (self.shipping_tax if self.tax_included else 0)

    @property
    def ships_later(self) -> bool:
        """Whether any unit is promised for later."""
        return any(line.later for line in self.lines)

    @property
    def total(self) -> int:
        return self.items - self.discount + self.fee + (0 if self.tax_included else self.tax)

    @property
    def due(self) -> int:
        """What the payment method pays: the total, but for what stored value does."""
        return self.total - sum(tender.amount for tender in self.tenders)

    def totals(self) -> list[dict[str, Any]]:
        """ACP totals in display order (arithmetic: specs acp §2.5); tax that is ``included`` adds nothing to them."""
        rows = [("items_base_amount", "Items", self.items)]
        if self.discount:
            rows.append(("items_discount", self._words("Discount", off_goods=True), self.discount))
        rows.append(("subtotal", "Subtotal", self.items - self.discount))
        if self.selected:
            rows.append(("fulfillment", self._words(self._way_words(), off_goods=False), self.fee))
        words = "Tax included" if self.tax_included else "Tax"
        rows.append(("tax", f"{words}: {self.tax_name}", self.tax))
        rows.append(("total", "Total", self.total))
        told: list[dict[str, Any]] = [{"type": kind, "display_text": said, "amount": much} for kind, said, much in rows]
        if self.tax_included:
            told[-2]["included"] = True
        return told

    def _way_words(self) -> str:
        """What the fee is for: the ways that somebody or something has to go."""
        assert self.selected is not None
        carried = [way.option for way in self.ways if way.option and not way.is_digital] or [self.selected]
        plain = [one.title for one in carried if one.fetched or one.type == digital.TYPE]
        sent = ", ".join(one.title for one in carried if one.title not in plain)
        return ", ".join([*([f"Shipping: {sent}"] if sent else []), *plain])

    def _words(self, head: str, *, off_goods: bool) -> str:
        """A row's words, and the promotions that it is less for."""
        named = [one.label for one in self.promotions if (one.amount if off_goods else one.shipping)]
        return f"{head}{': ' if off_goods else ', '}{', '.join(named)}" if named else head


def quote(session: Session, basket: Basket) -> Quote:
    """Price a session from the catalog, stock, shipping and tax tables of this transaction."""
    return price(basket, facts.read(session, basket))


def price(basket: Basket, found: Facts) -> Quote:
    """What a session costs, given everything its price rests on."""
    lines = _lines(basket, found)
    problems = [problem for line in lines for problem in stock_problems(line)]
    problems += _unsold(basket, found)
    problems += quotas.problems(found.shop.settings, found.bought, lines, clock.now())
    applied = _promotions(basket, found, lines)
    lines = [replace(line, discount=off) for line, off in zip(lines, applied.per_line, strict=True)]
    way = ways.delivered(basket, found, lines)
    full = _cost(way)
    way = _freed(applied, way)
    plan: Plan | None = None
    unroutable: list[str] = []
    if way.ways:
        way, plan, unroutable = _apart(basket, found, lines, way, blocked=bool(problems or way.problems))
    else:
        if not (problems or way.problems):
            plan, unroutable = _routing(basket, found, lines, way.selected)
        way = _dated(way, found, plan)
    selected = way.selected
    stopped = (*problems, *applied.problems, *way.problems, *unroutable)
    due = duty(basket, found, lines, selected, blocked=bool(stopped), ways=way.ways)
    lines = [_taxed(line, one, found) for line, one in zip(lines, due.bill.items, strict=True)]
    priced = Quote(
        shop=found.shop,
        lines=tuple(lines),
        options=way.options,
        selected=selected,
        promotions=_claimed(applied, full),
        tax_name=due.name,
        shipping_tax=due.bill.shipping.amount,
        problems=(*stopped, *due.problems),
        missing=(),
        left_out=applied.left_out,
        full_fee=full,
        plan=plan,
        tax_included=found.tax.included,
        taxes=tuple(due.bill.by_jurisdiction()),
        notices=(*applied.notices, *way.notices, *due.notices),
        tax_source=due.source,
        tax_calculation_id=due.calculation_id,
        goes_to=_goes_to(basket, found, selected),
        asks=due.asks,
        ways=way.ways,
    )
    if basket.tenders:
        priced = replace(priced, tenders=_tenders(basket, found, priced.total))
    missing = _missing(basket, found, priced)
    return replace(priced, missing=tuple(missing)) if missing else priced


def _cost(way: Delivery) -> int:
    """What the chosen way costs; where there are several, all of them."""
    chosen = [one.option for one in way.ways] if way.ways else [way.selected]
    return sum(one.amount for one in chosen if one)


def _goes_to(basket: Basket, found: Facts, selected: shipping.Option | None) -> dict[str, Any] | None:
    """The address, or the place where it is fetched; of what is all digital an address only if it is whole."""
    place = found.goes_to(basket)
    return None if _bodiless(selected) and missing_parts(place) else place


def _bodiless(selected: shipping.Option | None) -> bool:
    return selected is not None and selected.type == digital.TYPE


def _apart(
    basket: Basket, found: Facts, lines: Sequence[PricedLine], way: Delivery, *, blocked: bool
) -> tuple[Delivery, Plan | None, list[str]]:
    """Every way with its days, and where all units are to be reserved; or why that cannot be."""
    plans: dict[tuple[str, ...], Plan | None] = {}
    unroutable: list[str] = []
    bodiless: list[inventory.Allocation] = []
    for one in () if blocked else way.ways:
        here = [line for line in lines if line.variant_id in one.variant_ids]
        if one.is_digital:
            bodiless += ways.reserved(found, here)
            continue
        known = found.of(basket, one.variant_ids[0])
        plans[one.variant_ids], why = _routing(basket, known, here, one.option)
        unroutable += why
    way = ways.dated_apart(way, found, plans, clock.now())
    ready = not blocked and not unroutable and all(one.option for one in way.ways)
    plan = ways.merged([one for one in plans.values() if one], bodiless) if ready else None
    return way, plan, unroutable


def _dated(way: Delivery, found: Facts, plan: Plan | None) -> Delivery:
    places = [one.location_id for one in plan.allocations] if plan else []
    return dated(way, found, places, clock.now())


def _taxed(line: PricedLine, tax: taxes.Taxed, found: Facts) -> PricedLine:
    parts = tuple(part.told() for part in tax.parts)
    return replace(line, tax=tax.amount, taxes=parts, tax_included=found.tax.included)


def _routing(
    basket: Basket, found: Facts, lines: Sequence[PricedLine], selected: shipping.Option | None
) -> tuple[Plan | None, list[str]]:
    """Where the units are to come from, once it is known where they go; or why no way is allowed."""
    if selected is None:
        return None, []
    try:
        return routed(basket, found, lines, None if selected.fetched else selected.max_days), []
    except OutOfStock as refused:
        title = next((line.title for line in lines if line.variant_id == refused.variant_id), "This")
        return None, [f"{title} cannot be delivered like this: {refused.message}"]


def _tenders(basket: Basket, found: Facts, total: int) -> tuple[Tender, ...]:
    """Each is used up before the next; one that is empty or not good any more pays nothing."""
    tenders = []
    for wanted in basket.tenders:
        purse = found.purses.get(wanted["stored_value_id"])
        amount = min(purse.balance, total) if purse else 0
        if purse and amount > 0:
            tenders.append(Tender(purse, amount))
            total -= amount
    return tuple(tenders)


def _lines(basket: Basket, found: Facts) -> list[PricedLine]:
    wanted = {row["variant_id"]: row["quantity"] for row in basket.lines}
    return [
        _priced(item, quantity, found.of(basket, variant_id))
        for variant_id, quantity in wanted.items()
        if (item := found.items.get(variant_id)) and _is_sold(item) and item["price"] is not None
    ]


def _is_sold(item: Mapping[str, Any]) -> bool:
    return bool(item["sellable"]) and item["status"] == "active"


def _unsold(basket: Basket, found: Facts) -> list[str]:
    """What cannot be bought at all, or not in this currency: nothing is ever converted."""
    if not found.shop.sells_in(basket.currency):
        return [f"This shop does not sell in {basket.currency}."]
    known = [found.items.get(row["variant_id"]) for row in basket.lines]
    problems = [
        f"{item['title']} is not sold in {basket.currency}."
        for item in known
        if item and _is_sold(item) and item["price"] is None
    ]
    if any(item is None or not _is_sold(item) for item in known):
        problems.append("Something in this checkout is no longer sold.")
    return problems


def _priced(item: Mapping[str, Any], quantity: int, found: Facts) -> PricedLine:
    """``found`` is what the price of this line rests on."""
    places = found.stock[item["id"]]
    return PricedLine(
        variant_id=item["id"],
        product_id=item["product_id"],
        sku=item["sku"],
        title=item["title"],
        options=item["options"],
        category=item["category"],
        collections=tuple(item["collections"]),
        tax_category=item["tax_category"],
        restrictions=tuple(item["restrictions"]),
        weight_g=item["weight_g"],
        size_mm=(item["length_mm"], item["width_mm"], item["height_mm"]),
        quantity=quantity,
        unit_price=found.tax.unit_price(item["tax_category"], item["price"]),
        unit_cost=item["cost"],
        available=found.ready(item["id"]),
        alone=found.alone(item["id"]),
        parts=found.made_of.get(item["id"]) or next((place.parts for place in places if place.parts), ()),
        promise=found.promised.get(item["id"]),
    )


def stock_problems(line: PricedLine) -> list[str]:
    """Why so many of it cannot be had."""
    if line.available >= line.quantity or line.later:
        return []
    if line.available < line.alone:
        words = f"only {line.available} are left" if line.available else "nothing is left"
        return [f"{line.title} is made of the same parts as something else in this order: {words} of it then."]
    if line.available == 0:
        return [f"{line.title} is out of stock for delivery."]
    return [f"Only {line.available} of {line.title} can be delivered."]


def _promotions(basket: Basket, found: Facts, lines: Sequence[PricedLine]) -> Applied:
    """What promotions take off, with the shipping that is chosen in view."""
    eligible = [
        Discountable(line.category, line.base, line.product_id, line.collections, line.quantity) for line in lines
    ]

    def cost(goods: int) -> int:
        return _cost(ways.delivered(basket, found, lines, goods=goods))

    home = found.shop.currency
    return work_out(found.promotions, basket.discount_codes, eligible, basket.currency, home=home, shipping=cost)


def _freed(applied: Applied, way: Delivery) -> Delivery:
    """The ways to ship at what a promotion leaves of their price; the chosen way stays the chosen one."""
    if applied.free_shipping is None:
        return way
    if way.ways:
        return ways.freed(way, applied.shipping_off(_cost(way)))
    freed = {one.id: replace(one, amount=one.amount - applied.shipping_off(one.amount)) for one in way.options}
    chosen = freed[way.selected.id] if way.selected else None
    return replace(way, options=tuple(freed.values()), selected=chosen)


def _claimed(applied: Applied, full: int) -> tuple[Taken, ...]:
    """Every promotion that takes something off the goods, or off the ``full`` price of the chosen way to ship."""
    return tuple(one for one in applied.taken if one.amount or (full and applied.shipping_off(full)))


def _missing(basket: Basket, found: Facts, priced: Quote) -> list[str]:
    """What is still to be said. Stored value that covers all of it needs no other way to pay; what has no parcel needs
    an address only where somebody else works out its tax.
    """
    parts = missing_parts(found.goes_to(basket))
    if _bodiless(priced.selected):
        parts = [part for part in parts if part != "name"] if found.tax_policy.elsewhere else []
    found_missing = [] if basket.buyer.get("email") else ["email"]
    if "name" in parts:
        found_missing.append("name")
    if set(parts) - {"name"}:
        found_missing.append("address")
    paid = basket.payment_method is not None or (priced.due == 0 and bool(basket.tenders))
    return found_missing if paid else [*found_missing, "payment_method"]
