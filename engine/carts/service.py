"""What is in the cart. One open cart per identity; prices and stock are the catalog's of this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.carts.discounts import offered_to
from engine.carts.errors import CartFull, CodeNotValid, NotAvailable, NotInCart
from engine.carts.models import Cart, CartLine, Discount
from engine.carts.promotions import not_for, not_in, not_now, terms_of
from engine.carts.schemas import CartLineView, CartView
from engine.catalog.errors import NotSoldInCurrency, OutOfStock
from engine.catalog.matching import match_option
from engine.catalog.models import Product, Variant
from engine.catalog.picking import Pick, pick_variant
from engine.catalog.prices import Selling, amount_now, compare_now, currency_for, selling_in
from engine.customers import service as customers
from engine.inventory import service as inventory
from engine.inventory.availability import available_units
from engine.kit import clock
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.money import Money, format_minor
from engine.kit.tenancy import Tenant
from engine.kit.views import Price

MAX_LINES: Final = 50
MAX_QUANTITY: Final = 99
HAS_LINES: Final = """
SELECT FROM app.carts cart JOIN app.cart_lines line ON line.tenant_id = cart.tenant_id AND line.cart_id = cart.id
WHERE cart.tenant_id = %(tenant)s AND cart.owner_id = %(whose)s AND cart.status = 'open'
"""
"""Whether something is in the open cart, for a statement that asks other things too."""


@dataclass(frozen=True, slots=True)
class Item:
    """A variant as a change of the cart names it."""

    variant_id: str
    title: str
    options: dict[str, Any]
    price: str
    quantity: int
    available: int

    def brief(self) -> dict[str, Any]:
        return {
            "variant_id": self.variant_id,
            "title": self.title,
            "options": self.options,
            "price": self.price,
            "quantity": self.quantity,
            "available": self.available,
        }


@dataclass(frozen=True, slots=True)
class CartChange:
    """The cart after a change, the line it touched, and other variants that could be had instead."""

    cart: CartView
    line: Item
    alternatives: Sequence[Item]


def open_cart(session: Session, identity: Identity, *, lock: bool = False) -> Cart | None:
    """The identity's open cart, if it has one."""
    query = select(Cart).where(
        Cart.tenant_id == identity.tenant_id, Cart.owner_id == identity.id, Cart.status == "open"
    )
    return session.scalars(query.with_for_update() if lock else query).first()


def view(session: Session, identity: Identity) -> CartView:
    """The cart with today's prices and stock, and what the shopper should know about it."""
    cart = open_cart(session, identity)
    selling = _selling(session, identity, cart)
    currency = selling.currency
    if cart is None:
        none = Price(amount=0, currency=currency)
        return CartView(id=None, lines=[], total=none, item_count=0, discount_codes=[], notices=[])
    rows = session.execute(
        select(CartLine.quantity, Variant, Product.title, available_units(), amount_now(selling), compare_now(selling))
        .join(Variant, (Variant.tenant_id == CartLine.tenant_id) & (Variant.id == CartLine.variant_id))
        .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
        .where(CartLine.tenant_id == identity.tenant_id, CartLine.cart_id == cart.id)
        .order_by(CartLine.added_at, CartLine.variant_id)
    )
    lines = [
        _line(quantity, variant, title, available, None if amount is None else Money(amount, currency), otherwise)
        for quantity, variant, title, available, amount, otherwise in rows
    ]
    return CartView(
        id=cart.id,
        lines=lines,
        total=Price(amount=sum(line.line_total.amount for line in lines if line.line_total), currency=currency),
        item_count=sum(line.quantity for line in lines),
        discount_codes=list(cart.discount_codes),
        notices=_notices(session, identity.tenant_id, lines, currency),
    )


def currency_of(session: Session, identity: Identity) -> str:
    """What the identity's prices are in: its cart's currency; without a cart what ``currency_by_country`` says of its
    default address, else the home currency.
    """
    return _selling(session, identity, open_cart(session, identity)).currency


def set_currency(session: Session, identity: Identity, currency: str) -> CartView:
    """Go on in another currency the shop sells in; a checkout begun in the old one starts anew in this one.

    Raises ``CurrencyNotSold``, and ``NotSoldInCurrency`` naming what in the cart has no price in it; then nothing has
    changed.
    """
    selling = selling_in(session, identity.tenant_id, currency)
    cart = ensure(session, identity)
    before, cart.currency = cart.currency, selling.currency
    session.flush()
    after = view(session, identity)
    unsold = [line.title for line in after.lines if line.unit_price is None]
    if unsold:
        cart.currency = before
        session.flush()
        raise NotSoldInCurrency(f"{', '.join(unsold)}: not sold in {selling.currency}.")
    if cart.discount_codes and not _are_worth(session, cart, selling):
        cart.discount_codes = []
    cart.updated_at = clock.now()
    return view(session, identity)


