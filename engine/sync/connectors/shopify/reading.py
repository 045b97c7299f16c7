"""Shopify's words into canonical ones. Money becomes minor units here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from engine.kit.money import exponent, is_currency
from engine.sync import canonical
from engine.sync.canonical import Address, Buyer, OrderCreated, OrderLine, OrderPayment, Settlement, ShippingCharge
from engine.sync.connectors.addresses import Spelling, address_of
from engine.sync.connectors.shopify import letters, wire
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System

M = TypeVar("M", bound=BaseModel)
SOURCE: Final = str(System.SHOPIFY)
_CAME: Final = frozenset({"SALE", "CAPTURE"})
_PLACE: Final[Spelling] = {
    "name": ("name",),
    "company": ("company",),
    "line_one": ("address1",),
    "line_two": ("address2",),
    "city": ("city",),
    "region": ("province_code", "province"),
    "postal_code": ("zip",),
    "country": ("country_code",),
    "phone": ("phone",),
}
"""Of the interface and of letters."""
_BREAKS: Final = frozenset({"p", "br", "div", "li", "ul", "ol", "h1", "h2", "h3", "h4", "tr"})


def checked(model: type[M], data: Any, *, at: str = "") -> M:
    """The answer as its model has it. Raises ``Rejected`` with every field that is not as the vendor's schema says."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [FieldFault(_under(at, one["loc"]), one["msg"]) for one in error.errors(include_input=False)]
        raise Rejected("The shop's answer is not what its schema promises.", fields=faults) from None


def tail(gid: str) -> str:
    """``gid://shopify/Order/5001`` → ``5001``."""
    return gid.rpartition("/")[2].partition("?")[0]


def gid(kind: str, number: str) -> str:
    """``5001`` → ``gid://shopify/Order/5001``; a whole one stays as it is."""
    return number if number.startswith("gid://") else f"gid://shopify/{kind}/{number}"


def minor(amount: str, currency: str) -> int:
    """Money text as whole minor units. Raises ``Rejected`` for what is none, or finer than the currency."""
    try:
        scaled = Decimal(amount).scaleb(exponent(currency))
    except InvalidOperation:
        raise Rejected(f"{amount[:40]!r} is no amount.") from None
    if not is_currency(currency) or not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise Rejected(f"{amount[:40]!r} is no amount of {currency[:8]!r}.")
    return int(scaled)


def order_of(
    account: str,
    order: wire.Order,
    lines: Sequence[wire.Line],
    carried: Sequence[wire.ShippingLine],
    raw: Mapping[str, Any],
) -> OrderCreated:
    """An order that was read. ``lines`` and ``carried`` are all of them, whatever page they came by."""
    currency = order.currency_code
    kept = tuple(_line(one, currency) for one in lines)
    shipping = tuple(_shipping(one, currency) for one in carried)
    itemized = sum(_taxes(one.tax_lines, currency) for one in lines) + sum(one.tax for one in shipping)
    whole = _bag(order.total_tax_set, currency) if order.total_tax_set else itemized
    who = order.customer
    return OrderCreated(
        **_head(account, tail(order.id), raw),
        source_ref=order.name,
        placed_at=order.processed_at,
        updated_at=order.updated_at,
        currency=currency,
        test=order.test,
        canceled_at=order.cancelled_at,
        buyer=Buyer(
            source_id=tail(who.id) if who else None,
            email=order.email or (who.email if who else ""),
            name=who.display_name if who else "",
            phone=order.phone or (who.phone if who else ""),
        ),
        ship_to=_address(order.shipping_address),
        bill_to=_address(order.billing_address),
        lines=kept,
        shipping=shipping,
        discount=sum(one.discount for one in kept) + sum(one.discount for one in shipping),
        tax=_tax_now(whole, itemized, kept, shipping),
        taxes_included=order.taxes_included,
        total=_bag(order.current_total_price_set, currency),
        payments=tuple(
            OrderPayment(id=tail(one.id), gateway=one.gateway, amount=_bag(one.amount_set, currency), at=_at(one))
            for one in order.transactions
            if one.kind in _CAME and one.status == "SUCCESS"
        ),
        refunded=sum(
            _bag(one.amount_set, currency)
            for one in order.transactions
            if one.kind == "REFUND" and one.status == "SUCCESS"
        ),
        tags=tuple(order.tags),
        note=order.note,
    )


def letter_order(account: str, order: letters.Order, raw: Mapping[str, Any]) -> OrderCreated:
    """An order as a webhook tells it: it may be stale, and it knows no payments."""
    currency = order.currency
    kept = tuple(_letter_line(one, currency) for one in order.line_items)
    shipping = tuple(_letter_shipping(one, currency) for one in order.shipping_lines if not one.is_removed)
    itemized = sum(_letter_taxes(one.tax_lines, currency) for one in order.line_items) + sum(s.tax for s in shipping)
    who = order.customer
    return OrderCreated(
        **_head(account, str(order.id), raw),
        source_ref=order.name,
        placed_at=order.processed_at,
        updated_at=order.updated_at,
        currency=currency,
        test=order.test,
        canceled_at=order.cancelled_at,
        buyer=Buyer(
            source_id=str(who.id) if who else None,
            email=order.email or (who.email if who else ""),
            name=f"{who.first_name} {who.last_name}".strip() if who else "",
            phone=order.phone or (who.phone if who else ""),
        ),
        ship_to=_address(order.shipping_address),
        bill_to=_address(order.billing_address),
        lines=kept,
        shipping=shipping,
        discount=sum(one.discount for one in kept) + sum(one.discount for one in shipping),
        tax=_tax_now(minor(order.total_tax, currency), itemized, kept, shipping),
        taxes_included=order.taxes_included,
        total=minor(order.current_total_price or order.total_price, currency),
        tags=tuple(one.strip() for one in order.tags.split(",") if one.strip()),
        note=order.note,
    )


def settlements_of(account: str, order: wire.Money) -> list[Settlement]:
    """Money that came and went, in the order in which it did."""
    moved = [one for one in order.transactions if one.status == "SUCCESS" and one.kind in {*_CAME, "REFUND"}]
    return [
        Settlement(
            **_head(account, tail(one.id), one.model_dump(mode="json")),
            order_id=tail(order.id),
            order_ref=order.name,
            gateway=one.gateway,
            amount=_bag(one.amount_set, order.currency_code),
            currency=order.currency_code,
            at=_at(one),
            refund=one.kind == "REFUND",
        )
        for one in sorted(moved, key=lambda one: (_at(one), one.id))
        if _bag(one.amount_set, order.currency_code) > 0
    ]


def letter_refund(account: str, refund: letters.Refund, raw: Mapping[str, Any]) -> list[Settlement]:
    """All money that a refund gave back, to whatever paid; nothing where it was goods alone."""
    given = [one for one in refund.transactions if one.kind == "refund" and one.status == "success"]
    return [
        Settlement(
            **_head(account, str(one.id), raw),
            order_id=str(refund.order_id),
            gateway=one.gateway,
            amount=minor(one.amount, one.currency),
            currency=one.currency,
            at=refund.processed_at,
            refund=True,
        )
        for one in given
        if minor(one.amount, one.currency) > 0
    ]


def product_of(
    account: str, product: wire.Product, variants: Iterable[wire.Variant], currency: str, raw: Mapping[str, Any]
) -> canonical.Product:
    kept = list(variants)
    pictures = [product.featured_image, *(one.image for one in kept)]
    return canonical.Product(
        **_head(account, tail(product.id), raw),
        title=product.title,
        description=plain_text(product.description_html),
        images=tuple(dict.fromkeys(one.url for one in pictures if one)),
        active=product.status == "ACTIVE",
        currency=currency,
        variants=tuple(
            canonical.ProductVariant(
                source_id=tail(one.id),
                sku=one.sku,
                title=one.title,
                price=minor(one.price, currency),
                inventory_item_id=tail(one.inventory_item.id),
                bundle=one.requires_components,
                image=one.image.url if one.image else "",
                options={choice.name: choice.value for choice in one.selected_options},
            )
            for one in kept
        ),
        updated_at=product.updated_at,
    )


def letter_product(account: str, product: letters.Product, currency: str, raw: Mapping[str, Any]) -> canonical.Product:
    """A product as a webhook tells it: which variants are bundles it does not say, nor what their options are."""
    pictures = [*([product.image] if product.image else []), *product.images]
    return canonical.Product(
        **_head(account, str(product.id), raw),
        title=product.title,
        description=plain_text(product.body_html),
        images=tuple(dict.fromkeys(one.src for one in pictures)),
        active=product.status == "active",
        currency=currency,
        variants=tuple(
            canonical.ProductVariant(
                source_id=str(one.id),
                sku=one.sku,
                title=one.title,
                price=minor(one.price, currency),
                inventory_item_id=str(one.inventory_item_id),
            )
            for one in product.variants
        ),
        updated_at=product.updated_at,
    )