def add(session: Session, identity: Identity, item_id: str, *, quantity: int, options: dict[str, str]) -> CartChange:
    """Put ``quantity`` of a variant in, or of the best-stocked variant of a product that has ``options``.

    Raises ``NotFound``, ``NotAvailable`` (nothing in stock), ``CartFull``, ``NotSoldInCurrency``.
    """
    currency = currency_of(session, identity)
    pick = pick_variant(session, identity.tenant_id, item_id, options, currency=currency)
    cart = ensure(session, identity)
    present = _quantities(session, cart)
    if pick.variant.id not in present and len(present) >= MAX_LINES:
        raise CartFull(f"A cart holds at most {MAX_LINES} different items.")
    return _put_in(session, identity, cart, pick, present.get(pick.variant.id, 0) + quantity)


def set_quantity(session: Session, identity: Identity, variant_id: str, *, quantity: int) -> CartView:
    """Set a line's quantity; 0 removes it. Never more than there is or can be waited for. Raises ``NotInCart``."""
    cart = open_cart(session, identity, lock=True)
    if cart is None or variant_id not in _quantities(session, cart):
        raise NotInCart("That item is not in the cart.")
    if quantity == 0:
        _take_out(session, cart, variant_id)
    else:
        possible = _possible(session, identity.tenant_id, variant_id, min(quantity, MAX_QUANTITY))
        if possible <= 0:
            raise NotAvailable("That item has just sold out.")
        _put(session, cart, variant_id, possible)
    return view(session, identity)


def swap(session: Session, identity: Identity, variant_id: str, *, options: dict[str, str]) -> CartChange:
    """Change a line to another variant of the same product. Options not named stay as they are if they can.

    Raises ``NotInCart``, ``NotAvailable`` when no variant with these options is in stock.
    """
    cart = open_cart(session, identity, lock=True)
    present = _quantities(session, cart) if cart else {}
    if cart is None or variant_id not in present:
        raise NotInCart("That item is not in the cart.")
    pick = _other_variant(session, _selling(session, identity, cart), variant_id, options)
    quantity = present.pop(variant_id) + present.get(pick.variant.id, 0)
    _take_out(session, cart, variant_id)
    return _put_in(session, identity, cart, pick, quantity)


def empty(session: Session, identity: Identity) -> CartView:
    """Take everything out."""
    cart = open_cart(session, identity, lock=True)
    if cart is not None:
        session.execute(delete(CartLine).where(CartLine.tenant_id == cart.tenant_id, CartLine.cart_id == cart.id))
        cart.discount_codes = []
        cart.updated_at = clock.now()
    return view(session, identity)


def set_discount_code(session: Session, identity: Identity, code: str) -> CartView:
    """Use one code, or none with an empty text. Raises ``CodeNotValid`` with the reason."""
    wanted = code.strip().upper()
    if wanted:
        _check_code(session, identity, _selling(session, identity, open_cart(session, identity)), wanted)
    cart = ensure(session, identity)
    cart.discount_codes = [wanted] if wanted else []
    return view(session, identity)


def holds(session: Session, tenant_id: str, cart_id: str, lines: Mapping[str, int], codes: Sequence[str]) -> bool:
    """Whether the cart is open with these variants in these quantities and these codes, and nothing else."""
    cart = session.get_one(Cart, (tenant_id, cart_id))
    return cart.status == "open" and _quantities(session, cart) == lines and list(cart.discount_codes) == list(codes)


def _check_code(session: Session, identity: Identity, selling: Selling, code: str) -> None:
    offered = next(iter(offered_to(session, identity, None, [code])), None)
    row = offered.row if offered else None
    if problem := not_now(row, code) or (offered and not_for(offered, code)):
        raise CodeNotValid(problem)
    if row is None or terms_of(row, selling.currency, home=selling.home) is None:
        raise CodeNotValid(not_in(code, selling.currency))


def _are_worth(session: Session, cart: Cart, selling: Selling) -> bool:
    """Whether every code of the cart has terms in the currency."""
    rows = session.scalars(
        select(Discount).where(Discount.tenant_id == cart.tenant_id, Discount.code.in_(cart.discount_codes))
    )
    return all(terms_of(row, selling.currency, home=selling.home) is not None for row in rows)


def _selling(session: Session, identity: Identity, cart: Cart | None) -> Selling:
    """The cart's currency, whether or not the shop still sells in it: its checkout says so."""
    home = session.get_one(Tenant, identity.tenant_id).currency
    if cart is not None:
        return Selling(identity.tenant_id, home, cart.currency or home)
    return Selling(identity.tenant_id, home, _first_currency(session, identity))


def _first_currency(session: Session, identity: Identity) -> str:
    address = customers.default_address(session, identity)
    return currency_for(session, identity.tenant_id, address.country if address else None)


def ensure(session: Session, identity: Identity) -> Cart:
    """The identity's open cart, locked; made when there is none."""
    cart = open_cart(session, identity, lock=True)
    if cart is not None:
        return cart
    row = {"tenant_id": identity.tenant_id, "id": new_id("cart"), "owner_id": identity.id, "status": "open"}
    first = {"discount_codes": [], "currency": _first_currency(session, identity)}
    session.execute(insert(Cart).values(row | first).on_conflict_do_nothing())
    made = open_cart(session, identity, lock=True)
    assert made is not None
    return made