def plain_text(html: str) -> str:
    """Words without marks, a line for each block."""
    reader = _Words()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.found).split("\n"))
    return "\n".join(line for line in lines if line)


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._mute = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the parser's)
        self._mute += tag in {"script", "style"}
        if tag in _BREAKS:
            self.found.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._mute -= tag in {"script", "style"} and self._mute > 0
        if tag in _BREAKS:
            self.found.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._mute:
            self.found.append(data.replace("\n", " "))


def _head(account: str, source_id: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    return {"source": SOURCE, "account": account, "source_id": source_id, "raw": dict(raw)}


def _line(line: wire.Line, currency: str) -> OrderLine:
    discount = sum(_bag(one.allocated_amount_set, currency) for one in line.discount_allocations)
    group = line.line_item_group
    return OrderLine(
        source_line_id=tail(line.id),
        sku=line.sku,
        title=line.title,
        quantity=line.current_quantity,
        unit_price=_bag(line.original_unit_price_set, currency),
        discount=_part(discount, line.current_quantity, line.quantity),
        tax=_part(_taxes(line.tax_lines, currency), line.current_quantity, line.quantity),
        requires_shipping=line.requires_shipping,
        gift_card=line.is_gift_card,
        bundle_parent=(group.variant_sku or group.title) if group else None,
    )


def _letter_line(line: letters.Line, currency: str) -> OrderLine:
    now = line.quantity if line.current_quantity is None else line.current_quantity
    discount = sum(minor(one.amount, currency) for one in line.discount_allocations)
    return OrderLine(
        source_line_id=str(line.id),
        sku=line.sku,
        title=line.title,
        quantity=now,
        unit_price=minor(line.price, currency),
        discount=_part(discount, now, line.quantity),
        tax=_part(_letter_taxes(line.tax_lines, currency), now, line.quantity),
        requires_shipping=line.requires_shipping,
        gift_card=line.gift_card,
    )


def _part(amount: int, now: int, whole: int) -> int:
    """What is left of a line's amount when ``now`` of ``whole`` pieces are."""
    return amount if now == whole else amount * now // whole if whole else 0


def _tax_now(whole: int, itemized: int, lines: Sequence[OrderLine], shipping: Sequence[ShippingCharge]) -> int:
    """The tax of what is still wanted: of lines and shipping as they are now, and what nobody itemized."""
    now = sum(one.tax for one in lines) + sum(one.tax for one in shipping)
    return now + max(0, whole - itemized) if any(one.quantity for one in lines) else now


def _shipping(line: wire.ShippingLine, currency: str) -> ShippingCharge:
    price = _bag(line.original_price_set, currency)
    return ShippingCharge(
        code=line.code,
        title=line.title,
        price=price,
        discount=price - _bag(line.discounted_price_set, currency),
        tax=_taxes(line.tax_lines, currency),
    )


def _letter_shipping(line: letters.ShippingLine, currency: str) -> ShippingCharge:
    price = minor(line.price, currency)
    asked = price if line.discounted_price is None else minor(line.discounted_price, currency)
    return ShippingCharge(
        code=line.code,
        title=line.title,
        price=price,
        discount=price - asked,
        tax=_letter_taxes(line.tax_lines, currency),
    )


def _address(place: wire.MailingAddress | letters.Address | None) -> Address | None:
    return address_of(place, _PLACE)


def _bag(bag: wire.MoneyBag, currency: str) -> int:
    """The shop's own money. Raises ``Rejected`` where it is of another currency than the document."""
    money = bag.shop_money
    if money.currency_code != currency:
        raise Rejected(f"An amount is of {money.currency_code[:8]} in a document of {currency[:8]}.")
    return minor(money.amount, currency)


def _taxes(lines: Iterable[wire.Priced], currency: str) -> int:
    return sum(_bag(one.price_set, currency) for one in lines)


def _letter_taxes(lines: Iterable[letters.Tax], currency: str) -> int:
    return sum(minor(one.price, currency) for one in lines)


def _at(one: wire.Transaction) -> Any:
    return one.processed_at or one.created_at


def _under(at: str, loc: Iterable[Any]) -> str:
    return ".".join(part for part in (at, *map(str, loc)) if part)