def _quantities(session: Session, cart: Cart) -> dict[str, int]:
    rows = session.execute(
        select(CartLine.variant_id, CartLine.quantity).where(
            CartLine.tenant_id == cart.tenant_id, CartLine.cart_id == cart.id
        )
    )
    return {row.variant_id: row.quantity for row in rows}


def _put(session: Session, cart: Cart, variant_id: str, quantity: int) -> None:
    row = {"tenant_id": cart.tenant_id, "cart_id": cart.id, "variant_id": variant_id, "quantity": quantity}
    statement = insert(CartLine).values(row | {"added_at": clock.now()})
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "cart_id", "variant_id"], set_={"quantity": quantity}
        )
    )
    cart.updated_at = clock.now()


def _take_out(session: Session, cart: Cart, variant_id: str) -> None:
    session.execute(
        delete(CartLine).where(
            CartLine.tenant_id == cart.tenant_id,
            CartLine.cart_id == cart.id,
            CartLine.variant_id == variant_id,
        )
    )
    cart.updated_at = clock.now()


def _other_variant(session: Session, selling: Selling, variant_id: str, options: dict[str, str]) -> Pick:
    """The variant that differs in ``options``; its other options as before if there is one like that in stock."""
    tenant_id, currency = selling.tenant_id, selling.currency
    old = session.get_one(Variant, (tenant_id, variant_id))
    offered = session.scalars(
        select(Product.options).where(Product.tenant_id == tenant_id, Product.id == old.product_id)
    ).one()
    matches = [match_option(name, value, offered) for name, value in options.items()]
    changed = {match[0] for match in matches if match}
    keep = {name: value for name, value in old.options.items() if name not in changed}
    try:
        return pick_variant(session, tenant_id, old.product_id, keep | options, currency=currency)
    except OutOfStock:
        return pick_variant(session, tenant_id, old.product_id, options, currency=currency)


def _put_in(session: Session, identity: Identity, cart: Cart, pick: Pick, wanted: int) -> CartChange:
    possible = _possible(session, identity.tenant_id, pick.variant.id, min(wanted, MAX_QUANTITY))
    if possible <= 0:
        raise NotAvailable(f"{pick.variant.title} is out of stock.")
    _put(session, cart, pick.variant.id, possible)
    after = view(session, identity)
    variant = pick.variant
    price = format_minor(pick.amount, after.total.currency)
    available = _available_of(session, identity.tenant_id, variant.id)
    line = Item(variant.id, variant.title, variant.options, price, possible, available)
    others = [Item(o.id, o.title, o.options, str(o.price), 0, o.available) for o in pick.alternatives]
    return CartChange(after, line, others)


def _possible(session: Session, tenant_id: str, variant_id: str, wanted: int) -> int:
    """How many of ``wanted`` units can be put in: those that are there, and all when the rest may be waited for."""
    available = _available_of(session, tenant_id, variant_id)
    if available >= wanted:
        return wanted
    promise = inventory.promise(session, tenant_id, variant_id, wanted)
    return wanted if promise.later else available


def _available_of(session: Session, tenant_id: str, variant_id: str) -> int:
    query = (
        select(available_units()).select_from(Variant).where(Variant.tenant_id == tenant_id, Variant.id == variant_id)
    )
    return int(session.execute(query).scalar() or 0)


def _line(
    quantity: int, variant: Variant, title: str, available: int, price: Money | None, otherwise: int | None
) -> CartLineView:
    return CartLineView(
        variant_id=variant.id,
        product_id=variant.product_id,
        sku=variant.sku,
        title=title,
        options=variant.options,
        image=f"/media/products/{variant.product_id}.svg",
        quantity=quantity,
        unit_price=Price.of(price) if price else None,
        line_total=Price.of(price * quantity) if price else None,
        available=available if variant.sellable and price else 0,
        compare_at=Price(amount=otherwise, currency=price.currency) if price and otherwise else None,
    )


def _notices(session: Session, tenant_id: str, lines: Sequence[CartLineView], currency: str) -> list[str]:
    """What is not simply there: not sold in this currency, sold out, fewer left than wanted, or sent later and when."""
    unsold = [f"{line.title} is not sold in {currency}." for line in lines if line.unit_price is None]
    short = {line.variant_id: line.quantity for line in lines if line.unit_price and line.available < line.quantity}
    promised = inventory.promises(session, tenant_id, short) if short else {}
    return unsold + [_notice(line, promised[line.variant_id]) for line in lines if line.variant_id in short]


def _notice(line: CartLineView, promise: inventory.Promise) -> str:
    if promise.later:
        return promise.words(line.title)
    if line.available == 0:
        return f"{line.title} has sold out."
    return f"Only {line.available} of {line.title} left."
